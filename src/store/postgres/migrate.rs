//! Brings PostgreSQL's schema up, all steps in one transaction. Of nodes that start together one does
//! it, and the others wait for it.

use super::failure::{Failure, Meaning};
use super::link::{Bound, Link, Lock};
use super::refusal;
use crate::clock::Timestamp;
use crate::store::OpenError;
use crate::store::migrations::{self, Applied, Migration, checksum, journal};
use crate::store::sql::{Kind, Row as _, Value, unreadable};

const JOURNAL: &str = "create table if not exists migrations (
    version bigint primary key,
    name text not null,
    checksum text not null,
    applied_at bigint not null
)";

/// A row that is held by whoever works on the schema, in a table that no step ever changes: who waits
/// for the row holds the table.
const TURNSTILE: &str = "create table if not exists migration_turns (id bigint primary key);
    insert into migration_turns (id) values (1) on conflict do nothing";
const TURN: &str = "select id from migration_turns where id = 1";

/// How often a node tries to make the journal beside another that makes it.
const TRIES: usize = 10;

/// Applies what is missing. However long a step takes, or another node that was first.
pub(super) async fn run(link: &Link, now: Timestamp) -> Result<(), OpenError> {
    let applied = begin(link).await.map_err(|failure| refusal(&failure))?;
    let pending = migrations::pending(&applied, |step| step.postgres)?;
    apply(link, pending, now).await.map_err(|failure| refusal(&failure))
}

/// Waits for its turn; the steps that were taken before.
async fn begin(link: &Link) -> Result<Vec<Applied>, Failure> {
    make_journal(link).await?;
    link.command("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; begin").await?;
    link.command_unbounded(&super::link::locking(TURN, Lock::Update)).await?;
    applied(link).await
}

async fn apply(link: &Link, pending: &[Migration], now: Timestamp) -> Result<(), Failure> {
    for step in pending {
        link.command_unbounded(step.postgres).await?;
        let checksum = checksum(step.postgres);
        let row = [
            Value::Integer(step.version),
            Value::Text(step.name),
            Value::Text(&checksum),
            Value::Integer(now.micros()),
        ];
        execute(link, journal::INSERT, &[Kind::Integer, Kind::Text, Kind::Text, Kind::Integer], &row).await?;
        if step.version >= journal::HAS_RUNS_WITH {
            let row = [step.runs_with, step.version].map(Value::Integer);
            execute(link, journal::SET_RUNS_WITH, &[Kind::Integer, Kind::Integer], &row).await?;
        }
        tracing::info!(migration = step.name, "the schema was brought up");
    }
    link.command_unbounded("commit").await
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
