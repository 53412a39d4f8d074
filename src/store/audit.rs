//! The audit log: rows that are only ever added, in the transaction of what they record, each with a
//! hash over itself and the row before. Only retention takes rows away, from the oldest on.

mod chain;
mod hours;
mod question;

use std::fmt;
use std::net::IpAddr;

pub(super) use self::chain::chained;
pub(crate) use self::hours::{HourCount, count_hours};
pub(crate) use self::question::list;
pub use self::question::{Filter, Order, Whose};
use super::sql::{row, statements};
use super::{Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::audit::Event;
use crate::domain::error::{Error, Result};
use crate::domain::id::{UserId, hex, read_hex};

/// The newest row's place in [`POSITION`].
pub(super) const HEAD: &str = "head";
/// That of the last row that retention took away.
const TAIL: &str = "tail";

macro_rules! columns {
    () => {
        "seq, at, action, result, reason, actor, credential, credential_id, subject, subject_id, user_id, detail, \
         address, user_agent, via, times, hash"
    };
}
use columns;

/// The types of the columns, in their order; the last one is the hash over the others.
type Columns = (
    i64,
    Timestamp,
    String,
    String,
    Option<String>,
    Option<Vec<u8>>,
    String,
    Option<Vec<u8>>,
    Option<String>,
    Option<Vec<u8>>,
    Option<Vec<u8>>,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    i64,
    Vec<u8>,
);

statements! {
    /// Held from here to the commit, so that the order of rows is the order of commits.
    pub(super) POSITION: (String) -> (i64, Vec<u8>) = "select seq, hash from audit_chain where name = $1";
    pub(super) MOVE: (i64, Vec<u8>, String) -> () = "update audit_chain set seq = $1, hash = $2 where name = $3";
    pub(super) INSERT: (
        i64, Timestamp, String, String, Option<String>, Option<Vec<u8>>, String, Option<Vec<u8>>, Option<String>,
        Option<Vec<u8>>, Option<Vec<u8>>, Option<String>, Option<String>, Option<String>, String, i64, Vec<u8>
    ) -> () = concat!("insert into audit_log (", columns!(),
        ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)");
    AFTER: (i64, i64) -> Record = concat!("select ", columns!(), " from audit_log where seq > $1 order by seq limit $2");
    OLDEST: (i64) -> (i64, Timestamp, Vec<u8>) =
        "select seq, at, hash from audit_log where seq > $1 order by seq limit 500";
    /// The only statement that takes rows away.
    FORGET: (i64) -> () = "delete from audit_log where seq <= $1";
}

/// One row as it is kept. The words may be those of another version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number: one more than that of the row before.
    pub seq: i64,
    /// When, or when first.
    pub at: Timestamp,
    /// What was done, or asked for.
    pub action: String,
    /// `done` or `refused`.
    pub result: String,
    /// Why it was refused.
    pub reason: Option<String>,
    /// The user who did it.
    pub actor: Option<Vec<u8>>,
    /// By what right.
    pub credential: String,
    /// The id of that session or token.
    pub credential_id: Option<Vec<u8>>,
    /// What kind of thing it was done to.
    pub subject: Option<String>,
    /// The id of that.
    pub subject_id: Option<Vec<u8>>,
    /// The user whom it concerns.
    pub user_id: Option<Vec<u8>>,
    /// What exactly.
    pub detail: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The client's name of itself.
    pub user_agent: Option<String>,
    /// The dialect, or `cli`, or `server`.
    pub via: String,
    /// How often.
    pub times: i64,
    /// The hash over all this and the row before.
    pub hash: Vec<u8>,
}

row! {
    Record {
        seq: i64,
        at: Timestamp,
        action: String,
        result: String,
        reason: Option<String>,
        actor: Option<Vec<u8>>,
        credential: String,
        credential_id: Option<Vec<u8>>,
        subject: Option<String>,
        subject_id: Option<Vec<u8>>,
        user_id: Option<Vec<u8>>,
        detail: Option<String>,
        address: Option<String>,
        user_agent: Option<String>,
        via: String,
        times: i64,
        hash: Vec<u8>,
    }
}

