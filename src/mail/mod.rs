//! Mails to users: what they say, how they look, and how they leave, as `.eml` files in the outbox or by a mail
//! server. Knows neither who may ask for one, nor how its link was made, nor where one waits.

mod compose;
mod files;
mod letter;
pub mod smtp;
mod templates;
mod words;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lettre::message::Mailbox;
use tokio::sync::Notify;

pub use self::compose::{Letter, unpacked};
use self::files::Folder;
pub use self::letter::Mail;
use self::smtp::Smtp;
use self::templates::Templates;
pub use self::words::Language;
use crate::clock::Clock;
use crate::domain::error::{Error, Result};

/// Why mails cannot be sent from here; the text says how to mend it.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The sender is not `ann@example.com` or `Ann <ann@example.com>`.
    #[error("the sender of mails must be one address, such as Doorward <doorward@example.com>")]
    Sender,
    /// The directory cannot be made, or not be closed to others.
    #[error("the outbox {} cannot be used: {}", .0.display(), .1)]
    Directory(PathBuf, #[source] io::Error),
    /// A template of the operator's, with its place and its mend.
    #[error("{0}")]
    Template(String),
    /// The certificates to believe.
    #[error("{0}")]
    Server(String),
}

/// How mails leave.
pub enum Way {
    /// As files in this directory, which is made where it is absent and closed to other users of the machine.
    Outbox(PathBuf),
    /// By this server.
    Smtp(smtp::Server),
}

/// What mails are made of, and how they leave.
pub struct Setup {
    /// The sender, as in a mail's head.
    pub from: String,
    /// What this server is reached by: named in what has no link, and to the mail server.
    pub public_url: String,
    /// What mails are written in.
    pub language: Language,
    /// The operator's own templates.
    pub templates: Option<PathBuf>,
    /// How they leave.
    pub way: Way,
    /// What tells their date.
    pub clock: Clock,
}

/// Makes mails, and sends them on their way. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    from: Mailbox,
    public_url: String,
    templates: Templates,
    clock: Clock,
    exit: Exit,
    given_up: AtomicU64,
}

enum Exit {
    Folder(Arc<Folder>),
    Server { smtp: Box<Smtp>, new: Notify },
}

impl Mailer {
    /// Reads the templates and makes the way out ready. Asks no server.
    ///
    /// # Errors
    ///
    /// [`Unusable`], with what is wrong and how to mend it.
    pub fn open(setup: Setup) -> Result<Self, Unusable> {
        if setup.from.chars().any(char::is_control) {
            return Err(Unusable::Sender);
        }
        let from: Mailbox = setup.from.parse().map_err(|_| Unusable::Sender)?;
        let templates = Templates::open(setup.templates.as_deref(), setup.language)?;
        let exit = match setup.way {
            Way::Outbox(directory) => Exit::Folder(Arc::new(Folder::open(directory)?)),
            Way::Smtp(server) => {
                let smtp = Smtp::new(server, &from.email, letter::host(&setup.public_url))?;
                Exit::Server { smtp: Box::new(smtp), new: Notify::new() }
            }
        };
        let (public_url, clock, given_up) = (setup.public_url, setup.clock, AtomicU64::new(0));
        Ok(Self(Arc::new(Inner { from, public_url, templates, clock, exit, given_up })))
    }

    /// Writes a mail out, ready to leave.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the address cannot be written to.
    pub fn compose(&self, mail: &Mail) -> Result<Letter> {
        let Inner { from, public_url, templates, clock, .. } = &*self.0;
        let now = clock.now();
        let text = templates.render(mail, letter::host(public_url), now)?;
        compose::letter(from, mail, &text, now)
    }

    /// The server that sends mails; without one they are files.
    #[must_use]
    pub fn smtp(&self) -> Option<&Smtp> {
        match &self.0.exit {
            Exit::Folder(_) => None,
            Exit::Server { smtp, .. } => Some(smtp),
        }
    }

    /// Writes a mail into the outbox; it is on disk when this returns. Call it after the commit it tells of.
    ///
    /// # Errors
    ///
    /// [`Error::Unavailable`] where the file cannot be kept, [`Error::Internal`] where mails are no files.
    pub async fn keep(&self, letter: Arc<Letter>) -> Result<()> {
        let Exit::Folder(folder) = &self.0.exit else {
            return Err(Error::Internal("mails are sent by a server, not written as files".to_owned()));
        };
        let folder = Arc::clone(folder);
        let file = tokio::task::spawn_blocking(move || folder.keep(&letter))
            .await
            .map_err(|error| Error::Internal(format!("a mail was not written: {error}")))??;
        tracing::info!(file, "mail written to the outbox");
        Ok(())
    }

    /// Says that a mail waits to be sent.
    pub fn wake(&self) {
        if let Exit::Server { new, .. } = &self.0.exit {
            new.notify_one();
        }
    }

    /// Waits until a mail waits to be sent; for ever where mails are files.
    pub async fn woken(&self) {
        match &self.0.exit {
            Exit::Folder(_) => std::future::pending().await,
            Exit::Server { new, .. } => new.notified().await,
        }
    }

    /// Counts mails that will not be sent any more; how many there were since the start.
    #[must_use]
    pub fn give_up(&self, count: u64) -> u64 {
        self.0.given_up.fetch_add(count, Ordering::Relaxed) + count
    }
}

#[cfg(test)]
mod tests;
