//! The single-use secrets that mails carry, by their SHA-256.

use super::sql::{row, statements};
use super::{Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::UserId;

statements! {
    INSERT: ([u8; 32], UserId, String, String, Timestamp, Timestamp, Option<String>, Option<i64>) -> () = "insert
        into mail_secrets (secret_hash, user_id, purpose, email_key, created_at, expires_at, email, credential_version)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    CONSUME: ([u8; 32], String) -> SecretRow = "delete from mail_secrets
        where secret_hash = $1 and purpose = $2
        returning user_id, email_key, expires_at, email, credential_version";
    FIND: ([u8; 32], String) -> SecretRow = "select user_id, email_key, expires_at, email, credential_version
        from mail_secrets where secret_hash = $1 and purpose = $2";
    OF_USER: (UserId) -> (String, Timestamp, Timestamp, Option<String>) = "select purpose, created_at, expires_at, email
        from mail_secrets where user_id = $1 order by created_at limit 10001";
    DELETE_OF_USER: (UserId) -> () = "delete from mail_secrets where user_id = $1";
    DELETE_OF_PURPOSE: (UserId, String) -> () = "delete from mail_secrets where user_id = $1 and purpose = $2";
    SWEEP: (Timestamp) -> () = "delete from mail_secrets where secret_hash in (
        select secret_hash from mail_secrets where expires_at < $1 order by expires_at limit 500)";
}

row! {
    struct SecretRow {
        user_id: UserId,
        email_key: String,
        expires_at: Timestamp,
        email: Option<String>,
        credential_version: Option<i64>,
    }
}

impl SecretRow {
    /// What the secret is good for, where it is not over.
    fn pledge(self, now: Timestamp) -> Option<Pledge> {
        let another = self.email.zip(self.credential_version);
        (now < self.expires_at).then_some(Pledge { user_id: self.user_id, email_key: self.email_key, another })
    }
}

/// What a secret is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pledge {
    /// Whom it is for.
    pub user_id: UserId,
    /// The canonical address it was sent to; empty where an operator took it from the screen.
    pub email_key: String,
    /// Another address, as typed, that shall be the user's, and the version of the credentials of who asked for it.
    pub another: Option<(String, i64)>,
}

/// What a mailed secret is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Setting a new password.
    Reset,
    /// Proving an address.
    Verification,
    /// Giving the user another address.
    EmailChange,
}

impl Purpose {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::Verification => "verification",
            Self::EmailChange => "email_change",
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
    /// Another address, as typed, and the version of the credentials that it is bound to.
    pub another: Option<(String, i64)>,
}

/// What a user's pending secrets are for, when each was made, when it is worthless, and the address that it would give
/// the user: at most 10,001.
pub(crate) async fn list(
    reads: &Reads<'_>,
    user: UserId,
) -> Result<Vec<(String, Timestamp, Timestamp, Option<String>)>> {
    reads.all(&OF_USER, (user,)).await
}

pub(crate) async fn insert(tx: &Tx<'_>, new: &MailSecret) -> Result<()> {
    let (purpose, email_key) = (new.purpose.as_str(), new.email_key.as_str());
    let (email, version) = new.another.as_ref().map(|(email, version)| (email.as_str(), *version)).unzip();
    let inputs = (new.secret_hash, new.user_id, purpose, email_key, new.created_at, new.expires_at, email, version);
    tx.execute(&INSERT, inputs).await.map(drop)
}

/// Takes a secret out: whoever gets it is the only one. `None` where it is unknown or too old.
pub(crate) async fn consume(
    tx: &Tx<'_>,
    secret_hash: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Pledge>> {
    let row = tx.first(&CONSUME, (secret_hash, purpose.as_str())).await?;
    Ok(row.and_then(|row| row.pledge(now)))
}

/// What a secret that is not over is good for, leaving it as it is.
pub(crate) async fn find(
    reads: &Reads<'_>,
    secret_hash: [u8; 32],
    purpose: Purpose,
    now: Timestamp,
) -> Result<Option<Pledge>> {
    let row = reads.first(&FIND, (secret_hash, purpose.as_str())).await?;
    Ok(row.and_then(|row| row.pledge(now)))
}

/// Makes all of a user's pending secrets worthless.
pub(crate) async fn delete_of_user(tx: &Tx<'_>, user: UserId) -> Result<()> {
    tx.execute(&DELETE_OF_USER, (user,)).await.map(drop)
}

/// Makes a user's pending secrets of one kind worthless.
pub(crate) async fn delete_of_purpose(tx: &Tx<'_>, user: UserId, purpose: Purpose) -> Result<()> {
    tx.execute(&DELETE_OF_PURPOSE, (user, purpose.as_str())).await.map(drop)
}

/// Deletes some secrets that expired before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
}
