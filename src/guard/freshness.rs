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

    fn millis_at(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.begun).as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes that all changes up to `asked` are known.
    pub(crate) fn heard(&self, asked: Instant) {
        self.heard_at_millis.store(self.millis_at(asked), Ordering::Release);
    }

    /// Whether what is in memory may still be believed.
    pub(crate) fn is_trusted(&self) -> bool {
        let silence = self.millis_at(Instant::now()).saturating_sub(self.heard_at_millis.load(Ordering::Acquire));
        Duration::from_millis(silence) <= self.max_staleness
    }
}
