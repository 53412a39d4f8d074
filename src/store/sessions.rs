//! Sessions: a row each, whose generation only ever moves forward.

use super::sql::{row, statements};
use super::{Change, Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{Dialect, Session};
use crate::domain::user::Status;

macro_rules! columns {
    () => {
        "id, user_id, dialect, created_at, last_used_at, expires_at, generation, key_id, rotated_at, ended_at, \
         address, user_agent"
    };
}

statements! {
    BY_ID: (SessionId) -> Session = concat!("select ", columns!(), " from sessions where id = $1");
    LIVE_OF_USER: (UserId, Timestamp) -> Session = concat!("select ", columns!(),
        " from sessions where user_id = $1 and ended_at is null and expires_at > $2 order by id");
    NEWEST_LIVE: (Timestamp, SessionId) -> Session = concat!("select ", columns!(), " from sessions
        where ended_at is null and expires_at > $1 and id <= $2 order by id desc limit 101");
    NEWEST_LIVE_OF_USER: (UserId, Timestamp, SessionId) -> Session = concat!("select ", columns!(), " from sessions
        where user_id = $1 and ended_at is null and expires_at > $2 and id <= $3 order by id desc limit 101");
    NEWEST_OF_USER: (UserId, SessionId) -> Session = concat!("select ", columns!(), " from sessions
        where user_id = $1 and id <= $2 order by id desc limit 101");
    /// `coalesce` keeps the index of expiries out of it: that does not say which ones were ended.
    COUNT_LIVE: (Timestamp) -> (i64,) =
        "select count(*) from sessions where ended_at is null and coalesce(expires_at, 0) > $1";
    UNENDED_OF_USER: (UserId, SessionId) -> (SessionId, Timestamp) = "select id, expires_at from sessions
        where user_id = $1 and ended_at is null and id > $2 order by id limit 500";
    pub(super) ENDED_SINCE: (Timestamp) -> (SessionId, Timestamp) =
        "select id, ended_at from sessions where ended_at > $1";
    INSERT: (
        SessionId, UserId, Dialect, Timestamp, Timestamp, Timestamp, i64, Timestamp, Option<String>, Option<String>
    ) -> () = "insert into sessions (id, user_id, dialect, created_at, last_used_at, expires_at, generation, key_id,
            rotated_at, address, user_agent)
        values ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)";
    STANDING: (SessionId) -> Standing = "select sessions.user_id, sessions.dialect, sessions.created_at,
            sessions.expires_at, sessions.generation, sessions.key_id, sessions.rotated_at, sessions.ended_at,
            users.status, users.credential_version
        from sessions join users on users.id = sessions.user_id where sessions.id = $1";
    ADVANCE: (i64, Timestamp, SessionId, i64) -> () = "update sessions
        set generation = generation + 1, key_id = $1, rotated_at = $2, last_used_at = $2
        where id = $3 and generation = $4 and ended_at is null";
    TOUCH: (Timestamp, Timestamp, SessionId) -> () =
        "update sessions set last_used_at = $1, expires_at = $2 where id = $3 and ended_at is null";
    END: (Timestamp, SessionId) -> () =
        "update sessions set ended_at = $1 where id = $2 and ended_at is null";
    END_OF_USER: (Timestamp, UserId) -> () =
        "update sessions set ended_at = $1 where user_id = $2 and ended_at is null";
    SWEEP: (Timestamp) -> () = "delete from sessions where id in (
        select id from sessions where expires_at < $1 order by expires_at limit 500)";
    SWEEP_ENDED: (Timestamp) -> () = "delete from sessions where id in (
        select id from sessions where ended_at < $1 order by ended_at limit 500)";
}

row! {
    Session {
        id: SessionId,
        user_id: UserId,
        dialect: Dialect,
        created_at: Timestamp,
        last_used_at: Timestamp,
        expires_at: Timestamp,
        generation: i64,
        key_id: i64,
        rotated_at: Timestamp,
        ended_at: Option<Timestamp>,
        address: Option<String>,
        user_agent: Option<String>,
    }
}

row! {
    /// What decides whether a session goes on: its own state, and its user's.
    pub(crate) struct Standing {
        user_id: UserId,
        dialect: Dialect,
        created_at: Timestamp,
        expires_at: Timestamp,
        generation: i64,
        key_id: i64,
        rotated_at: Timestamp,
        ended_at: Option<Timestamp>,
        status: Status,
        credential_version: i64,
    }
}

