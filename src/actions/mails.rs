//! What an operator sees and does of mails: those that wait, trying them at once, and whether the server takes one.

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::Action;
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::id::MailId;
use crate::domain::user::Email;
use crate::mail::smtp::Undelivered;
use crate::mail::{Mail, unpacked};
use crate::store::{self, Tx, WaitingMail};

/// A mail that waits to be sent, without whom it is for and what it says.
#[derive(Debug)]
pub struct Waiting {
    /// Its id.
    pub id: MailId,
    /// The domain of its recipient; `None` where it cannot be opened.
    pub domain: Option<String>,
    /// Since when it waits.
    pub created_at: Timestamp,
    /// When it is tried next; `None` where it was given up.
    pub due_at: Option<Timestamp>,
    /// When it is given up at the latest.
    pub expires_at: Timestamp,
    /// How many times it was tried.
    pub attempts: i64,
    /// Whether it is being sent.
    pub sending: bool,
    /// What failed the last time.
    pub failure: Option<String>,
}

/// At most `limit` mails that wait, the next one first, for administrators.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power.
pub async fn list(app: &App, caller: &Caller, limit: i64) -> Result<Vec<Waiting>> {
    caller.require_admin()?;
    let mails = store::mails::list(&app.store().reads(), limit).await?;
    Ok(mails.into_iter().map(|mail| shown(app, mail)).collect())
}

fn shown(app: &App, mail: WaitingMail) -> Waiting {
    let packed = app.keyring().open(&mail.sealed, mail.id.as_bytes());
    let to = packed.as_ref().and_then(unpacked).map(|(to, _)| to);
    let domain = to.and_then(|to| to.rsplit_once('@')).map(|(_, domain)| domain.to_owned());
    let due_at = Some(mail.due_at).filter(|due| *due < store::mails::NEVER);
    let WaitingMail { id, created_at, expires_at, attempts, sending, failure, .. } = mail;
    Waiting { id, domain, created_at, due_at, expires_at, attempts, sending, failure }
}

/// Has one mail tried at once, or all that wait, for administrators; how many there were. Those that are being sent, or
/// are due already, stay as they are.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power, [`Error::NotFound`] where no mail of that id waits.
pub async fn retry(app: &App, actor: &Actor, mail: Option<MailId>) -> Result<u64> {
    let event = actor.event(Action::MailsHurried);
    app.audit().note(&event, hurry(app, actor, mail).await)
}

async fn hurry(app: &App, actor: &Actor, mail: Option<MailId>) -> Result<u64> {
    actor.caller.require_admin()?;
    let (event, now) = (actor.event(Action::MailsHurried), app.now());
    let hurried = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let hurried = store::mails::hurry(tx, mail, now).await?;
            if hurried > 0 {
                tx.audit(event);
            }
            Ok(hurried)
        })
        .await?;
    if mail.is_some() && hurried == 0 {
        return Err(Error::NotFound);
    }
    app.mailer().wake();
    Ok(hurried)
}

/// What became of a test.
#[derive(Debug)]
pub enum Tested {
    /// The server took the mail, with these words.
    Taken {
        /// The server's name.
        server: String,
        /// What it said.
        answer: String,
    },
    /// It did not.
    Refused(Undelivered),
    /// No server sends mails: they are files.
    Files,
}

/// Sends a mail that says so at once, for administrators; it waits nowhere and is tried once.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power.
pub async fn test(app: &App, caller: &Caller, address: &Email) -> Result<Tested> {
    caller.require_admin()?;
    let Some(smtp) = app.mailer().smtp() else { return Ok(Tested::Files) };
    let letter = app.mailer().compose(&Mail::test(address.as_str()))?;
    let sent = smtp.send(letter.to(), letter.bytes()).await;
    smtp.hang_up().await;
    Ok(match sent {
        Ok(answer) => Tested::Taken { server: smtp.name(), answer },
        Err(why) => Tested::Refused(why),
    })
}
