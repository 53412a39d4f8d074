//! `doorward mail`: whether mails can be sent, and which ones wait.

use serde::Serialize;

use super::arguments::MailCommand;
use super::message::{Failure, Subject, about};
use super::operator::Operator;
use super::output;
use crate::actions::mails::{self, Tested, Waiting};
use crate::clock::Timestamp;
use crate::domain::id::MailId;
use crate::domain::user::Email;

/// A mail that waits. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct MailShape<'m> {
    id: String,
    domain: Option<&'m str>,
    created_at: String,
    due_at: Option<String>,
    expires_at: String,
    attempts: i64,
    sending: bool,
    failure: Option<&'m str>,
}

impl<'m> MailShape<'m> {
    fn new(mail: &'m Waiting) -> Self {
        Self {
            id: mail.id.to_string(),
            domain: mail.domain.as_deref(),
            created_at: mail.created_at.rfc3339(),
            due_at: mail.due_at.map(Timestamp::rfc3339),
            expires_at: mail.expires_at.rfc3339(),
            attempts: mail.attempts,
            sending: mail.sending,
            failure: mail.failure.as_deref(),
        }
    }

    fn row(&self) -> [String; 6] {
        let due = if self.sending { "now" } else { self.due_at.as_deref().unwrap_or("never") };
        let attempts = self.attempts.to_string();
        let (domain, failure) = (self.domain.unwrap_or_default(), self.failure.unwrap_or_default());
        [&self.id, domain, due, &self.expires_at, &attempts, failure].map(str::to_owned)
    }
}

pub(super) async fn run(operator: &Operator, command: MailCommand) -> Result<(), Failure> {
    match command {
        MailCommand::Test { address } => test(operator, &address).await,
        MailCommand::List { limit } => {
            let listed = mails::list(&operator.app, &operator.actor.caller, limit.to_ask_for()).await;
            let mut listed = listed.map_err(|error| Failure::Refused(error.to_string()))?;
            let more = limit.cut(&mut listed);
            let shapes: Vec<_> = listed.iter().map(MailShape::new).collect();
            let header = ["ID", "DOMAIN", "DUE", "EXPIRES", "ATTEMPTS", "FAILURE"];
            operator.output.list(&shapes, header, MailShape::row, "no mail waits to be sent")?;
            if more {
                output::remark("there are more: --limit shows them");
            }
            Ok(())
        }
        MailCommand::Retry { id } => retry(operator, id).await,
    }
}

async fn test(operator: &Operator, address: &Email) -> Result<(), Failure> {
    let tested = mails::test(&operator.app, &operator.actor.caller, address).await;
    match tested.map_err(|error| Failure::Refused(error.to_string()))? {
        Tested::Taken { server, answer } => {
            let document = serde_json::json!({ "taken": true, "server": server, "answer": answer });
            operator.output.done(&document, &format!("{server} took the mail: {answer}"))
        }
        Tested::Refused(why) => Err(Failure::Refused(why.to_string())),
        Tested::Files => Err(Failure::Refused(
            "no mail server is configured: mails are written into the outbox of the data directory; set mail.smtp.host"
                .to_owned(),
        )),
    }
}

async fn retry(operator: &Operator, id: Option<MailId>) -> Result<(), Failure> {
    let hurried = mails::retry(&operator.app, &operator.actor, id).await;
    let hurried = match id {
        Some(id) => hurried.map_err(about(Subject::Mail(id)))?,
        None => hurried.map_err(|error| Failure::Refused(error.to_string()))?,
    };
    let sentence = match hurried {
        0 => "no mail waits for a later time".to_owned(),
        1 => "1 mail is tried at once by the server, where it runs".to_owned(),
        _ => format!("{hurried} mails are tried at once by the server, where it runs"),
    };
    operator.output.done(&serde_json::json!({ "retried": hurried }), &sentence)
}
