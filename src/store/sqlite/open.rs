//! Opens SQLite: the settings of a connection, the modes of its files, and what to say when it
//! does not work.

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::domain::error::{Error, Result};
use crate::store::OpenError;

/// How long one process waits for another one's write transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const STATEMENTS_KEPT: usize = 128;

/// Why a database file could not be opened, and how to mend that.
pub(super) fn refusal(path: &Path, error: &rusqlite::Error) -> OpenError {
    let path = path.display();
    OpenError::new(match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => format!(
            "the database {path} is damaged ({error}): stop every doorward on it, keep a copy, and restore it from a backup"
        ),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => format!(
            "the database {path} cannot be opened for writing ({error}): give this user the right to write the file and its directory"
        ),
        Some(ErrorCode::DiskFull) => format!("no space is left for the database {path}: free some and start again"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("the database {path} is locked by another process: wait for it to end, or stop it")
        }
        _ => format!("the database {path} cannot be opened: {error}"),
    })
}

/// A number that no other store of this process has.
pub(super) fn next_store_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Makes the file where there is none, readable by its owner alone, and opens it.
pub(super) fn for_writing(path: &Path) -> Result<Connection, OpenError> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(|error| {
        OpenError::new(format!(
            "the database {} cannot be written ({error}): give this user the right to write it, or free some space",
            path.display()
        ))
    })?;
    restrict(path)?;
    open_writer(path).map_err(|error| refusal(path, &error))
}

/// A database that was copied in may be open to others, and so may what lies beside it.
fn restrict(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(suffix);
        match fs::set_permissions(&file, fs::Permissions::from_mode(0o600)) {
            Err(error) if error.kind() != ErrorKind::NotFound || suffix.is_empty() => {
                let file = file.display();
                return Err(OpenError::new(format!("the mode of {file} cannot be set to 0600: {error}")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Brings everything into the one file and empties what lies beside it, where no other process
/// works on the database: a stopped server leaves a file that can be copied alone.
pub(super) fn settle(connection: &Connection) {
    let settled = connection
        .busy_timeout(Duration::ZERO)
        .and_then(|()| connection.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(())));
    if let Err(error) = settled {
        // Nothing is lost: the next start reads what lies beside it.
        tracing::debug!(%error, "the database's log stays beside it");
    }
}

/// Brings what a server that was killed has left in the log into the file, and syncs that: the log may
/// hold commits that are in the system's memory and on no disk, because their sync failed before the
/// kill. What is added behind them would be lost with them. Where others work on the database, they
/// have seen to that.
fn bring_in(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::ZERO)?;
    let brought = connection.query_row("pragma wal_checkpoint(truncate)", (), |_| Ok(()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    match brought {
        Err(error)
            if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) =>
        {
            Ok(())
        }
        // Reads can be answered all the same.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
            tracing::warn!(%error, "no space is left for the database: what was written last stays in its log");
            Ok(())
        }
        brought => brought,
    }
}

fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    // What was acknowledged survives the loss of power: every commit is synced.
    connection.pragma_update(None, "synchronous", "full")?;
    bring_in(&connection)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    keep_plans(&connection)?;
    Ok(connection)
}

/// What every connection has: nothing in the schema is trusted to run code, and a statement is planned
/// once. Without that, SQLite plans many a one anew at each use, in case its values make another plan
/// better: a refresh took three times as long.
pub(in crate::store) fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(())
}

/// What a reading connection keeps of the database: the upper floors of its indexes. Each thread that
/// answers has one, and the operating system keeps the rest once for all of them.
const READERS_PAGES_KIB: i32 = 1_000;

/// A connection that cannot write.
pub(super) fn for_reading(path: &Path) -> Result<Connection> {
    let open = || -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -READERS_PAGES_KIB)?;
        keep_plans(&connection)?;
        Ok(connection)
    };
    open().map_err(|error| Error::Unavailable(format!("the database cannot be opened for reading: {error}")))
}
