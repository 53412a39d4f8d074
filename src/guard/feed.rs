//! Follows the changes that other processes commit, and knows how late it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::caches::Caches;
use crate::domain::error::{Error, Result};
use crate::store::Tail;

/// How often the database is asked whether anything changed: a look at shared memory.
const PERIOD: Duration = Duration::from_millis(100);

/// When the feed was last heard, and how old that may be.
pub(crate) struct Freshness {
    begun: Instant,
    heard_at_millis: AtomicU64,
    max_staleness: Duration,
}

impl Freshness {
    /// Heard just now.
    pub(crate) fn new(max_staleness: Duration) -> Self {
        Self { begun: Instant::now(), heard_at_millis: AtomicU64::new(0), max_staleness }
    }

    fn elapsed_millis(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that all changes up to now are known.
    pub(crate) fn heard(&self) {
        self.heard_at_millis.store(self.elapsed_millis(), Ordering::Release);
    }

    /// Whether what is in memory may still be believed.
    pub(crate) fn is_trusted(&self) -> bool {
        let silence = self.elapsed_millis().saturating_sub(self.heard_at_millis.load(Ordering::Acquire));
        Duration::from_millis(silence) <= self.max_staleness
    }
}

/// Starts to follow the changes; ends by itself when the caches are gone.
pub(crate) fn follow(mut tail: Tail, caches: &Arc<Caches>) -> Result<()> {
    let caches = Arc::downgrade(caches);
    thread::Builder::new()
        .name("doorward-feed".to_owned())
        .spawn(move || while step(&mut tail, &caches) {})
        .map(drop)
        .map_err(|error| Error::Internal(format!("the feed's thread cannot be started: {error}")))
}

fn step(tail: &mut Tail, caches: &Weak<Caches>) -> bool {
    thread::sleep(PERIOD);
    let Some(caches) = caches.upgrade() else { return false };
    match tail.poll() {
        Ok(changes) => {
            caches.apply(&changes);
            caches.freshness().heard();
        }
        Err(error) => tracing::warn!(%error, "the feed of changes cannot be read"),
    }
    true
}
