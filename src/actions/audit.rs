//! The audit log: asked, checked, and given the refusals that wait.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::error::Result;
use crate::store::{self, Reads, Tx};
pub use crate::store::{Filter, Order, Position, Record, Whose};

/// How long refusals wait, so that those of a flood are written together.
const PAUSE: Duration = Duration::from_millis(250);
/// How often the log's head is said.
const SAID_EVERY: Duration = Duration::from_hours(1);
/// How many rows are checked at once.
const BATCH: i64 = 1_000;

/// At most `limit` rows of the log that fit, behind the row `after`, for an administrator.
///
/// # Errors
///
/// [`crate::domain::error::Error::Forbidden`], or that the store cannot be used.
pub async fn list(
    app: &App,
    caller: &Caller,
    filter: &Filter,
    (order, after): (Order, Option<i64>),
    limit: usize,
) -> Result<Vec<Record>> {
    caller.require_admin()?;
    store::audit::list(&app.store().reads(), filter, (order, after), limit).await
}

/// What a check of the whole log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every row is as it was written, and none is missing between these.
    Whole {
        /// How many there are.
        rows: u64,
        /// The last one that retention took away.
        tail: Position,
        /// The newest one.
        head: Position,
    },
    /// It is not what was written, from this row on.
    Broken {
        /// The row.
        seq: i64,
        /// What is wrong.
        fault: Fault,
    },
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not there.
    Missing,
    /// It, or the hash before it, is not what was written.
    Altered,
    /// The log's head does not fit to it.
    NotTheHead,
    /// It lies behind the head: it was not added by a server.
    BehindTheHead,
    /// It is not the one that was noted.
    NotAsNoted,
    /// It was noted, and is no longer there to be compared: retention took it away, or somebody else.
    TakenAway,
}

/// Checks the whole log, and that it has the row that was noted at another time, for an administrator.
///
/// # Errors
///
/// [`crate::domain::error::Error::Forbidden`], or that the store cannot be used.
pub async fn verify(app: &App, caller: &Caller, noted: Option<&Position>) -> Result<Verdict> {
    caller.require_admin()?;
    let reads = app.store().reads();
    let tail = store::audit::tail(&reads).await?;
    let mut walk = Walk { noted, rows: 0, place: tail.clone() };
    let head = store::audit::head(&reads).await?;
    let broken = match walk.begin() {
        Some(broken) => Some(broken),
        None => walk.go_to(&reads, &head).await?,
    };
    let broken = match broken {
        Some(broken) => Some(broken),
        None => behind(&reads, &head).await?,
    };
    let noted_ahead = noted.filter(|noted| noted.seq > walk.place.seq).map(|noted| (noted.seq, Fault::Missing));
    Ok(match broken.or(noted_ahead) {
        Some((seq, fault)) => Verdict::Broken { seq, fault },
        None => Verdict::Whole { rows: walk.rows, tail, head: walk.place },
    })
}

type Broken = Option<(i64, Fault)>;

/// A walk through the chain.
struct Walk<'n> {
    noted: Option<&'n Position>,
    rows: u64,
    /// The last row that was found to be as it was written.
    place: Position,
}

impl Walk<'_> {
    /// At the tail, behind which the rows are.
    fn begin(&self) -> Broken {
        let noted = self.noted?;
        if noted.seq < self.place.seq { Some((noted.seq, Fault::TakenAway)) } else { self.compare() }
    }

    fn compare(&self) -> Broken {
        let noted = self.noted.filter(|noted| noted.seq == self.place.seq && **noted != self.place);
        noted.map(|noted| (noted.seq, Fault::NotAsNoted))
    }

    async fn go_to(&mut self, reads: &Reads<'_>, head: &Position) -> Result<Broken> {
        while self.place.seq < head.seq {
            let rows = store::audit::after(reads, self.place.seq, BATCH.min(head.seq - self.place.seq)).await?;
            let mut found = if rows.is_empty() { Some((self.place.seq + 1, Fault::Missing)) } else { None };
            for row in &rows {
                found = self.step(row);
                if found.is_some() {
                    break;
                }
            }
            // Retention may have taken away what is missing while this was on its way.
            if let Some(broken) = found {
                let tail = store::audit::tail(reads).await?;
                if tail.seq <= self.place.seq {
                    return Ok(Some(broken));
                }
                self.place = tail;
                if let Some(broken) = self.begin() {
                    return Ok(Some(broken));
                }
            }
        }
        Ok((self.place != *head).then_some((head.seq, Fault::NotTheHead)))
    }

    fn step(&mut self, row: &Record) -> Broken {
        let next = self.place.seq + 1;
        if row.seq != next {
            return Some((next, Fault::Missing));
        }
        if !row.follows(&self.place) {
            return Some((next, Fault::Altered));
        }
        self.place = row.position();
        self.rows += 1;
        self.compare()
    }
}

/// Rows that are behind the head while the head stays where it is.
async fn behind(reads: &Reads<'_>, head: &Position) -> Result<Broken> {
    let rows = store::audit::after(reads, head.seq, 1).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let moved = store::audit::head(reads).await?.seq > head.seq;
    Ok((!moved).then_some((row.seq, Fault::BehindTheHead)))
}

/// Writes refusals whenever some wait, and says the log's head now and then, until told to stop.
pub async fn keep(app: App, mut stop: watch::Receiver<bool>) {
    say_head(&app).await;
    let (mut said, mut is_failing) = (Instant::now(), false);
    loop {
        let some_wait = tokio::select! {
            () = app.audit().arrived() => true,
            () = tokio::time::sleep(SAID_EVERY.saturating_sub(said.elapsed())) => false,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        if !some_wait {
            said = Instant::now();
            say_head(&app).await;
            continue;
        }
        if tokio::time::timeout(PAUSE, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
        let written = write_refusals(&app).await;
        if let (Err(error), false) = (&written, is_failing) {
            tracing::warn!(%error, "refusals cannot be written into the audit log; they wait");
        }
        is_failing = written.is_err();
    }
}

/// Writes the last refusals, and says the log's head.
pub async fn finish(app: &App) {
    if let Err(error) = write_refusals(app).await {
        tracing::warn!(%error, "the last refusals could not be written into the audit log");
    }
    say_head(app).await;
}

/// Writes the refusals that wait.
///
/// # Errors
///
/// That the store cannot be used; then they go on waiting.
pub async fn write_refusals(app: &App) -> Result<()> {
    let entries = Arc::new(app.audit().take());
    if entries.is_empty() {
        return Ok(());
    }
    let written = Arc::clone(&entries);
    let write = async move |tx: &Tx<'_>| {
        for entry in written.iter() {
            tx.audit(entry.clone());
        }
        Ok(())
    };
    app.store().write(write).await.inspect_err(|_| app.audit().put_back(&entries))
}

/// Says where the log is: whoever keeps what servers say can tell later whether it was written anew.
async fn say_head(app: &App) {
    match store::audit::head(&app.store().reads()).await {
        Ok(head) => tracing::info!(target: "doorward::audit", %head, "the head of the audit log"),
        Err(error) => tracing::warn!(%error, "the head of the audit log cannot be read"),
    }
}
