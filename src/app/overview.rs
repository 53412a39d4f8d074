//! Keeps the last overview, and has whoever asks for another wait for the one that is being counted.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::clock::Timestamp;
use crate::domain::overview::Overview;

/// What is kept of the last count.
#[derive(Default)]
pub(crate) struct Kept {
    /// What was counted last.
    pub(crate) overview: Option<Arc<Overview>>,
    /// When that failed, and why, where nothing was counted since.
    pub(crate) failed: Option<(Timestamp, String)>,
}

/// The place of the last overview: whoever holds it counts, and all others wait.
#[derive(Default)]
pub(crate) struct Census(Mutex<Kept>);

impl Census {
    /// Waits for whoever counts.
    pub(crate) async fn hold(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().await
    }
}
