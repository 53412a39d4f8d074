//! What the figures were measured on.

use std::fs;
use std::process::Command;
use std::thread::available_parallelism;

use crate::table::write;

/// Writes the machine's description.
pub(crate) fn describe() {
    let cores = available_parallelism().map_or(0, usize::from);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned());
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let compiler =
        Command::new("rustc").arg("-V").output().ok().and_then(|output| String::from_utf8(output.stdout).ok());
    write(&format!(
        "- cores: {cores}, {model}\n- memory: {} MiB\n- kernel: {}\n- compiler: {}\n",
        memory.unwrap_or(0) / 1_024,
        kernel.trim(),
        compiler.unwrap_or_default().trim(),
    ));
}

/// The first value of this name in a file of `name : value` lines.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}