/// A session to be inserted, at generation 0.
#[derive(Clone)]
pub struct NewSession<'n> {
    /// The id it gets.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it begins.
    pub dialect: Dialect,
    /// Now.
    pub created_at: Timestamp,
    /// When it is over whatever happens.
    pub expires_at: Timestamp,
    /// The root key of its first refresh token.
    pub key_id: i64,
    /// The client's address.
    pub address: Option<&'n str>,
    /// The client's name of itself.
    pub user_agent: Option<&'n str>,
}

pub(crate) async fn find(reads: &Reads<'_>, id: SessionId) -> Result<Option<Session>> {
    reads.first(&BY_ID, (id,)).await
}

/// The user's sessions that can still be used.
pub(crate) async fn list_live(reads: &Reads<'_>, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
    reads.all(&LIVE_OF_USER, (user, now)).await
}

/// The next [`super::users::search::FOUND_AT_ONCE`] live sessions from `from` on, of a user or of all,
/// the newest first.
pub(crate) async fn newest_live(
    reads: &Reads<'_>,
    user: Option<UserId>,
    now: Timestamp,
    from: SessionId,
) -> Result<Vec<Session>> {
    match user {
        Some(user) => reads.all(&NEWEST_LIVE_OF_USER, (user, now, from)).await,
        None => reads.all(&NEWEST_LIVE, (now, from)).await,
    }
}

/// The next [`super::users::search::FOUND_AT_ONCE`] sessions of a user from `from` on, those that are over
/// too, the newest first.
pub(crate) async fn newest_of_user(reads: &Reads<'_>, user: UserId, from: SessionId) -> Result<Vec<Session>> {
    reads.all(&NEWEST_OF_USER, (user, from)).await
}

/// How many sessions can be used.
pub(crate) async fn count_live(reads: &Reads<'_>, now: Timestamp) -> Result<u64> {
    reads.count(&COUNT_LIVE, (now,)).await
}

/// How many sessions [`list_unended`] gives at the most: few enough that nobody waits for who ends them.
pub(crate) const UNENDED_AT_ONCE: usize = 500;

/// The user's sessions behind `after` that nobody ended, with the moment at which each is over by itself.
pub(crate) async fn list_unended(
    reads: &Reads<'_>,
    user: UserId,
    after: SessionId,
) -> Result<Vec<(SessionId, Timestamp)>> {
    reads.all(&UNENDED_OF_USER, (user, after)).await
}

/// The sessions that ended after `since`, with the moment.
pub(crate) async fn list_ended(reads: &Reads<'_>, since: Timestamp) -> Result<Vec<(SessionId, Timestamp)>> {
    reads.all(&ENDED_SINCE, (since,)).await
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &NewSession<'_>) -> Result<()> {
    tx.execute(
        &INSERT,
        (
            new.id,
            new.user_id,
            new.dialect,
            new.created_at,
            new.created_at,
            new.expires_at,
            new.key_id,
            new.created_at,
            new.address,
            new.user_agent,
        ),
    )
    .await
    .map(drop)
}

/// What decides whether a session goes on; `None` where there is none.
pub(crate) async fn find_standing(reads: &Reads<'_>, id: SessionId) -> Result<Option<Standing>> {
    reads.first(&STANDING, (id,)).await
}

/// Takes a session from `generation` to the next, under `key_id`; false where it was no longer there.
pub(crate) async fn advance(tx: &Tx<'_>, id: SessionId, generation: i64, key_id: i64, now: Timestamp) -> Result<bool> {
    // Beside the statement that looks: one that returns what it changed builds a table for it each time.
    Ok(tx.execute(&ADVANCE, (key_id, now, id, generation)).await? == 1)
}

/// Says that a session is in use now, and until when it lives therefore.
pub(crate) async fn touch(tx: &Tx<'_>, id: SessionId, now: Timestamp, expires_at: Timestamp) -> Result<()> {
    tx.execute(&TOUCH, (now, expires_at, id)).await.map(drop)
}

/// Ends a session; false where it was over.
pub(crate) async fn end(tx: &Tx<'_>, id: SessionId, now: Timestamp) -> Result<bool> {
    let ended = tx.execute(&END, (now, id)).await? == 1;
    if ended {
        tx.record(Change::Session(id));
    }
    Ok(ended)
}

/// Ends all sessions of a user; the caller raises the user's credential version with it.
pub(crate) async fn end_of_user(tx: &Tx<'_>, user: UserId, now: Timestamp) -> Result<u64> {
    tx.execute(&END_OF_USER, (now, user)).await
}

/// Deletes some sessions that expired before `expired` and some that ended before `ended`, at most
/// [`super::SWEPT_AT_ONCE`] of each; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, expired: Timestamp, ended: Timestamp) -> Result<u64> {
    Ok(tx.execute(&SWEEP, (expired,)).await? + tx.execute(&SWEEP_ENDED, (ended,)).await?)
}
