//! The mails that go with a change. Where a server sends them they are part of the change's own transaction, so that
//! none is lost and none tells of what was rolled back; where they are files they are written after it.

use std::sync::Arc;

use crate::app::App;
use crate::domain::caller::Origin;
use crate::domain::error::Result;
use crate::domain::id::MailId;
use crate::domain::user::User;
use crate::mail::{Letter, Mail};
use crate::store::{self, NewMail, Tx};

/// Mails that are written and not yet on their way.
#[derive(Clone, Default)]
pub(super) struct Post {
    files: Vec<Arc<Letter>>,
    queued: Vec<NewMail>,
}

impl Post {
    /// One mail, written out.
    ///
    /// # Errors
    ///
    /// [`Internal`](crate::domain::error::Error::Internal) where it cannot be.
    pub(super) fn of(app: &App, mail: &Mail) -> Result<Self> {
        let letter = app.mailer().compose(mail)?;
        if app.mailer().smtp().is_none() {
            return Ok(Self { files: vec![Arc::new(letter)], queued: Vec::new() });
        }
        let id = MailId::generate(letter.created_at(), App::entropy());
        let sealed = app.keyring().seal(&letter.packed(), id.as_bytes())?;
        let (created_at, expires_at) = (letter.created_at(), letter.expires_at());
        Ok(Self { files: Vec::new(), queued: vec![NewMail { id, sealed, created_at, expires_at }] })
    }

    /// What tells a user of a change that was made to their account, at the address that they have before it. Nobody
    /// proved an address that is not verified: so many such notices go there as of other mails.
    pub(super) fn notice(app: &App, user: &User, origin: &Origin, mail: fn(&str) -> Mail) -> Self {
        let Some(address) = user.email.as_deref().filter(|_| app.settings().mail.notices) else {
            return Self::default();
        };
        let (email, _) = user.names();
        let is_too_many = |email| app.throttle().mail(&email, origin.address).is_err();
        if user.email_verified_at.is_none() && email.is_none_or(is_too_many) {
            return Self::default();
        }
        Self::of(app, &mail(address)).unwrap_or_else(|error| {
            // The change is worth more than that somebody is told of it.
            tracing::error!(%error, "a notice could not be written");
            Self::default()
        })
    }

    /// These mails and others.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.files.extend(other.files);
        self.queued.extend(other.queued);
        self
    }

    /// Leaves what a server will send in the transaction.
    pub(super) async fn enqueue(&self, tx: &Tx<'_>) -> Result<()> {
        for mail in &self.queued {
            store::mails::insert(tx, mail).await?;
        }
        Ok(())
    }

    /// Sends it on its way, after the commit.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](crate::domain::error::Error::Unavailable) where a file cannot be written.
    pub(super) async fn dispatch(self, app: &App) -> Result<()> {
        if !self.queued.is_empty() {
            app.mailer().wake();
        }
        for letter in self.files {
            app.mailer().keep(letter).await?;
        }
        Ok(())
    }

    /// The same, where the change is done whatever becomes of the mail.
    pub(super) async fn dispatch_or_log(self, app: &App) {
        if let Err(error) = self.dispatch(app).await {
            tracing::error!(%error, "a notice could not be written");
        }
    }
}
