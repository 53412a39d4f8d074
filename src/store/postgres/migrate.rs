//! Brings PostgreSQL's schema up, all steps in one transaction. Of nodes that start together one does
//! it, and the others wait for it.

use tokio_postgres::Row;

use super::failure::{Failure, Meaning};
use super::link::{Bound, Link, Lock};
use super::refusal;
use crate::clock::Timestamp;
use crate::store::migrations::{self, Applied, Migration, checksum};
use crate::store::sql::{Kind, Row as _, Value, unreadable};
use crate::store::{OpenError, Schema};

const JOURNAL: &str = "create table if not exists migrations (
    version bigint primary key,
    name text not null,
    checksum text not null,
    applied_at bigint not null,
    runs_with bigint not null
)";
const APPLIED: &str = "select version, checksum, runs_with from migrations order by version";
const APPLY: &str =
    "insert into migrations (version, name, checksum, applied_at, runs_with) values ($1, $2, $3, $4, $5)";

/// A row that is held by whoever works on the schema, in a table that no step ever changes: who waits
/// for the row holds the table.
const TURNSTILE: &str = "create table if not exists migration_turns (id bigint primary key);
    insert into migration_turns (id) values (1) on conflict do nothing";
const TURN: &str = "select id from migration_turns where id = 1";

/// How often a node tries to make the journal beside another that makes it.
const TRIES: usize = 10;

/// Applies what is missing. However long a step takes, or another node that was first.
pub(super) async fn run(link: &Link, now: Timestamp, schema: Schema) -> Result<(), OpenError> {
    refuse_other_encodings(link).await?;
    let applied = begin(link, schema).await.map_err(|failure| refusal(&failure))?;
    let Some(applied) = applied else {
        return Err(OpenError::new(
            "there is no doorward data in this database: correct database_url, or start `doorward serve` once to make it",
        ));
    };
    let pending = migrations::pending(&applied, |step| step.postgres)?;
    apply(link, pending, now).await.map_err(|failure| refusal(&failure))
}

/// Texts of every kind have to fit.
async fn refuse_other_encodings(link: &Link) -> Result<(), OpenError> {
    const ENCODING: &str = "select current_setting('server_encoding')";
    let rows = all(link, ENCODING).await.map_err(|failure| refusal(&failure))?;
    match rows.first().map(<(String,)>::read) {
        Some(Ok((encoding,))) if !encoding.eq_ignore_ascii_case("UTF8") => Err(OpenError::new(format!(
            "the database's encoding is {encoding}: make one with `create database … encoding 'UTF8' template template0`"
        ))),
        _ => Ok(()),
    }
}

/// Waits for its turn; the steps that were taken before. `None` where there is no schema, and none is
/// to be made.
async fn begin(link: &Link, schema: Schema) -> Result<Option<Vec<Applied>>, Failure> {
    // Whoever may use the schema need not have the right to make one.
    if all(link, TURN).await.is_err() || applied(link).await.is_err() {
        if schema == Schema::Required {
            return Ok(None);
        }
        make_journal(link).await?;
    }
    link.command("set statement_timeout = 0; set idle_in_transaction_session_timeout = 0; begin").await?;
    link.command_unbounded(&super::link::locking(TURN, Lock::Update)).await?;
    applied(link).await.map(Some)
}

async fn apply(link: &Link, pending: &[Migration], now: Timestamp) -> Result<(), Failure> {
    for step in pending {
        link.command_unbounded(step.postgres).await?;
        let checksum = checksum(step.postgres);
        let values = [
            Value::Integer(step.version),
            Value::Text(step.name),
            Value::Text(&checksum),
            Value::Integer(now.micros()),
            Value::Integer(step.runs_with),
        ];
        let kinds = &[Kind::Integer, Kind::Text, Kind::Text, Kind::Integer, Kind::Integer];
        link.execute(Bound { text: APPLY, lock: Lock::None, kinds, values: &values }).await?;
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

async fn all(link: &Link, text: &'static str) -> Result<Vec<Row>, Failure> {
    link.rows(Bound { text, lock: Lock::None, kinds: &[], values: &[] }).await
}

async fn applied(link: &Link) -> Result<Vec<Applied>, Failure> {
    let read = |row: &Row| <(i64, String, i64)>::read(row);
    let rows: Result<Vec<_>, usize> = all(link, APPLIED).await?.iter().map(read).collect();
    let rows = rows.map_err(|index| Failure::new(Meaning::Refused, unreadable(APPLIED, index).to_string()))?;
    let applied = |(version, checksum, runs_with)| Applied { version, checksum, runs_with };
    Ok(rows.into_iter().map(applied).collect())
}