/// An event on its way into the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// When, or when first; the moment of its commit where it is not said.
    pub at: Option<Timestamp>,
    /// How often.
    pub times: i64,
}

impl From<Event> for Entry {
    fn from(event: Event) -> Self {
        Self { event, at: None, times: 1 }
    }
}

/// The statements of the questions, for the tests of all.
#[cfg(test)]
pub(super) const QUESTIONS: &[super::sql::Described] = question::ALL;

/// The statements that count, for the same.
#[cfg(test)]
pub(super) const COUNTS: &[super::sql::Described] = hours::ALL;

/// A row's place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Its number; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Position {
    pub(super) fn new((seq, hash): (i64, Vec<u8>)) -> Self {
        Self { seq, hash }
    }

    /// Reads what was noted, as it is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (seq, hash) = text.trim().split_once(':')?;
        let seq = seq.parse().ok().filter(|seq| *seq >= 0)?;
        Some(Self { seq, hash: read_hex::<32>(hash.as_bytes())?.to_vec() })
    }
}

/// The number and the hash in hexadecimal digits, with a colon between.
impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seq, hex(&self.hash))
    }
}

/// Whoever finds no place in the chain has a damaged database.
pub(super) fn missing() -> Error {
    Error::Internal("the audit log has lost its head or tail".to_owned())
}

/// The word for how it went.
const fn result(is_refused: bool) -> &'static str {
    if is_refused { "refused" } else { "done" }
}

/// The row of an entry that follows on `before`.
fn record(before: &Position, entry: &Entry, now: Timestamp) -> Record {
    let event = &entry.event;
    Record {
        seq: before.seq + 1,
        at: entry.at.unwrap_or(now),
        action: event.action.as_str().to_owned(),
        result: result(event.refused.is_some()).to_owned(),
        reason: event.refused.map(|reason| reason.as_str().to_owned()),
        actor: event.actor.map(bytes),
        credential: event.means.as_str().to_owned(),
        credential_id: event.means.id().map(<[u8]>::to_vec),
        subject: event.subject.map(|subject| subject.as_str().to_owned()),
        subject_id: event.subject.map(|subject| subject.id().to_vec()),
        user_id: event.user.map(bytes),
        detail: event.detail.as_deref().map(str::to_owned),
        address: event.address.as_ref().map(IpAddr::to_string),
        user_agent: event.user_agent.clone(),
        via: event.via.to_owned(),
        times: entry.times,
        hash: Vec::new(),
    }
}

fn bytes(id: UserId) -> Vec<u8> {
    id.as_bytes().to_vec()
}

/// The newest row.
pub(crate) async fn head(reads: &Reads<'_>) -> Result<Position> {
    reads.first(&POSITION, (HEAD,)).await?.map(Position::new).ok_or_else(missing)
}

/// The last row that retention took away.
pub(crate) async fn tail(reads: &Reads<'_>) -> Result<Position> {
    reads.first(&POSITION, (TAIL,)).await?.map(Position::new).ok_or_else(missing)
}

/// At most `limit` rows behind `seq`, in their order.
pub(crate) async fn after(reads: &Reads<'_>, seq: i64, limit: i64) -> Result<Vec<Record>> {
    reads.all(&AFTER, (seq, limit)).await
}

/// Takes away rows from the oldest on, at most [`super::SWEPT_AT_ONCE`], up to the first that is not older than
/// `before`: a clock that was wrong for a while delays this and never hurries it. How many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    let tail = tail(tx).await?;
    let oldest = tx.all(&OLDEST, (tail.seq,)).await?;
    let old = oldest.into_iter().take_while(|(_, at, _)| *at < before);
    let mut count = 0;
    let Some((seq, _, hash)) = old.inspect(|_| count += 1).last() else { return Ok(0) };
    tx.execute(&FORGET, (seq,)).await?;
    tx.execute(&MOVE, (seq, hash.as_slice(), TAIL)).await?;
    Ok(count)
}
