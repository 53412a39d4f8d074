//! Brings the schema up: embedded migrations, all in one transaction, with their checksums kept.
//! A schema that a newer version made is refused.

use std::fmt::Write as _;

use aws_lc_rs::digest;
use rusqlite::{Connection, TransactionBehavior};

use super::open::OpenError;
use crate::clock::Timestamp;

struct Migration {
    version: i64,
    name: &'static str,
    text: &'static str,
}

/// In order. A released one is never edited: its checksum is in every database.
const MIGRATIONS: &[Migration] = &[
    Migration { version: 1, name: "0001_identity", text: include_str!("../../migrations/sqlite/0001_identity.sql") },
    Migration {
        version: 2,
        name: "0002_partial_indexes",
        text: include_str!("../../migrations/sqlite/0002_partial_indexes.sql"),
    },
];

const JOURNAL: &str = "create table if not exists migrations (
    version integer primary key,
    name text not null,
    checksum text not null,
    applied_at integer not null
) strict";

/// Applies what is missing.
pub(super) fn run(connection: &Connection, now: Timestamp) -> Result<(), OpenError> {
    let fault = |error: rusqlite::Error| match connection.path() {
        Some(path) => OpenError::of(path.as_ref(), &error),
        None => OpenError::new(error.to_string()),
    };
    let transaction =
        rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(fault)?;
    transaction.execute_batch(JOURNAL).map_err(fault)?;
    let applied = applied(&transaction).map_err(fault)?;
    check(&applied)?;
    for migration in &MIGRATIONS[applied.len()..] {
        transaction.execute_batch(migration.text).map_err(fault)?;
        transaction
            .execute(
                "insert into migrations (version, name, checksum, applied_at) values ($1, $2, $3, $4)",
                (migration.version, migration.name, checksum(migration.text), now.micros()),
            )
            .map_err(fault)?;
        tracing::info!(migration = migration.name, "the schema was brought up");
    }
    transaction.commit().map_err(fault)
}

fn applied(connection: &Connection) -> rusqlite::Result<Vec<(i64, String)>> {
    connection
        .prepare("select version, checksum from migrations order by version")?
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

fn check(applied: &[(i64, String)]) -> Result<(), OpenError> {
    for (position, (version, found)) in applied.iter().enumerate() {
        let Some(ours) = MIGRATIONS.get(position).filter(|ours| ours.version == *version) else {
            return Err(OpenError::new(format!(
                "the database has schema version {version}, and this doorward knows versions up to {}: it was last \
                 opened by a newer doorward; start that one, or restore the backup made before the upgrade",
                MIGRATIONS.len()
            )));
        };
        if *found != checksum(ours.text) {
            return Err(OpenError::new(format!(
                "the database's schema version {version} was not made by a released doorward: restore it from a backup"
            )));
        }
    }
    Ok(())
}

fn checksum(text: &str) -> String {
    let mut hex = String::with_capacity(64);
    for byte in digest::digest(&digest::SHA256, text.as_bytes()).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
