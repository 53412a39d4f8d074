//! Follows the changes that any node commits, on a connection of its own with a runtime of its own:
//! however busy the node is, what ended is heard of.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::There;
use super::connect::Connector;
use super::failure::{Failure, Meaning};
use super::herald;
use super::link::{Bound, Link, Lock};
use crate::clock::{Clock, Timestamp};
use crate::domain::error::{Error, Result};
use crate::domain::id::SessionId;
use crate::store::changes::{self, ChangeRow, News, Progress, Step};
use crate::store::sessions;
use crate::store::sql::{Parameters, Row, Statement, unreadable};

/// The counter, and the moment by the database's clock.
const LOOK: &str = "select value, (extract(epoch from clock_timestamp()) * 1000000)::bigint
    from counters where name = 'changes'";
const BEGUN: &str = "select pg_postmaster_start_time()::text";
const CLOCK: &str = "select (extract(epoch from clock_timestamp()) * 1000000)::bigint";

/// A follower.
pub(in crate::store) struct Tail {
    /// None once it is being dropped.
    runtime: Option<Runtime>,
    connector: Connector,
    clock: Clock,
    link: Option<Link>,
    progress: Progress,
    mark: Mark,
}

/// What the database is known by that is followed. A standby that took over may not have heard all:
/// then it is another one, and so is what a restored backup became.
struct Mark {
    /// The last change that was heard of, as it was written.
    last: Option<ChangeRow>,
    /// When the server began, in its own words; `None` before the first look, and on engines that do
    /// not say.
    begun: Option<String>,
    is_first: bool,
}

impl Tail {
    pub(super) async fn new(connector: Connector, clock: Clock, there: There<'_>) -> Result<Self> {
        let (position,) = there
            .first(&changes::POSITION, ())
            .await?
            .ok_or_else(|| Error::Internal("the counter of changes is missing".to_owned()))?;
        let last = there.first(&changes::AT, (position,)).await?;
        let mark = Mark { last, begun: None, is_first: true };
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::Internal(format!("no runtime for the feed: {error}")))?;
        Ok(Self { runtime: Some(runtime), connector, clock, link: None, progress: Progress::from(position), mark })
    }

    /// What was committed since the last call.
    pub(in crate::store) fn poll(&mut self, since: Timestamp) -> Result<News> {
        let Self { runtime, connector, clock, link, progress, mark } = self;
        let mut follower = Follower { connector, clock, link, progress, mark };
        let runtime = runtime.as_ref().ok_or_else(|| Error::Internal("the feed has ended".to_owned()))?;
        Ok(runtime.block_on(follower.look(since))?)
    }

    /// Waits for an announcement, at most so long.
    pub(in crate::store) fn wait(&mut self, longest: Duration) {
        let Some(runtime) = &self.runtime else { return };
        let link = self.link.as_ref();
        runtime.block_on(async {
            let heard = async {
                match link {
                    Some(link) => link.notice().await,
                    None => std::future::pending().await,
                }
            };
            // Heard or not, the next look follows.
            let _ = timeout(longest, heard).await;
        });
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        // On a thread that drives another runtime, nobody may wait for this one's end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The parts of a tail while it looks: its runtime is busy with that.
struct Follower<'t> {
    connector: &'t Connector,
    clock: &'t Clock,
    link: &'t mut Option<Link>,
    progress: &'t mut Progress,
    mark: &'t mut Mark,
}

