//! How much there is of everything, counted once a minute at the most, however many ask.

use std::sync::Arc;
use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::Caller;
use crate::domain::error::{Error, Result};
pub use crate::domain::overview::{HOURS, Hour, Overview};
use crate::store::audit::HourCount;
use crate::store::{self, Reads};

/// How long what was counted is good for.
const GOOD_FOR: Duration = Duration::from_mins(1);
/// How long nobody tries to count again after that failed.
const PAUSE: Duration = Duration::from_secs(5);
const HOUR: i64 = 3_600_000_000;

/// How much there is of everything, and what happened in the last hours, for administrators: as it was
/// counted at most a minute ago, or longer where it cannot be counted now.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power, or that the store cannot be used.
pub async fn overview(app: &App, caller: &Caller) -> Result<Arc<Overview>> {
    caller.require_admin()?;
    let app = app.clone();
    // A task of its own: who goes away before it is done leaves it to those who wait.
    let counting = tokio::spawn(async move { kept_or_counted(&app).await });
    counting.await.unwrap_or_else(|_| Err(Error::Internal("the count of everything has ended".to_owned())))
}

async fn kept_or_counted(app: &App) -> Result<Arc<Overview>> {
    let mut kept = app.census().hold().await;
    let now = app.now();
    if let Some(overview) = kept.overview.as_ref().filter(|overview| is_near(overview.at, now, GOOD_FOR)) {
        return Ok(Arc::clone(overview));
    }
    if !kept.failed.as_ref().is_some_and(|(at, _)| is_near(*at, now, PAUSE)) {
        match app.store().aside(async move |reads| count(reads, now).await).await {
            Ok(overview) => {
                let overview = Arc::new(overview);
                (kept.overview, kept.failed) = (Some(Arc::clone(&overview)), None);
                return Ok(overview);
            }
            Err(error) => {
                tracing::warn!(%error, "how much there is of everything cannot be counted");
                kept.failed = Some((now, error.to_string()));
            }
        }
    }
    let why = kept.failed.as_ref().map(|(_, why)| why.clone()).unwrap_or_default();
    kept.overview.clone().ok_or(Error::Unavailable(why))
}

/// Where the clock was set back, what lies far ahead is as old as what lies far behind.
fn is_near(moment: Timestamp, now: Timestamp, within: Duration) -> bool {
    now.since(moment).max(moment.since(now)) < within
}

async fn count(reads: &Reads<'_>, now: Timestamp) -> Result<Overview> {
    let (users, administrators, disabled) = store::users::count(reads).await?;
    let first = now.micros().div_euclid(HOUR) + 1 - i64::try_from(HOURS).unwrap_or(0);
    let counts = store::audit::count_hours(reads, Timestamp::from_micros(first * HOUR)).await?;
    Ok(Overview {
        at: now,
        users,
        administrators,
        disabled,
        live_sessions: store::sessions::count_live(reads, now).await?,
        api_tokens: store::tokens::count(reads).await?,
        projects: store::projects::count(reads).await?,
        hours: (first..).take(HOURS).map(|hour| sum(hour, &counts)).collect(),
    })
}

fn sum(hour: i64, counts: &[HourCount]) -> Hour {
    let total = |part: fn(&HourCount) -> i64| {
        let total: i64 = counts.iter().filter(|count| count.hour == hour).map(part).sum();
        u64::try_from(total).unwrap_or(0)
    };
    Hour {
        from: Timestamp::from_micros(hour * HOUR),
        sign_ins: total(|count| count.sign_ins),
        refused: total(|count| count.refused),
    }
}
