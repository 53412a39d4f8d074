//! The feed: a row for each change of what a credential may do, in the order of commits.

use super::Tx;
use super::sql::{row, statements};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::{ProjectId, SessionId, UserId};

statements! {
    /// A transaction's last statements are this one and an [`INSERT`] for each change: the counter's row
    /// is held until the commit, which makes the order of numbers the order of commits.
    pub(super) RESERVE: (i64) -> () = "update counters set value = value + $1 where name = 'changes'";
    pub(super) INSERT: (i64, String, Vec<u8>, Timestamp) -> () = "insert into changes (seq, kind, id, at)
        select value - $1, $2, $3, $4 from counters where name = 'changes'";
    pub(super) SINCE: (i64) -> ChangeRow = "select seq, kind, id, at from changes where seq > $1 order by seq limit 10000";
    pub(super) AT: (i64) -> ChangeRow = "select seq, kind, id, at from changes where seq = $1";
    pub(super) POSITION: () -> (i64,) = "select value from counters where name = 'changes'";
    SWEEP: (Timestamp) -> () = "delete from changes where seq in (
        select seq from changes where at < $1 order by at limit 500)";
}

row! {
    /// One change as it is kept.
    #[derive(Clone, PartialEq, Eq)]
    pub(super) struct ChangeRow {
        seq: i64,
        kind: String,
        id: Vec<u8>,
        at: Timestamp,
    }
}

/// Something that a cache may hold and has to forget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
    /// The keys were rotated.
    Keys,
}

impl Change {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Token(_) => "token",
            Self::ForeignTokens => "foreign_tokens",
            Self::Session(_) => "session",
            Self::Project(_) => "project",
            Self::Keys => "keys",
        }
    }

    pub(crate) fn id(&self) -> &[u8] {
        match self {
            Self::User(id) => id.as_bytes(),
            Self::Token(hash) => hash,
            Self::ForeignTokens | Self::Keys => &[],
            Self::Session(id) => id.as_bytes(),
            Self::Project(id) => id.as_bytes(),
        }
    }

    /// Kinds that this version does not know are another version's business.
    pub(crate) fn read(kind: &str, id: &[u8]) -> Option<Self> {
        match kind {
            "user" => id.try_into().ok().map(|id| Self::User(UserId::from_bytes(id))),
            "token" => id.try_into().ok().map(Self::Token),
            "foreign_tokens" => Some(Self::ForeignTokens),
            "session" => id.try_into().ok().map(|id| Self::Session(SessionId::from_bytes(id))),
            "keys" => Some(Self::Keys),
            "project" => id.try_into().ok().map(|id| Self::Project(ProjectId::from_bytes(id))),
            _ => None,
        }
    }
}

/// What [`RESERVE`] is given for the changes of one transaction; `None` where there are none.
pub(super) fn reserve(changes: &[Change]) -> Option<(i64,)> {
    i64::try_from(changes.len()).ok().filter(|count| *count > 0).map(|count| (count,))
}

/// What [`INSERT`] is given for each change: how many come after it, first.
pub(super) fn rows(changes: &[Change], now: Timestamp) -> impl Iterator<Item = (i64, &str, &[u8], Timestamp)> {
    let rest = (0..i64::try_from(changes.len()).unwrap_or_default()).rev();
    rest.zip(changes).map(move |(rest, change)| (rest, change.kind(), change.id(), now))
}

/// Deletes some rows written before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
///
/// # Errors
///
/// That the store cannot be used.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
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

/// How far a follower has heard.
#[derive(Clone, Copy)]
pub(super) struct Progress {
    last: i64,
}

/// What one look gave.
pub(super) enum Step {
    /// Everything up to now.
    All(Vec<Change>),
    /// There is more.
    More(Vec<Change>),
    /// Some were swept away before they were heard; once everything in memory was doubted, it goes on
    /// from here.
    Missed(Progress),
}

impl Progress {
    /// Everything up to this number is heard.
    pub(super) const fn from(last: i64) -> Self {
        Self { last }
    }

    /// The number of the last change that was heard.
    pub(super) const fn last(self) -> i64 {
        self.last
    }

    /// Takes what [`SINCE`] gave, where the counter stood at `position` before.
    pub(super) fn advance(&mut self, position: i64, rows: &[ChangeRow]) -> Step {
        if position < self.last {
            // What was heard of is gone: this is an older copy of the database.
            return Step::Missed(Self::from(position));
        }
        let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let last = rows.last().map_or(self.last, |row| row.seq);
        // Numbers have no gaps: rows that are missing were swept away before they were heard.
        if last - self.last != count || last < position && count < BATCH {
            return Step::Missed(Self { last: last.max(position) });
        }
        self.last = last;
        let changes = rows.iter().filter_map(|row| Change::read(&row.kind, &row.id)).collect();
        if count < BATCH { Step::All(changes) } else { Step::More(changes) }
    }
}

/// What is heard by who has heard all up to `last` of rows of a number, kind and id, where the counter stands at
/// `position`: up to where it goes on from, and what is new, if nothing was missed.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn heard(last: i64, position: i64, rows: &[(i64, &str, &[u8])]) -> (i64, Option<Vec<Change>>) {
    let row = |(seq, kind, id): &(i64, &str, &[u8])| {
        let at = Timestamp::from_seconds(0);
        ChangeRow { seq: *seq, kind: (*kind).to_owned(), id: id.to_vec(), at }
    };
    let rows: Vec<_> = rows.iter().map(row).collect();
    let mut progress = Progress::from(last);
    match progress.advance(position, &rows) {
        Step::All(changes) | Step::More(changes) => (progress.last(), Some(changes)),
        Step::Missed(from) => (from.last(), None),
    }
}
