//! The feed: a row for each change of what a credential may do, in the order of commits.

use rusqlite::Connection;

use super::Tx;
use super::sql::{self, Statement, statements};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, SessionId, UserId};

statements! {
    RESERVE: (i64) -> (i64,) = "update counters set value = value + $1 where name = 'changes' returning value";
    INSERT: (i64, String, Vec<u8>, Timestamp) -> () = "insert into changes (seq, kind, id, at) values ($1, $2, $3, $4)";
    SINCE: (i64) -> (i64, String, Vec<u8>) = "select seq, kind, id from changes where seq > $1 order by seq limit 10000";
    POSITION: () -> (i64,) = "select value from counters where name = 'changes'";
    SWEEP: (Timestamp, i64) -> () = "delete from changes where seq in (
        select seq from changes where at < $1 order by at limit $2)";
}

/// Something that a cache may hold and has to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A user was changed, disabled or deleted, or all their sessions ended.
    User(UserId),
    /// An API token was deleted; by the hash that it is looked up by.
    Token([u8; 32]),
    /// The set of tokens of foreign form changed.
    ForeignTokens,
    /// A session ended.
    Session(SessionId),
    /// A project was deleted, or whom it is shared with changed.
    Project(ProjectId),
}

impl Change {
    const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::ForeignTokens => "foreign_tokens",
            Self::Session(_) => "session",
            Self::Project(_) => "project",
        }
    }

    fn id(&self) -> &[u8] {
        match self {
            Self::User(id) => id.as_bytes(),
            Self::Token(hash) => hash,
            Self::ForeignTokens => &[],
            Self::Session(id) => id.as_bytes(),
            Self::Project(id) => id.as_bytes(),
        }
    }

    /// Kinds that this version does not know are another version's business.
    fn read(kind: &str, id: &[u8]) -> Option<Self> {
        match kind {
            "user" => id.try_into().ok().map(|id| Self::User(UserId::from_bytes(id))),
            "token" => id.try_into().ok().map(Self::Token),
            "foreign_tokens" => Some(Self::ForeignTokens),
            "session" => id.try_into().ok().map(|id| Self::Session(SessionId::from_bytes(id))),
            "project" => id.try_into().ok().map(|id| Self::Project(ProjectId::from_bytes(id))),
            _ => None,
        }
    }
}

/// Numbers and writes the changes of one job, as the last statements of its savepoint: the
/// counter's row makes the order of numbers the order of commits.
pub(super) fn insert(connection: &Connection, changes: &[Change], now: Timestamp) -> Result<()> {
    let Ok(count @ 1..) = i64::try_from(changes.len()) else { return Ok(()) };
    let last = only(connection, &RESERVE, &(count,))?;
    for (seq, change) in (last - count + 1..).zip(changes) {
        sql::execute(connection, &INSERT, &(seq, change.kind(), change.id(), now))?;
    }
    Ok(())
}

fn only<P: sql::Parameters>(
    connection: &Connection,
    statement: &Statement<P, (i64,)>,
    inputs: &P::Inputs<'_>,
) -> Result<i64> {
    let mut found = None;
    sql::rows(connection, statement, inputs, |(value,)| found = Some(value))?;
    found.ok_or_else(|| Error::Internal("the counter of changes is missing".to_owned()))
}

/// Deletes at most `limit` rows written before `before`; how many there were.
///
/// # Errors
///
/// That the store cannot be used.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp, limit: i64) -> Result<u64> {
    tx.execute(&SWEEP, (before, limit)).await
}

/// How many rows one look at the feed reads. The text of [`SINCE`] says the same.
const BATCH: i64 = 10_000;

/// What a look at the feed found.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// All there is, oldest first.
    Changes(Vec<Change>),
    /// The oldest of more than one look reads.
    More(Vec<Change>),
    /// Some were swept away before they were read: nothing in memory may be believed. These
    /// sessions ended since the moment that was asked for.
    Missed(Vec<(SessionId, Timestamp)>),
}

/// Follows the changes that any process commits.
pub struct Tail {
    connection: Connection,
    seen_version: i64,
    last: i64,
}

impl Tail {
    pub(super) fn new(connection: Connection) -> Result<Self> {
        let last = only(&connection, &POSITION, &())?;
        Ok(Self { connection, seen_version: -1, last })
    }

    /// What was committed since the last call. Costs a look at shared memory when that is
    /// nothing. Where some was missed, the sessions that ended after `since` come instead.
    ///
    /// # Errors
    ///
    /// That the store cannot be used; the next call continues where this one was.
    pub fn poll(&mut self, since: Timestamp) -> Result<News> {
        let version: i64 = self
            .connection
            .query_row("pragma data_version", (), |row| row.get(0))
            .map_err(|error| sql::fault(&error))?;
        if version == self.seen_version {
            return Ok(News::Changes(Vec::new()));
        }
        // The counter first: a row that is committed after it is read next time.
        let position = only(&self.connection, &POSITION, &())?;
        let mut changes = Vec::new();
        let (mut count, mut last) = (0, self.last);
        sql::rows(&self.connection, &SINCE, &(self.last,), |(seq, kind, id): (i64, String, Vec<u8>)| {
            count += 1;
            last = seq;
            changes.extend(Change::read(&kind, &id));
        })?;
        // Numbers have no gaps: rows that are missing were swept away before they were heard.
        let missed = last - self.last != count || last < position && count < BATCH;
        if missed {
            let ended = super::sessions::ended_since(&self.connection, since)?;
            self.last = last.max(position);
            return Ok(News::Missed(ended));
        }
        self.last = last;
        if count < BATCH {
            self.seen_version = version;
            return Ok(News::Changes(changes));
        }
        Ok(News::More(changes))
    }
}
