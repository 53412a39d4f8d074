//! What must not be forgotten: events, written in the transaction of what they record.

use super::Tx;
use super::sql::statements;
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::UserId;

statements! {
    INSERT: (Timestamp, String, Option<UserId>, String, Option<String>) -> () =
        "insert into audit_events (at, action, user_id, subject, address) values ($1, $2, $3, $4, $5)";
}

/// One event.
pub struct AuditEvent<'e> {
    /// When.
    pub at: Timestamp,
    /// What happened, as a dotted name: `session.reuse_detected`.
    pub action: &'static str,
    /// To whom.
    pub user_id: Option<UserId>,
    /// To what: an id, never a secret.
    pub subject: &'e str,
    /// From where.
    pub address: Option<&'e str>,
}

pub(crate) async fn insert(tx: &Tx<'_>, event: &AuditEvent<'_>) -> Result<()> {
    tx.execute(&INSERT, (event.at, event.action, event.user_id, event.subject, event.address)).await.map(drop)
}
