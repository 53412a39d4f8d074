//! How late the feed of changes is, and so whether what is in memory may be believed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

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
