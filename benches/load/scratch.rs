//! The run's own directory, and the end of a run that does not come by itself: neither children nor
//! files are left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use crate::process::kill_children;
use crate::table::progress;

/// Where the build is, and not /tmp: that may lie in memory, where a durable write costs nothing.
const PLACE: &str = env!("CARGO_TARGET_TMPDIR");
const PREFIX: &str = "load-";

/// A directory that is gone with this value.
pub(crate) struct Scratch {
    directory: TempDir,
    /// Locked for as long as the run lasts.
    _lock: File,
}

impl Scratch {
    /// A new one; those of runs that were killed are removed.
    pub(crate) fn new() -> anyhow::Result<Self> {
        for entry in fs::read_dir(PLACE)?.flatten() {
            let is_ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
            if is_ours && File::open(entry.path()).is_ok_and(|directory| directory.try_lock().is_ok()) {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(PLACE)?;
        let lock = File::open(directory.path())?;
        lock.try_lock()?;
        Ok(Self { directory, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Ends the run by a signal, or after so long: then something stands that should not.
    pub(crate) fn end_early(&self, limit: Duration) -> anyhow::Result<()> {
        let path = PathBuf::from(self.path());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let entered = runtime.enter();
        let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal);
        drop(entered);
        thread::Builder::new().name("early end".to_owned()).spawn(move || {
            let [Ok(interrupt), Ok(terminate), Ok(hangup)] = &mut signals else { return };
            let status = runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => 130,
                    _ = terminate.recv() => 143,
                    _ = hangup.recv() => 129,
                    () = tokio::time::sleep(limit) => {
                        progress(&format!("ended: not done within {} minutes", limit.as_secs() / 60));
                        1
                    }
                }
            });
            kill_children();
            // The last of them may still be ending.
            for _ in 0..5 {
                if fs::remove_dir_all(&path).is_ok() {
                    break;
                }
                thread::sleep(Duration::from_millis(20));
            }
            std::process::exit(status);
        })?;
        Ok(())
    }
}
