//! Work that is left for after the answer, so that the time of an answer tells nothing.

use tokio::sync::mpsc;

use crate::domain::caller::{Actor, Origin};
use crate::domain::id::UserId;
use crate::domain::user::Email;

/// One piece of such work.
#[derive(Debug)]
pub enum Errand {
    /// Somebody asked for a reset mail to this address; whether anybody has it is not known yet. From where, is for the audit log.
    PasswordReset(Email, Origin),
    /// A user wants another address; whether anybody has it is not known yet.
    EmailChange(Box<EmailWish>),
}

/// Another address that a user wants, after they proved to be themselves.
#[derive(Debug)]
pub struct EmailWish {
    /// Who asked, and from where.
    pub actor: Actor,
    /// Whose address it shall be.
    pub user: UserId,
    /// The version of their credentials when they asked.
    pub credential_version: i64,
    /// The address.
    pub email: Email,
}

/// The errands that wait, in order.
pub struct Errands(pub(super) mpsc::Receiver<Errand>);

impl Errands {
    /// The next errand; `None` once the last [`super::App`] is gone or they were closed, and all are done.
    pub async fn next(&mut self) -> Option<Errand> {
        self.0.recv().await
    }

    /// Takes no more; those that wait still come.
    pub fn close(&mut self) {
        self.0.close();
    }
}
