//! The single-use secrets that mails carry, by their SHA-256.

use super::sql::{row, statements};
use super::{Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::UserId;

statements! {
    INSERT: ([u8; 32], UserId, String, String, Timestamp, Timestamp) -> () = "insert into mail_secrets
        (secret_hash, user_id, purpose, email_key, created_at, expires_at) values ($1, $2, $3, $4, $5, $6)";
    CONSUME: ([u8; 32], String) -> SecretRow = "delete from mail_secrets
        where secret_hash = $1 and purpose = $2 returning user_id, email_key, expires_at";
    HOLDER: ([u8; 32], String, Timestamp) -> (UserId,) = "select user_id from mail_secrets
        where secret_hash = $1 and purpose = $2 and expires_at > $3";
    OF_USER: (UserId) -> (String, Timestamp, Timestamp) =
        "select purpose, created_at, expires_at from mail_secrets where user_id = $1 order by created_at limit 10001";
    DELETE_OF_USER: (UserId) -> () = "delete from mail_secrets where user_id = $1";
    SWEEP: (Timestamp) -> () = "delete from mail_secrets where secret_hash in (
        select secret_hash from mail_secrets where expires_at < $1 order by expires_at limit 500)";
}

row! {
    struct SecretRow {
        user_id: UserId,
        email_key: String,
        expires_at: Timestamp,
    }
}

/// What a mailed secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password.
    Reset,
    /// Proving an address.
    Verification,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verification => "verification",
        }
    }
}

/// A mailed secret as the store knows it.
#[derive(Clone)]
pub struct MailSecret {
    /// SHA-256 of the secret.
    pub secret_hash: [u8; 32],
    /// Whom it is for.
    pub user_id: UserId,
    /// What it is for.
    pub purpose: Purpose,
    /// The canonical address it was sent to; empty where an operator took it from the screen.
    pub email_key: String,
    /// Now.
    pub created_at: Timestamp,
    /// When it is worthless.
    pub expires_at: Timestamp,
}

/// What a user's pending secrets are for, when each was made, and when it is worthless: at most 10,001.
pub(crate) async fn list(reads: &Reads<'_>, user: UserId) -> Result<Vec<(String, Timestamp, Timestamp)>> {
    reads.all(&OF_USER, (user,)).await
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &MailSecret) -> Result<()> {
    let inputs =
        (new.secret_hash, new.user_id, new.purpose.as_str(), new.email_key.as_str(), new.created_at, new.expires_at);
    tx.execute(&INSERT, inputs).await.map(drop)
}

/// Takes a secret out: whoever gets it is the only one. `None` where it is unknown or too old.
pub(crate) async fn consume(
    tx: &Tx<'_>,
    secret_hash: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<(UserId, String)>> {
    let row = tx.first(&CONSUME, (secret_hash, purpose.as_str())).await?;
    Ok(row.filter(|row| now < row.expires_at).map(|row| (row.user_id, row.email_key)))
}

/// Whom a secret that still works is for, leaving it as it is.
pub(crate) async fn find_holder(
    reads: &Reads<'_>,
    secret_hash: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<UserId>> {
    Ok(reads.first(&HOLDER, (secret_hash, purpose.as_str(), now)).await?.map(|(holder,)| holder))
}

/// Makes all of a user's pending secrets worthless.
pub(crate) async fn delete_of_user(tx: &Tx<'_>, user: UserId) -> Result<()> {
    tx.execute(&DELETE_OF_USER, (user,)).await.map(drop)
}

/// Deletes some secrets that expired before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
}
