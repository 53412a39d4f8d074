//! What went wrong on the way to PostgreSQL or in it: what that means for the work at hand, and what
//! it means above.

use std::error::Error as _;
use std::fmt::Write as _;
use std::io;

use tokio_postgres::error::SqlState;

use crate::domain::error::Error;

const SILENCE: &str = "PostgreSQL does not answer";

/// One failure, with its cause for the log.
#[derive(Clone, Debug)]
pub(in crate::store) struct Failure {
    pub(super) meaning: Meaning,
    pub(super) cause: String,
}

/// What a failure leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Another transaction was in the way; this one stands nowhere and may be run again.
    Conflict,
    /// The connection is gone, or leads to a server that takes no writes.
    Lost,
    /// There is a server, and it has no time or room for this now.
    Busy,
    /// It will not be better next time.
    Refused,
}

impl Failure {
    pub(super) fn new(meaning: Meaning, cause: impl Into<String>) -> Self {
        Self { meaning, cause: cause.into() }
    }

    /// No answer came in time: the connection cannot be used any more.
    pub(super) fn silence() -> Self {
        Self::new(Meaning::Lost, SILENCE)
    }

    /// Whether it is that one: to ask again would be to wait again.
    pub(super) fn is_silence(&self) -> bool {
        self.cause == SILENCE
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        if let Some(said) = error.as_db_error() {
            // Its details would quote values.
            let cause = format!("{} ({})", said.message(), said.code().code());
            return Self { meaning: meaning_of(said.code()), cause };
        }
        let mut cause = error.to_string();
        let mut behind = error.source();
        let mut is_way = error.is_closed();
        while let Some(error) = behind {
            let _ = write!(cause, ": {error}");
            is_way |= error.downcast_ref::<io::Error>().is_some_and(|error| !is_wrong_server(error));
            behind = error.source();
        }
        Self { meaning: if is_way { Meaning::Lost } else { Meaning::Refused }, cause }
    }
}

/// Whether somebody else answered than who was asked for: that will not be better in a moment.
fn is_wrong_server(error: &io::Error) -> bool {
    let behind = error.get_ref().and_then(|behind| behind.downcast_ref());
    matches!(behind, Some(rustls::Error::InvalidCertificate(_)))
}

/// By the classes of PostgreSQL's manual, appendix A.
fn meaning_of(code: &SqlState) -> Meaning {
    let is_lost = [
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        // A primary that became a standby.
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ];
    let is_conflict = [
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        // What was looked for before was made, or deleted, by another in between.
        SqlState::UNIQUE_VIOLATION,
        SqlState::FOREIGN_KEY_VIOLATION,
    ];
    let is_busy = [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE];
    match code.code().get(..2) {
        _ if is_conflict.contains(code) => Meaning::Conflict,
        _ if is_lost.contains(code) => Meaning::Lost,
        _ if is_busy.contains(code) => Meaning::Busy,
        // Connection exceptions; an operator's intervention; insufficient resources; system errors.
        Some("08" | "57") => Meaning::Lost,
        Some("53" | "58") => Meaning::Busy,
        _ => Meaning::Refused,
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure.meaning {
            Meaning::Refused => Self::Internal(format!("the store refused a statement: {}", failure.cause)),
            Meaning::Conflict | Meaning::Lost | Meaning::Busy => {
                Self::Unavailable(format!("the store cannot be used: {}", failure.cause))
            }
        }
    }
}
