//! Brings PostgreSQL's schema up, all steps in one transaction. Of nodes that start together one does
//! it, and the others wait for it.

use super::failure::{Failure, Meaning};
use super::link::{Bound, Link, Lock};
use super::refusal;
use crate::clock::Timestamp;
use crate::store::OpenError;
use crate::store::migrations::{self, Applied, checksum, journal};
use crate::store::sql::{Kind, Row as _, Value, unreadable};

const JOURNAL: &str = "create table if not exists migrations (
    version bigint primary key,
    name text not null,
    checksum text not null,
    applied_at bigint not null
)";

/// The row of no step, which is held by whoever works on the schema.
const TURNSTILE: &str = "insert into migrations (version, name, checksum, applied_at) values (0, 'turnstile', '', 0)
    on conflict do nothing";
const TURN: &str = "select version from migrations where version = 0";

/// How often a node tries to make the journal beside another that makes it.
const TRIES: usize = 10;

/// Applies what is missing. However long a step takes, or another node that was first.
pub(super) async fn run(link: &Link, now: Timestamp) -> Result<(), OpenError> {
    make_journal(link).await.map_err(refusal)?;
    let isolated = "set session statement_timeout = 0; set session idle_in_transaction_session_timeout = 0; begin";
    link.command(isolated).await.map_err(refusal)?;
    link.command_unbounded(&super::link::locking(TURN, Lock::Update)).await.map_err(refusal)?;
    let pending = migrations::pending(&applied(link).await.map_err(refusal)?, |step| step.postgres)?;
    for step in pending {
        link.command_unbounded(step.postgres).await.map_err(refusal)?;
        let checksum = checksum(step.postgres);
        let row = [
            Value::Integer(step.version),
            Value::Text(step.name),
            Value::Text(&checksum),
            Value::Integer(now.micros()),
        ];
        let kinds = &[Kind::Integer, Kind::Text, Kind::Text, Kind::Integer];
        execute(link, journal::INSERT, kinds, &row).await.map_err(refusal)?;
        if step.version >= journal::HAS_RUNS_WITH {
            let row = [step.runs_with, step.version].map(Value::Integer);
            execute(link, journal::SET_RUNS_WITH, &[Kind::Integer, Kind::Integer], &row).await.map_err(refusal)?;
        }
        tracing::info!(migration = step.name, "the schema was brought up");
    }
    link.command_unbounded("commit").await.map_err(refusal)
}

/// Two that make a table at once are told so by an error, however much they say `if not exists`.
async fn make_journal(link: &Link) -> Result<(), Failure> {
    let mut tries = 0..TRIES;
    loop {
        let made = match link.command(JOURNAL).await {
            Ok(()) => link.command(TURNSTILE).await,
            failed => failed,
        };
        match made {
            Err(failure) if failure.meaning != Meaning::Lost && tries.next().is_some() => {}
            done => return done,
        }
    }
}

async fn execute(link: &Link, text: &'static str, kinds: &'static [Kind], values: &[Value<'_>]) -> Result<(), Failure> {
    link.execute(Bound { text, lock: Lock::None, kinds, values }).await.map(drop)
}

async fn applied(link: &Link) -> Result<Vec<Applied>, Failure> {
    let all = |text: &'static str| link.rows(Bound { text, lock: Lock::None, kinds: &[], values: &[] });
    let unread = |index| Failure::new(Meaning::Refused, unreadable("migrations", index).to_string());
    let mut applied = Vec::new();
    for row in all(journal::LIST).await? {
        let (version, checksum) = <(i64, String)>::read(&row).map_err(unread)?;
        applied.push(Applied { version, checksum, runs_with: 1 });
    }
    if applied.last().is_some_and(|last| last.version >= journal::HAS_RUNS_WITH) {
        for (step, row) in applied.iter_mut().zip(all(journal::LIST_RUNS_WITH).await?) {
            step.runs_with = <(i64, i64)>::read(&row).map_err(unread)?.1;
        }
    }
    Ok(applied)
}
