//! How much of this machine hashing may take: the cores and the memory that the operating
//! system and, in a container, its control groups leave to this process.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

/// Hashing may take this part of the memory.
const SHARE: u64 = 2;

/// What this process may use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Cores, a container's quota included.
    pub(super) cores: usize,
    /// Bytes of memory; `None` where nothing tells.
    pub(super) memory: Option<u64>,
}

impl Limits {
    /// Asks the operating system.
    pub(super) fn read() -> Self {
        Self { cores: thread::available_parallelism().map_or(1, usize::from), memory: memory() }
    }

    /// KiB that all hashes together may take.
    pub(super) fn budget_kib(self) -> u64 {
        self.memory.map_or(u64::MAX, |bytes| bytes / SHARE / 1_024)
    }

    /// How many hashes of `memory_kib` to compute at once: at least one.
    pub(super) fn threads(self, memory_kib: u32) -> usize {
        let fitting = usize::try_from(self.budget_kib() / u64::from(memory_kib)).unwrap_or(usize::MAX);
        self.cores.min(fitting).max(1)
    }
}

fn memory() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups =
        limit_files(&groups).into_iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    let of_machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text));
    of_groups.chain(of_machine).min()
}

/// The files that may limit this process's memory, by the text of `/proc/self/cgroup`: its own
/// group's and those of all groups around it. A container often sees only the outermost.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    groups.lines().flat_map(limit_files_of_line).collect()
}

fn limit_files_of_line(line: &str) -> Vec<PathBuf> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (Some(controllers), Some(group)) = (fields.next(), fields.next()) else { return Vec::new() };
    let (root, file) = if controllers.is_empty() {
        ("/sys/fs/cgroup", "memory.max")
    } else if controllers.split(',').any(|controller| controller == "memory") {
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
    } else {
        return Vec::new();
    };
    Path::new(group.trim_start_matches('/')).ancestors().map(|group| Path::new(root).join(group).join(file)).collect()
}

/// `MemTotal` of `/proc/meminfo` in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1_024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_threads_as_cores_and_half_the_memory_allow() {
        let limits = |cores, mebibytes: u64| Limits { cores, memory: Some(mebibytes << 20) };
        assert_eq!(limits(8, 65_536).threads(19_456), 8);
        assert_eq!(limits(8, 128).threads(19_456), 3);
        assert_eq!(limits(8, 16).threads(19_456), 1);
        assert_eq!(Limits { cores: 4, memory: None }.threads(19_456), 4);
    }

    #[test]
    fn every_group_around_the_process_is_asked_in_both_versions() {
        let files = limit_files("4:cpu,memory:/one/two\n3:cpuset:/one\n0::/three\nnonsense");
        let files: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(
            files,
            [
                "/sys/fs/cgroup/memory/one/two/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/one/memory.limit_in_bytes",
                "/sys/fs/cgroup/memory/memory.limit_in_bytes",
                "/sys/fs/cgroup/three/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
    }

    #[test]
    fn the_machines_memory_is_read() {
        assert_eq!(total("MemFree: 1 kB\nMemTotal:       24683520 kB\n"), Some(24_683_520 * 1_024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }
}
