//! Brings SQLite's schema up, all steps in one transaction.

use rusqlite::{Connection, TransactionBehavior};

use super::open::refusal;
use crate::clock::Timestamp;
use crate::store::OpenError;
use crate::store::migrations::{self, Applied, checksum};

const JOURNAL: &str = "create table if not exists migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at integer not null
) strict";

const LIST: &str = "select version, checksum from migrations order by version";
/// From the third step on.
const LIST_RUNS_WITH: &str = "select version, runs_with from migrations order by version";
const INSERT: &str = "insert into migrations (version, name, checksum, applied_at) values ($1, $2, $3, $4)";
const SET_RUNS_WITH: &str = "update migrations set runs_with = $1 where version = $2";
/// The step that gave the journal that column.
const HAS_RUNS_WITH: i64 = 3;

/// Applies what is missing.
pub(in crate::store) fn run(connection: &Connection, now: Timestamp) -> Result<(), OpenError> {
    let fault = |error: rusqlite::Error| match connection.path() {
        Some(path) => refusal(path.as_ref(), &error),
        None => OpenError::new(error.to_string()),
    };
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(fault)?;
    transaction.execute_batch(JOURNAL).map_err(fault)?;
    for step in migrations::pending(&applied(&transaction).map_err(fault)?, |step| step.sqlite)? {
        transaction.execute_batch(step.sqlite).map_err(fault)?;
        let row = (step.version, step.name, checksum(step.sqlite), now.micros());
        transaction.execute(INSERT, row).map_err(fault)?;
        if step.version >= HAS_RUNS_WITH {
            transaction.execute(SET_RUNS_WITH, (step.runs_with, step.version)).map_err(fault)?;
        }
        tracing::info!(migration = step.name, "the schema was brought up");
    }
    transaction.commit().map_err(fault)
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<Applied>> {
    let found = |row: &rusqlite::Row<'_>| Ok(Applied { version: row.get(0)?, checksum: row.get(1)?, runs_with: 1 });
    let mut applied: Vec<Applied> = connection.prepare(LIST)?.query_map((), found)?.collect::<rusqlite::Result<_>>()?;
    if applied.last().is_some_and(|last| last.version >= HAS_RUNS_WITH) {
        let mut listed = connection.prepare(LIST_RUNS_WITH)?;
        let mut rows = listed.query(())?;
        for step in &mut applied {
            let Some(row) = rows.next()? else { break };
            step.runs_with = row.get(1)?;
        }
    }
    Ok(applied)
}
