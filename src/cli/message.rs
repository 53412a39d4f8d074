//! What goes wrong, as a sentence for the operator that says what to do next, and the exit code
//! that goes with it.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use crate::app::OpenError;
use crate::config::ConfigError;
use crate::domain::error::Error;
use crate::domain::id::{MailId, ProjectId, SessionId, TokenId};

const REFUSED: u8 = 1;
const USAGE: u8 = 2;

/// Why a command ends before it is done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The thing asked could not be done.
    Refused(String),
    /// It was asked wrongly, or the configuration is faulty: a message a line.
    Usage(Vec<String>),
    /// Nobody reads the output any more, which is no fault: `doorward user list | head`.
    Unread,
}

impl Failure {
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(vec![message.into()])
    }

    /// Says it on standard error; the exit code that goes with it.
    pub(super) fn report(&self) -> ExitCode {
        let (code, messages) = match self {
            Self::Refused(message) => (REFUSED, std::slice::from_ref(message)),
            Self::Usage(messages) => (USAGE, messages.as_slice()),
            Self::Unread => return ExitCode::SUCCESS,
        };
        let mut stderr = io::stderr().lock();
        for message in messages {
            // Where even this cannot be written, the exit code has to do.
            let _ = writeln!(stderr, "error: {message}");
        }
        ExitCode::from(code)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe {
            return Self::Unread;
        }
        Self::Refused(format!("the output cannot be written: {error}"))
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Usage(error.faults().to_vec())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::Refused(error.to_string())
    }
}

/// What a command is about: what is missing where something is not found.
#[derive(Clone, Copy)]
pub(super) enum Subject<'s> {
    User(&'s str),
    Token(TokenId),
    Session(SessionId),
    Project(ProjectId),
    Mail(MailId),
}

impl Subject<'_> {
    fn missing(self) -> String {
        match self {
            Self::User(login) => format!("user {login:?} not found: `doorward user list` shows all"),
            Self::Token(id) => format!("token {id} not found: `doorward token list LOGIN` shows a user's tokens"),
            Self::Session(id) => {
                format!("session {id} not found or over: `doorward session list LOGIN` shows a user's live sessions")
            }
            Self::Project(id) => {
                format!("project {id} not found: `doorward project list --user LOGIN` shows a user's projects")
            }
            Self::Mail(id) => {
                format!("no mail {id} waits for a later time: `doorward mail list` shows those that wait")
            }
        }
    }

    fn name(self) -> String {
        match self {
            Self::User(login) => format!("user {login:?}"),
            Self::Token(id) => format!("token {id}"),
            Self::Session(id) => format!("session {id}"),
            Self::Project(id) => format!("project {id}"),
            Self::Mail(id) => format!("mail {id}"),
        }
    }
}

/// Turns an action's error into a failure, where the action was about `subject`.
pub(super) fn about(subject: Subject<'_>) -> impl Fn(Error) -> Failure + '_ {
    move |error| Failure::Refused(explain(error, subject))
}

fn explain(error: Error, subject: Subject<'_>) -> String {
    match error {
        Error::Invalid(faults) => {
            let faults: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
            faults.join("; ")
        }
        Error::NotFound => subject.missing(),
        Error::Taken(field) => {
            format!("this {field} is taken: choose another; `doorward user list` shows who has it")
        }
        Error::LastAdministrator => format!(
            "{} is the last active administrator, who can be neither deleted, disabled nor demoted: make another one \
             first, with `doorward user grant LOGIN admin`",
            subject.name()
        ),
        Error::Forbidden(reason) => reason.to_owned(),
        Error::Busy(wait) => {
            format!("too many wait already: try again in {} s", wait.as_millis().div_ceil(1_000).max(1))
        }
        Error::Unavailable(cause) => {
            format!("{cause}: mend that, then try again; nothing was changed")
        }
        Error::Internal(cause) => format!("{cause}: this is a fault of doorward; nothing was changed"),
        // These are for callers with credentials, and the operator needs none and is not limited.
        Error::TooMany(_)
        | Error::Unauthenticated(_)
        | Error::WrongCredentials
        | Error::WrongCurrentPassword
        | Error::ReauthenticationRequired
        | Error::BadToken => format!("{error}: this is a fault of doorward; nothing was changed"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_shows_what_there_is() {
        let message = explain(Error::NotFound, Subject::User("ann\u{9b}"));
        assert_eq!(message, "user \"ann\\u{9b}\" not found: `doorward user list` shows all");
    }

    #[test]
    fn a_short_wait_is_rounded_up() {
        let message = explain(Error::Busy(Duration::from_millis(1_001)), Subject::User("ann"));
        assert!(message.ends_with("try again in 2 s"), "{message}");
    }

    #[test]
    fn a_closed_pipe_is_no_fault() {
        assert!(matches!(Failure::from(io::Error::from(ErrorKind::BrokenPipe)), Failure::Unread));
        assert!(matches!(Failure::from(io::Error::from(ErrorKind::StorageFull)), Failure::Refused(_)));
    }
}