impl Follower<'_> {
    async fn look(&mut self, since: Timestamp) -> Result<News, Failure> {
        let looked = match self.link.take() {
            Some(link) if link.is_open() => self.look_on(&link, since).await.map(|news| (link, news)),
            _ => self.look_anew(since).await,
        };
        // After a failure the next look is on a new connection.
        looked.map(|(link, news)| {
            *self.link = Some(link);
            news
        })
    }

    /// On a new connection, which may lead to another server.
    async fn look_anew(&mut self, since: Timestamp) -> Result<(Link, News), Failure> {
        let link = Link::open(self.connector).await?;
        match link.command(herald::LISTEN).await {
            Err(failure) if failure.meaning == Meaning::Lost => return Err(failure),
            // An engine without announcements is looked at now and then.
            _ => {}
        }
        let last: Option<ChangeRow> = rows(&link, &changes::AT, (self.progress.last(),)).await?.pop();
        let begun = begun(&link).await?;
        let is_the_same = self.mark.is_first || begun.is_some() && begun == self.mark.begun;
        let news = if is_the_same && last == self.mark.last {
            self.look_on(&link, since).await?
        } else {
            let position = counter(&link, self.clock).await?;
            self.doubt(&link, Progress::from(position), since).await?
        };
        // Only now: what could not be doubted yet is doubted at the next look.
        (self.mark.begun, self.mark.is_first) = (begun, false);
        Ok((link, news))
    }

    async fn look_on(&mut self, link: &Link, since: Timestamp) -> Result<News, Failure> {
        let position = counter(link, self.clock).await?;
        if position == self.progress.last() {
            return Ok(News::Changes(Vec::new()));
        }
        let rows = rows(link, &changes::SINCE, (self.progress.last(),)).await?;
        match self.progress.advance(position, &rows) {
            Step::All(changes) => {
                self.remember(rows.last());
                Ok(News::Changes(changes))
            }
            Step::More(changes) => {
                self.remember(rows.last());
                Ok(News::More(changes))
            }
            Step::Missed(next) => self.doubt(link, next, since).await,
        }
    }

    fn remember(&mut self, last: Option<&ChangeRow>) {
        if let Some(last) = last {
            self.mark.last = Some(last.clone());
        }
    }

    /// Goes on from `next`, with all that was believed in doubt.
    async fn doubt(&mut self, link: &Link, next: Progress, since: Timestamp) -> Result<News, Failure> {
        let last = rows(link, &changes::AT, (next.last(),)).await?.pop();
        let ended: Vec<(SessionId, Timestamp)> = rows(link, &sessions::ENDED_SINCE, (since,)).await?;
        (*self.progress, self.mark.last) = (next, last);
        Ok(News::Missed(ended))
    }
}

async fn rows<P: Parameters, R: Row>(
    link: &Link,
    statement: &Statement<P, R>,
    inputs: P::Inputs<'_>,
) -> Result<Vec<R>, Failure> {
    let values = P::values(&inputs);
    let rows = link.rows(Bound::of(statement, values.as_ref(), Lock::None)).await?;
    rows.iter().map(|row| read(row, statement.text)).collect()
}

fn read<R: Row>(row: &tokio_postgres::Row, text: &'static str) -> Result<R, Failure> {
    R::read(row).map_err(|index| Failure::new(Meaning::Refused, unreadable(text, index).to_string()))
}

/// When the server began; `None` where the engine does not say.
async fn begun(link: &Link) -> Result<Option<String>, Failure> {
    match link.rows(Bound { text: BEGUN, lock: Lock::None, kinds: &[], values: &[] }).await {
        Ok(rows) => Ok(rows.first().map(|row| read::<(String,)>(row, BEGUN)).transpose()?.map(|(begun,)| begun)),
        Err(failure) if failure.meaning == Meaning::Lost => Err(failure),
        Err(_) => Ok(None),
    }
}

/// Where the counter stands; on the way, the clock is set.
async fn counter(link: &Link, clock: &Clock) -> Result<i64, Failure> {
    let sent = clock.own();
    let rows = link.rows(Bound { text: LOOK, lock: Lock::None, kinds: &[], values: &[] }).await?;
    let row = rows.first().ok_or_else(|| Failure::new(Meaning::Refused, "the counter of changes is missing"))?;
    let (position, there) = read::<(i64, i64)>(row, LOOK)?;
    clock.follow(Timestamp::from_micros(there), sent);
    Ok(position)
}

/// Sets the clock by the database's, so that all nodes judge times alike.
pub(super) async fn set_clock(link: &Link, clock: &Clock) -> Result<(), Failure> {
    let sent = clock.own();
    for row in link.rows(Bound { text: CLOCK, lock: Lock::None, kinds: &[], values: &[] }).await? {
        clock.follow(Timestamp::from_micros(read::<(i64,)>(&row, CLOCK)?.0), sent);
    }
    Ok(())
}
