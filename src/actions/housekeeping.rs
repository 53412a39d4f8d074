//! Sweeps away what is over, in small batches, so that no request waits for it; and only while the
//! clock may be believed, because nothing brings back what is gone.

use std::time::Duration;

use super::issue::NOTED_EVERY;
use super::keys;
use crate::app::App;
use crate::clock::Timestamp;
use crate::clock::watch::Verdict;
use crate::domain::error::Result;
use crate::store::{self, Tx};

/// How long changes are kept for processes that follow them.
const CHANGES_KEPT: Duration = Duration::from_hours(1);
/// How long an expired session or secret is kept, so that its owner is told that it expired.
const EXPIRED_KEPT: Duration = Duration::from_hours(24);

/// Sweeps one batch; whether more may be left. Where the clock was set, nothing is deleted for an hour:
/// time for whoever erred.
///
/// # Errors
///
/// That the store cannot be used.
pub async fn sweep(app: &App) -> Result<bool> {
    app.learn_lifetimes().await?;
    let is_more_left = match app.look_at_clock() {
        Verdict::Proven(now) => sweep_store(app, now).await?,
        Verdict::Unproven => false,
        Verdict::SetAhead(by) => warn("ahead", by),
        Verdict::SetBack(by) => warn("back", by),
    };
    if !is_more_left {
        // It looks at all that is in memory: once is enough, after the last batch.
        app.guard().sweep();
    }
    Ok(is_more_left)
}

fn warn(direction: &str, by: Duration) -> bool {
    let seconds = by.as_secs();
    tracing::warn!(seconds, "the clock was set {direction}: for an hour nothing is deleted because it is over");
    false
}

async fn sweep_store(app: &App, now: Timestamp) -> Result<bool> {
    // An ended session stays as long as an access token of it may look valid.
    let ended = app.guard().remember_sessions_since();
    let expired = now.minus(EXPIRED_KEPT);
    let unknown = now.minus(app.settings().throttle.known_network + NOTED_EVERY);
    let audited = app.settings().audit.retention.map(|retention| now.minus(retention));
    let swept = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let changes = store::changes::sweep(tx, now.minus(CHANGES_KEPT)).await?;
            let sessions = store::sessions::sweep(tx, ended, ended).await?;
            let secrets = store::mail_secrets::sweep(tx, expired).await?;
            let mails = store::mails::sweep(tx, now).await?;
            let tokens = store::tokens::sweep(tx, expired).await?;
            let networks = store::known_networks::sweep(tx, unknown).await?;
            let failures = store::failures::sweep(tx, now).await?;
            let events = match audited {
                Some(before) => store::audit::sweep(tx, before).await?,
                None => 0,
            };
            Ok([changes, sessions, secrets, mails, tokens, networks, failures, events]
                .into_iter()
                .max()
                .unwrap_or_default())
        })
        .await?;
    let is_done = swept < store::SWEPT_AT_ONCE;
    if is_done {
        keys::tend(app).await?;
    }
    Ok(!is_done)
}
