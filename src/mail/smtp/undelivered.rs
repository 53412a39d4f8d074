//! Why a mail was not taken: at which step, and whether trying again may help. The server's own words are for whoever
//! asked for this very mail: they may name its recipient, and so are in no log.

use std::error::Error as _;
use std::fmt;

use lettre::transport::smtp::Error;

/// A step of handing a mail over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Reaching the server, and its greeting.
    Connect,
    /// Encryption.
    Tls,
    /// Name and password.
    Login,
    /// The sender's address.
    Sender,
    /// The recipient's.
    Recipient,
    /// The message itself.
    Message,
}

impl Step {
    /// The word that is kept and shown.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        }
    }
}

#[derive(Debug)]
enum Cause {
    /// It took too long.
    Late,
    /// The server's answer.
    Answer { code: u16, text: String },
    /// The connection failed or ended.
    Broken(String),
    /// The server takes no letters beyond ASCII.
    Unsupported,
    /// No address that could be written to.
    Unwritable,
}

/// Why a mail was not taken.
#[derive(Debug)]
pub struct Undelivered {
    /// `None` where all steps together took too long.
    step: Option<Step>,
    cause: Cause,
}

impl Undelivered {
    pub(super) fn of(step: Step, error: &Error) -> Self {
        if let Some(code) = error.status() {
            let text = error.source().map(ToString::to_string).unwrap_or_default();
            return Self { step: Some(step), cause: Cause::Answer { code: code.into(), text } };
        }
        if error.is_timeout() {
            return Self::late(Some(step));
        }
        let step = if is_of_tls(error) { Step::Tls } else { step };
        let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        Self { step: Some(step), cause: Cause::Broken(text) }
    }

    pub(super) const fn late(step: Option<Step>) -> Self {
        Self { step, cause: Cause::Late }
    }

    pub(super) const fn unsupported() -> Self {
        Self { step: Some(Step::Recipient), cause: Cause::Unsupported }
    }

    pub(super) const fn unwritable() -> Self {
        Self { step: Some(Step::Recipient), cause: Cause::Unwritable }
    }

    /// Whether it is of no use to try again: the server refuses this recipient or this message for good.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match (&self.cause, self.step) {
            (Cause::Unsupported | Cause::Unwritable, _) => true,
            (Cause::Answer { code, .. }, Some(Step::Recipient | Step::Message)) => *code >= 500,
            _ => false,
        }
    }

    /// Whether the connection was of no use from the beginning, as where the server ended it while nothing was said.
    pub(super) const fn is_of_a_closed_connection(&self) -> bool {
        let is_gone = matches!(self.cause, Cause::Broken(_) | Cause::Answer { code: 421, .. });
        is_gone && matches!(self.step, Some(Step::Sender))
    }

    /// What failed, in a few words that name nobody: for logs, and to be kept.
    #[must_use]
    pub fn word(&self) -> String {
        let step = self.step.map_or("all", Step::as_str);
        match &self.cause {
            Cause::Late => format!("{step}: no answer in time"),
            Cause::Answer { code, .. } => format!("{step}: {code}"),
            Cause::Broken(_) => format!("{step}: broken"),
            Cause::Unsupported => format!("{step}: not ASCII"),
            Cause::Unwritable => format!("{step}: no address"),
        }
    }
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.step {
            None => "the mail was not handed over",
            Some(Step::Connect) => "the mail server cannot be reached",
            Some(Step::Tls) => "no encrypted connection to the mail server can be made",
            Some(Step::Login) => "the mail server does not let us in",
            Some(Step::Sender) => "the mail server does not take the sender",
            Some(Step::Recipient) => "the mail server does not take the recipient",
            Some(Step::Message) => "the mail server does not take the message",
        })?;
        match &self.cause {
            Cause::Late => f.write_str(": no answer in time"),
            Cause::Answer { code, text } => write!(f, ": {code} {text}"),
            Cause::Broken(text) => write!(f, ": {text}"),
            Cause::Unsupported => f.write_str(": it knows no addresses beyond ASCII (SMTPUTF8)"),
            Cause::Unwritable => f.write_str(": it is no address"),
        }
    }
}

/// Whether the error is about encryption, wherever in its chain that is said.
fn is_of_tls(error: &Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let within = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if error.is::<rustls::Error>() || within.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
        {
            return true;
        }
        next = error.source();
    }
    error.is_tls()
}
