//! `doorward audit`: what was done and refused, and whether the log of it is whole.

use serde::Serialize;

use super::arguments::{AuditCommand, ListAudit, Outcome};
use super::message::Failure;
use super::operator::Operator;
use super::output;
use crate::actions::audit::{self, Fault, Filter, Order, Position, Record, Verdict, Whose};
use crate::domain::id::{UserId, hex};
use crate::domain::user::UserRef;

/// A row. The names of the fields are a promise to programs.
#[derive(Serialize)]
struct RecordShape<'r> {
    seq: i64,
    at: String,
    /// What the hash is made of: microseconds since 1970.
    at_micros: i64,
    action: &'r str,
    result: &'r str,
    reason: Option<&'r str>,
    actor: Option<String>,
    credential: &'r str,
    credential_id: Option<String>,
    subject: Option<&'r str>,
    subject_id: Option<String>,
    user: Option<String>,
    detail: Option<&'r str>,
    address: Option<&'r str>,
    user_agent: Option<&'r str>,
    via: &'r str,
    times: i64,
    hash: String,
}

impl<'r> RecordShape<'r> {
    fn new(record: &'r Record) -> Self {
        let shown = |bytes: &Option<Vec<u8>>| bytes.as_deref().map(hex);
        Self {
            seq: record.seq,
            at: record.at.rfc3339(),
            at_micros: record.at.micros(),
            action: &record.action,
            result: &record.result,
            reason: record.reason.as_deref(),
            actor: shown(&record.actor),
            credential: &record.credential,
            credential_id: shown(&record.credential_id),
            subject: record.subject.as_deref(),
            subject_id: shown(&record.subject_id),
            user: shown(&record.user_id),
            detail: record.detail.as_deref(),
            address: record.address.as_deref(),
            user_agent: record.user_agent.as_deref(),
            via: &record.via,
            times: record.times,
            hash: hex(&record.hash),
        }
    }

    fn row(&self) -> [String; 10] {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let result = self.reason.map_or_else(|| self.result.to_owned(), ToOwned::to_owned);
        let times = if self.times == 1 { String::new() } else { format!(" ×{}", self.times) };
        [
            self.seq.to_string(),
            self.at.clone(),
            self.action.to_owned(),
            result + &times,
            self.detail.unwrap_or_default().to_owned(),
            text(&self.user),
            if self.actor == self.user { String::new() } else { text(&self.actor) },
            [self.subject.unwrap_or_default(), &text(&self.subject_id)].join(" ").trim().to_owned(),
            self.address.unwrap_or_default().to_owned(),
            self.via.to_owned(),
        ]
    }
}

pub(super) async fn run(operator: &Operator, command: AuditCommand) -> Result<(), Failure> {
    match command {
        AuditCommand::List(wanted) => list(operator, wanted).await,
        AuditCommand::Verify { expect } => verify(operator, expect.as_ref()).await,
    }
}

async fn list(operator: &Operator, wanted: ListAudit) -> Result<(), Failure> {
    let now = operator.app.now();
    let whose = match (&wanted.user, &wanted.actor) {
        (Some(login), _) => Whose::Concerning(named(operator, login).await?),
        (None, Some(login)) => Whose::DoneBy(named(operator, login).await?),
        (None, None) => Whose::Everybodys,
    };
    let filter = Filter {
        whose,
        action: wanted.action,
        is_refused: wanted.result.map(|result| result == Outcome::Refused),
        address: wanted.address,
        since: wanted.since.map(|since| since.seen_from(now)),
        until: wanted.until.map(|until| until.seen_from(now)),
    };
    let order = if wanted.oldest { Order::OldestFirst } else { Order::NewestFirst };
    let limit = usize::try_from(wanted.limit.to_ask_for()).unwrap_or(usize::MAX);
    let listed = audit::list(&operator.app, &operator.actor.caller, &filter, (order, wanted.after), limit).await;
    let mut listed = listed.map_err(|error| Failure::Refused(error.to_string()))?;
    let more = wanted.limit.cut(&mut listed);
    let shapes: Vec<_> = listed.iter().map(RecordShape::new).collect();
    if operator.output.is_json() {
        return output::json_lines(&shapes);
    }
    let header = ["SEQ", "AT", "ACTION", "RESULT", "DETAIL", "USER", "BY", "SUBJECT", "ADDRESS", "VIA"];
    operator.output.list(&shapes, header, RecordShape::row, "nothing that fits was recorded")?;
    if let Some(last) = shapes.last().filter(|_| more) {
        output::remark(&format!("there is more: --after {} shows what follows", last.seq));
    }
    Ok(())
}

/// The id of a user, who may be gone.
async fn named(operator: &Operator, login: &str) -> Result<UserId, Failure> {
    match UserRef::parse(login) {
        UserRef::Id(id) => Ok(id),
        UserRef::Login(_) => Ok(operator.user(login).await?.id),
    }
}

async fn verify(operator: &Operator, noted: Option<&Position>) -> Result<(), Failure> {
    let verdict = audit::verify(&operator.app, &operator.actor.caller, noted).await;
    let broken = match verdict.map_err(|error| Failure::Refused(error.to_string()))? {
        Verdict::Whole { rows, tail, head } => {
            let document = serde_json::json!({ "rows": rows, "tail": tail.to_string(), "head": head.to_string() });
            let sentence = format!(
                "the audit log is whole: {rows} rows, from {} on; note its head elsewhere, for --expect: {head}",
                tail.seq + 1
            );
            return operator.output.done(&document, &sentence);
        }
        Verdict::Broken { seq, fault } => (seq, fault),
    };
    Err(Failure::Refused(explain(broken)))
}

fn explain((seq, fault): (i64, Fault)) -> String {
    let what = match fault {
        Fault::Missing => "is missing",
        Fault::Altered => "is not as it was written",
        Fault::NotTheHead => "is not what the log's head says",
        Fault::BehindTheHead => "lies behind the log's head: no server has written it",
        Fault::NotAsNoted => "is not the one that was noted: the log was written anew",
        Fault::TakenAway => "was noted and is gone: if audit.retention did not take it away, somebody else did",
    };
    format!("the audit log is broken: row {seq} {what}; keep a copy of the database, and compare it with a backup")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_names_the_row_and_what_to_do() {
        let message = explain((7, Fault::Missing));
        assert!(message.contains("row 7 is missing") && message.contains("backup"), "{message}");
    }
}
