//! Mails that wait to be sent. Of several servers that look for one, each gets another: whoever takes a mail moves the
//! moment at which it is due, and has it alone until then.

use super::sql::{row, statements};
use super::{Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::MailId;

statements! {
    INSERT: (MailId, Vec<u8>, Timestamp, Timestamp) -> () = "insert into mails
        (id, sealed, created_at, due_at, expires_at, attempts, sending, failure)
        values ($1, $2, $3, $3, $4, 0, false, null)";
    NEXT: () -> (Timestamp, Timestamp) = "select due_at, expires_at from mails order by due_at limit 1";
    PARK: (Timestamp, Timestamp) -> () = "update mails set due_at = $1, sending = false
        where due_at <= $2 and id in (
            select id from mails where due_at <= $2 and expires_at <= $2 order by due_at limit 500)";
    // The condition stands twice: whoever waited for another's commit looks at the row again, and at nothing else.
    CLAIM: (Timestamp, Timestamp) -> ClaimedMail = "update mails
        set due_at = $1, attempts = attempts + 1, sending = true
        where due_at <= $2 and id in (
            select id from mails where due_at <= $2 and expires_at > $2 order by due_at limit 1)
        returning id, sealed, attempts, expires_at";
    DELETE: (MailId) -> () = "delete from mails where id = $1";
    POSTPONE: (Timestamp, String, MailId, i64) -> () = "update mails
        set due_at = $1, sending = false, failure = $2 where id = $3 and attempts = $4";
    LIST: (i64) -> WaitingMail = "select id, sealed, created_at, due_at, expires_at, attempts, sending, failure
        from mails order by due_at limit $1";
    HURRY: (Timestamp, MailId) -> () =
        "update mails set due_at = $1 where due_at > $1 and sending = false and id = $2";
    HURRY_ALL: (Timestamp) -> () = "update mails set due_at = $1 where due_at > $1 and sending = false";
    SWEEP: (Timestamp) -> () = "delete from mails where id in (
        select id from mails where expires_at < $1 order by expires_at limit 500)";
}

/// When mails are due that will not be sent any more: behind all others, until they are swept.
pub(crate) const NEVER: Timestamp = Timestamp::from_micros(i64::MAX);

/// The mail that is due next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Next {
    /// When it is; that may be past.
    pub(crate) due_at: Timestamp,
    /// When it is worthless; that may be past, too.
    pub(crate) expires_at: Timestamp,
}

/// A mail to be sent.
#[derive(Clone)]
pub struct NewMail {
    /// The id it gets.
    pub id: MailId,
    /// Recipient and message, sealed.
    pub sealed: Vec<u8>,
    /// Now; it is due at once.
    pub created_at: Timestamp,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// A mail that nobody else sends for now.
pub struct ClaimedMail {
    /// Its id.
    pub id: MailId,
    /// Recipient and message, sealed.
    pub sealed: Vec<u8>,
    /// How many times it was claimed, this time included.
    pub attempts: i64,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

row! {
    ClaimedMail {
        id: MailId,
        sealed: Vec<u8>,
        attempts: i64,
        expires_at: Timestamp,
    }
}

/// A mail that waits.
pub struct WaitingMail {
    /// Its id.
    pub id: MailId,
    /// Recipient and message, sealed.
    pub sealed: Vec<u8>,
    /// Since when it waits.
    pub created_at: Timestamp,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// When it is worthless.
    pub expires_at: Timestamp,
    /// How many times it was tried.
    pub attempts: i64,
    /// Whether somebody is sending it, or was when their process ended.
    pub sending: bool,
    /// What failed the last time.
    pub failure: Option<String>,
}

row! {
    WaitingMail {
        id: MailId,
        sealed: Vec<u8>,
        created_at: Timestamp,
        due_at: Timestamp,
        expires_at: Timestamp,
        attempts: i64,
        sending: bool,
        failure: Option<String>,
    }
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &NewMail) -> Result<()> {
    tx.execute(&INSERT, (new.id, new.sealed.as_slice(), new.created_at, new.expires_at)).await.map(drop)
}

/// The mail that is due next, if any waits at all.
pub(crate) async fn next(reads: &Reads<'_>) -> Result<Option<Next>> {
    let next = reads.first(&NEXT, ()).await?.map(|(due_at, expires_at)| Next { due_at, expires_at });
    Ok(next.filter(|next| next.due_at < NEVER))
}

/// Puts mails that are due and worthless behind all others, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn park(tx: &Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&PARK, (NEVER, now)).await
}

/// Takes a mail that is due, for oneself until `until`. `None` where there is none, or another was faster.
pub(crate) async fn claim(tx: &Tx<'_>, now: Timestamp, until: Timestamp) -> Result<Option<ClaimedMail>> {
    tx.first(&CLAIM, (until, now)).await
}

/// Forgets a mail that was sent, or never will be.
pub(crate) async fn delete(tx: &Tx<'_>, id: MailId) -> Result<()> {
    tx.execute(&DELETE, (id,)).await.map(drop)
}

/// Puts a mail back until `due`, with what failed; unless another has taken it since the attempt of that number.
pub(crate) async fn postpone(tx: &Tx<'_>, id: MailId, attempts: i64, due: Timestamp, failure: &str) -> Result<()> {
    tx.execute(&POSTPONE, (due, failure, id, attempts)).await.map(drop)
}

/// At most `limit` mails that wait, the next one first.
pub(crate) async fn list(reads: &Reads<'_>, limit: i64) -> Result<Vec<WaitingMail>> {
    reads.all(&LIST, (limit,)).await
}

/// Makes one mail due, or all; how many there were. Those that are being sent stay as they are.
pub(crate) async fn hurry(tx: &Tx<'_>, id: Option<MailId>, now: Timestamp) -> Result<u64> {
    match id {
        Some(id) => tx.execute(&HURRY, (now, id)).await,
        None => tx.execute(&HURRY_ALL, (now,)).await,
    }
}

/// Deletes some mails that were worthless before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
}
