//! Sessions: a row each, whose generation only ever moves forward.

use rusqlite::Connection;

use super::sql::{self, row, statements};
use super::{Change, Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
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
    BY_ID: (SessionId) -> SessionRow = concat!("select ", columns!(), " from sessions where id = $1");
    LIVE_OF_USER: (UserId, Timestamp) -> SessionRow = concat!("select ", columns!(),
        " from sessions where user_id = $1 and ended_at is null and expires_at > $2 order by id");
    ENDED_SINCE: (Timestamp) -> (SessionId, Timestamp) =
        "select id, ended_at from sessions where ended_at > $1";
    INSERT: (
        SessionId, UserId, String, Timestamp, Timestamp, Timestamp, i64, Timestamp, Option<String>, Option<String>
    ) -> () = "insert into sessions (id, user_id, dialect, created_at, last_used_at, expires_at, generation, key_id,
            rotated_at, address, user_agent)
        values ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, $10)";
    ADVANCING: (SessionId) -> AdvancingRow = "select sessions.user_id, sessions.dialect, sessions.created_at,
            sessions.expires_at, sessions.generation, sessions.ended_at, users.status, users.credential_version
        from sessions join users on users.id = sessions.user_id where sessions.id = $1";
    ADVANCE: (i64, Timestamp, SessionId, i64) -> () = "update sessions
        set generation = generation + 1, key_id = $1, rotated_at = $2, last_used_at = $2
        where id = $3 and generation = $4 and ended_at is null";
    END: (Timestamp, SessionId) -> () =
        "update sessions set ended_at = $1 where id = $2 and ended_at is null";
    END_OF_USER: (Timestamp, UserId) -> () =
        "update sessions set ended_at = $1 where user_id = $2 and ended_at is null";
    SWEEP: (Timestamp, i64) -> () = "delete from sessions where id in (
        select id from sessions where expires_at < $1 order by expires_at limit $2)";
    SWEEP_ENDED: (Timestamp, i64) -> () = "delete from sessions where id in (
        select id from sessions where ended_at < $1 order by ended_at limit $2)";
}

row! {
    struct SessionRow {
        id: SessionId,
        user_id: UserId,
        dialect: String,
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
    struct AdvancingRow {
        user_id: UserId,
        dialect: String,
        created_at: Timestamp,
        expires_at: Timestamp,
        generation: i64,
        ended_at: Option<Timestamp>,
        status: String,
        credential_version: i64,
    }
}

impl AdvancingRow {
    fn may_advance(&self, generation: i64, now: Timestamp) -> bool {
        self.generation == generation
            && self.ended_at.is_none()
            && now < self.expires_at
            && self.status == Status::Active.as_str()
    }
}

fn dialect(text: &str, id: SessionId) -> Result<Dialect> {
    Dialect::parse(text).ok_or_else(|| Error::Internal(format!("the dialect of session {id} cannot be read")))
}

impl SessionRow {
    fn into_session(self) -> Result<Session> {
        Ok(Session {
            id: self.id,
            user_id: self.user_id,
            dialect: dialect(&self.dialect, self.id)?,
            created_at: self.created_at,
            last_used_at: self.last_used_at,
            expires_at: self.expires_at,
            generation: self.generation,
            key_id: self.key_id,
            rotated_at: self.rotated_at,
            ended_at: self.ended_at,
            address: self.address,
            user_agent: self.user_agent,
        })
    }
}

/// A session to be inserted, at generation 0.
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
    reads.first(&BY_ID, (id,)).await?.map(SessionRow::into_session).transpose()
}

/// The user's sessions that can still be used.
pub(crate) async fn list_live(reads: &Reads<'_>, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
    reads.all(&LIVE_OF_USER, (user, now)).await?.into_iter().map(SessionRow::into_session).collect()
}

/// The sessions that ended after `since`, with the moment.
pub(crate) async fn list_ended(reads: &Reads<'_>, since: Timestamp) -> Result<Vec<(SessionId, Timestamp)>> {
    reads.all(&ENDED_SINCE, (since,)).await
}

/// The same, on a connection that follows the feed.
pub(super) fn ended_since(connection: &Connection, since: Timestamp) -> Result<Vec<(SessionId, Timestamp)>> {
    let mut ended = Vec::new();
    sql::rows(connection, &ENDED_SINCE, &(since,), |row| ended.push(row))?;
    Ok(ended)
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &NewSession<'_>) -> Result<()> {
    tx.execute(
        &INSERT,
        (
            new.id,
            new.user_id,
            new.dialect.as_str(),
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

/// A session that was taken to its next generation, and its user's credential version then.
pub(crate) struct Advanced {
    pub(crate) user_id: UserId,
    pub(crate) dialect: Dialect,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) credential_version: i64,
}

/// Advances a live session of an active user from `generation` to the next, under `key_id`; `None`
/// where it is no longer at that generation, or over, or its user may not sign in.
pub(crate) async fn advance(
    tx: &Tx<'_>,
    id: SessionId,
    generation: i64,
    key_id: i64,
    now: Timestamp,
) -> Result<Option<Advanced>> {
    // Two statements: one that returns what it changed builds a table for it each time.
    let found = tx.first(&ADVANCING, (id,)).await?;
    let Some(row) = found.filter(|row| row.may_advance(generation, now)) else { return Ok(None) };
    if tx.execute(&ADVANCE, (key_id, now, id, generation)).await? == 0 {
        return Ok(None);
    }
    Ok(Some(Advanced {
        user_id: row.user_id,
        dialect: dialect(&row.dialect, id)?,
        created_at: row.created_at,
        expires_at: row.expires_at,
        credential_version: row.credential_version,
    }))
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

/// Deletes at most `limit` sessions that expired before `expired`, and as many that ended before
/// `ended`; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, expired: Timestamp, ended: Timestamp, limit: i64) -> Result<u64> {
    Ok(tx.execute(&SWEEP, (expired, limit)).await? + tx.execute(&SWEEP_ENDED, (ended, limit)).await?)
}
