//! Notices when the whole machine stands still: a virtual one that its host pauses makes every
//! figure of that moment worthless, and says nothing about any server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(50);
/// No load delays a sleeping thread by this much.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A thread that sleeps in short steps and adds up by how much they were too long.
pub(crate) struct Watch(Arc<AtomicU64>);

impl Watch {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let lost = Arc::new(AtomicU64::new(0));
        let noted = Arc::clone(&lost);
        thread::Builder::new().name("watch".to_owned()).spawn(move || {
            loop {
                let begun = Instant::now();
                sleep(STEP);
                if begun.elapsed() > STANDSTILL {
                    let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                    noted.fetch_add(millis, Ordering::Relaxed);
                }
            }
        })?;
        Ok(Self(lost))
    }

    /// How long the machine stood still since this was last asked, if it did.
    pub(crate) fn take(&self) -> Option<Duration> {
        Some(Duration::from_millis(self.0.swap(0, Ordering::Relaxed))).filter(|lost| !lost.is_zero())
    }
}
