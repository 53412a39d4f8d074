//! A database file as one end of a move: held alone, in one transaction.

use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use super::{driver, migrate, open};
use crate::clock::Timestamp;
use crate::store::sql::Value;
use crate::store::transfer::{End, MoveError, Page, Table};

/// How long a command that is about to end is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);
/// Indexes are filled in no order: they had better be in memory.
const CACHE_KIB: i32 = 64 << 10;

/// The file. In write-ahead mode others would see it change while they read; until this is dropped it
/// is in rollback mode, which it can be only where nobody else has it open, and locked.
pub(in crate::store) struct Held {
    connection: Connection,
    path: PathBuf,
}

impl Held {
    pub(in crate::store) fn open(path: &Path, end: End, now: Timestamp) -> Result<Self, MoveError> {
        if end == End::Origin && !path.exists() {
            let path = path.display();
            return Err(MoveError::new(format!("there is no database {path}: name its directory with --data-dir")));
        }
        let held = Self { connection: open::for_writing(path)?, path: path.to_owned() };
        held.take_alone()?;
        migrate::run(&held.connection, now)?;
        held.batch("begin exclusive")?;
        Ok(held)
    }

    fn take_alone(&self) -> Result<(), MoveError> {
        let begun = Instant::now();
        while !self.set_journal_mode("delete") {
            if begun.elapsed() > PATIENCE {
                return Err(self.in_use());
            }
            sleep(PAUSE);
        }
        let alone = self
            .connection
            .pragma_update(None, "cache_size", -CACHE_KIB)
            .and_then(|()| self.connection.pragma_update_and_check(None, "locking_mode", "exclusive", |_| Ok(())))
            .and_then(|()| self.connection.execute_batch("begin exclusive; commit"));
        alone.map_err(|_| self.in_use())
    }

    /// Leaving the write-ahead mode fails while anybody else has the file open.
    fn set_journal_mode(&self, mode: &str) -> bool {
        let set = self.connection.pragma_update_and_check(None, "journal_mode", mode, |row| row.get::<_, String>(0));
        set.is_ok_and(|set| set == mode)
    }

    fn in_use(&self) -> MoveError {
        MoveError::new(format!(
            "the database {} is in use: stop the server on it, and every other program that has it open",
            self.path.display()
        ))
    }

    fn fault(&self, error: &rusqlite::Error) -> MoveError {
        MoveError::new(format!("{} ({})", driver::fault(error), self.path.display()))
    }

    fn batch(&self, text: &str) -> Result<(), MoveError> {
        self.connection.execute_batch(text).map_err(|error| self.fault(&error))
    }

    pub(in crate::store) fn commit(self) -> Result<(), MoveError> {
        self.batch("commit")
    }

    pub(in crate::store) fn number(&self, text: &str) -> Result<i64, MoveError> {
        self.connection.query_row(text, (), |row| row.get(0)).map_err(|error| self.fault(&error))
    }

    pub(in crate::store) fn text(&self, text: &str, value: &str) -> Result<Option<String>, MoveError> {
        let found = self.connection.query_row(text, (value,), |row| row.get(0)).optional();
        found.map_err(|error| self.fault(&error))
    }

    pub(in crate::store) fn execute(&self, text: &str, values: &[Value<'_>]) -> Result<(), MoveError> {
        let executed = self.connection.execute(text, params_from_iter(values));
        executed.map(drop).map_err(|error| self.fault(&error))
    }

    pub(in crate::store) fn page(&self, table: &Table, last: Option<&Page>) -> Result<Page, MoveError> {
        let fault = |error| self.fault(&error);
        let mut prepared = self.connection.prepare_cached(&table.select(last.is_none(), "")).map_err(fault)?;
        let key = last.map(|last| last.last_key(table)).unwrap_or_default();
        let mut rows = prepared.query(params_from_iter(key)).map_err(fault)?;
        let mut page = Page::of(table);
        while let Some(row) = rows.next().map_err(fault)? {
            page.take(table, row)?;
        }
        Ok(page)
    }

    pub(in crate::store) fn insert(&self, table: &Table, page: &Page) -> Result<(), MoveError> {
        let fault = |error| self.fault(&error);
        let mut prepared = self.connection.prepare_cached(&table.insert()).map_err(fault)?;
        for row in page.rows() {
            prepared.execute(params_from_iter(row)).map_err(fault)?;
        }
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Where even this fails, the next who opens the file does it.
            let _ = self.connection.execute_batch("rollback");
        }
        let _ = self.connection.pragma_update_and_check(None, "locking_mode", "normal", |_| Ok(()));
        self.set_journal_mode("wal");
    }
}
