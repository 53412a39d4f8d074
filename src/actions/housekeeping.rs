//! Sweeps away what is over, in small batches, so that no request waits for it.

use std::time::Duration;

use super::keys;
use crate::app::App;
use crate::domain::error::Result;
use crate::store::{self, Tx};

/// How many rows of a kind one transaction deletes at the most.
const BATCH: i64 = 500;
/// How long changes are kept for processes that follow them.
const CHANGES_KEPT: Duration = Duration::from_hours(1);
/// How long an expired session or secret is kept, so that its owner is told that it expired.
const EXPIRED_KEPT: Duration = Duration::from_hours(24);

/// Sweeps one batch; whether more may be left.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn sweep(app: &App) -> Result<bool> {
    let now = app.now();
    // An ended session stays as long as an access token of it may look valid.
    let ended = now.minus(app.guard().remember_ended() + EXPIRED_KEPT);
    let expired = now.minus(EXPIRED_KEPT);
    let swept = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let changes = store::changes::sweep(tx, now.minus(CHANGES_KEPT), BATCH).await?;
            let sessions = store::sessions::sweep(tx, ended, ended, BATCH).await?;
            let secrets = store::mail_secrets::sweep(tx, expired, BATCH).await?;
            let tokens = store::tokens::sweep(tx, expired, BATCH).await?;
            Ok(changes.max(sessions).max(secrets).max(tokens))
        })
        .await?;
    let is_done = i64::try_from(swept).is_ok_and(|swept| swept < BATCH);
    if is_done {
        // It looks at all that is in memory: once is enough, after the last batch.
        app.guard().sweep(now);
        keys::retire(app).await?;
    }
    Ok(!is_done)
}
