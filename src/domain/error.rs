//! What can go wrong, by meaning. No status codes and no driver types: each dialect decides how
//! it says these, in one `match` that names them all.

use std::time::Duration;

/// One fault of the input: which field, and what would mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field as the request spells it.
    pub field: &'static str,
    /// A sentence that says how to mend it. Holds nothing of what was sent.
    pub message: String,
}

/// Why a credential identifies nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unauthenticated {
    /// The request carries none.
    Missing,
    /// It is not a token of this server, or two different ones came together.
    Malformed,
    /// It was one, but its time is over.
    Expired,
    /// It was ended: logged out, deleted, or its user's credentials changed.
    Ended,
    /// Its user is disabled.
    Disabled,
    /// Its user is no longer there.
    UserGone,
}

/// A refusal or failure, by meaning.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input breaks a rule; nothing was changed. Never empty.
    #[error("invalid input")]
    Invalid(Vec<Fault>),
    /// No usable credential.
    #[error("not authenticated")]
    Unauthenticated(Unauthenticated),
    /// The login name and password do not belong together, whatever the cause.
    #[error("wrong login name or password")]
    WrongCredentials,
    /// The current password that a change asks for is wrong.
    #[error("the current password is wrong")]
    WrongCurrentPassword,
    /// The change needs the current password, or a session begun less than 10 minutes ago.
    #[error("this change needs the current password")]
    ReauthenticationRequired,
    /// Known, but not allowed to do this; the text says what would be needed.
    #[error("forbidden: {0}")]
    Forbidden(&'static str),
    /// Not there, or not to be known by this caller.
    #[error("not found")]
    NotFound,
    /// Another user holds this email or username (the field's name).
    #[error("{0} is taken")]
    Taken(&'static str),
    /// The last active administrator can be neither deleted, disabled nor demoted.
    #[error("the last administrator")]
    LastAdministrator,
    /// A single-use or refresh token that is forged, used, ended or out of date.
    #[error("bad token")]
    BadToken,
    /// Too many failures, or too many of what is asked for; not to be tried again before this long.
    #[error("too many attempts")]
    TooMany(Duration),
    /// No capacity now; try again after this long.
    #[error("busy")]
    Busy(Duration),
    /// The store cannot be used now: a full disk, a damaged file, a lost database. The text is
    /// for the log.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of the server. The text is for its log, never for an answer.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// Whether it says nothing of what was asked: the server could not decide.
    #[must_use]
    pub const fn is_no_answer(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Unavailable(_) | Self::Internal(_))
    }

    /// One fault of one field.
    #[must_use]
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault { field, message: message.into() }])
    }
}

/// A result with the domain's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;
