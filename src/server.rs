//! The server: every mount in one list; bind, drain, shut down.

use crate::config::Settings;

/// How `serve` starts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// Go on with new keys where the database's own are lost.
    pub new_keys: bool,
}

/// Runs the server until it is told to stop (SIGTERM, SIGINT), and answers what is in flight.
///
/// # Errors
///
/// A sentence that says why it cannot start and how to mend it.
#[expect(clippy::unused_async, reason = "the skeleton")]
pub async fn run(settings: Settings, start: Start) -> anyhow::Result<()> {
    let _ = (settings, start);
    Ok(())
}
