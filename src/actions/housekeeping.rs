//! Sweeps away what is over, in small batches, so that no request waits for it.

use std::time::Duration;

use super::keys;
use crate::app::App;
use crate::domain::error::Result;
use crate::store::{self, Tx};

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
    app.learn_lifetimes().await?;
    let now = app.now();
    // An ended session stays as long as an access token of it may look valid.
    let ended = now.minus(app.guard().remember_ended() + EXPIRED_KEPT);
    let expired = now.minus(EXPIRED_KEPT);
    let audited = app.settings().audit.retention.map(|retention| now.minus(retention));
    let swept = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let changes = store::changes::sweep(tx, now.minus(CHANGES_KEPT)).await?;
            let sessions = store::sessions::sweep(tx, ended, ended).await?;
            let secrets = store::mail_secrets::sweep(tx, expired).await?;
            let tokens = store::tokens::sweep(tx, expired).await?;
            let events = match audited {
                Some(before) => store::audit::sweep(tx, before).await?,
                None => 0,
            };
            Ok(events.max(changes).max(sessions).max(secrets).max(tokens))
        })
        .await?;
    let is_done = swept < store::SWEPT_AT_ONCE;
    if is_done {
        // It looks at all that is in memory: once is enough, after the last batch.
        app.guard().sweep(now);
        keys::retire(app).await?;
    }
    Ok(!is_done)
}
