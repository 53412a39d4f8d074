//! Tells other servers on the same database of failures, and learns of theirs: each server limits by
//! itself, and within a second of the first failure under a key by what all of them counted under it.

use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::guard::throttle::{Kind, Untold};
use crate::store::{self, Tx};

/// How often others are told.
const PERIOD: Duration = Duration::from_secs(1);

/// Shares failures until told to stop.
pub async fn share(app: App, mut stop: watch::Receiver<bool>) {
    let mut is_failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        match tell(&app).await {
            Ok(()) => is_failing = false,
            Err(error) => {
                if !is_failing {
                    tracing::warn!(%error, "other servers cannot be told of failures; each limits by itself");
                }
                is_failing = true;
            }
        }
    }
}

/// One statement for each key that failed since the last time: at most as many as the throttle gathers.
async fn tell(app: &App) -> Result<()> {
    let (untold, now) = (app.throttle().untold(), app.now());
    if untold.is_empty() {
        return Ok(());
    }
    let told = untold.iter().map(|it| (*it, later(app, it))).collect::<Vec<_>>();
    let learnt = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let mut learnt: Vec<(Kind, u64, Timestamp)> = Vec::new();
            for (untold, later) in told {
                let key = name(&untold);
                if untold.is_cleared {
                    store::failures::delete(tx, &key).await?;
                }
                if untold.failures > 0 {
                    learnt.push((untold.kind, untold.key, store::failures::add(tx, &key, later, now).await?));
                }
            }
            Ok(learnt)
        })
        .await
        .inspect_err(|_| app.throttle().put_back(&untold))?;
    for (kind, key, due) in learnt {
        app.throttle().learn(kind, key, due.since(now));
    }
    Ok(())
}

/// By how much later what is counted is forgotten, and how far away that may be at the most.
fn later(app: &App, untold: &Untold) -> (Duration, Duration) {
    let Some(rate) = app.throttle().rate(untold.kind) else { return Default::default() };
    (rate.period().saturating_mul(untold.failures), 2 * rate.window())
}

/// What a key is called in the database: what is counted, and the key.
fn name(untold: &Untold) -> [u8; 9] {
    let mut name = [untold.kind as u8; 9];
    name[1..].copy_from_slice(&untold.key.to_be_bytes());
    name
}
