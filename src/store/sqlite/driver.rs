//! How SQLite's driver binds values, reads rows and says what went wrong, and the connections that a
//! thread keeps.

use std::cell::RefCell;
use std::rc::Rc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode};

use crate::domain::error::{Error, Result};
use crate::store::sql::{Cells, Parameters, Row, Statement, Value, unreadable};

impl rusqlite::ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(number),
            Self::Boolean(truth) => ValueRef::Integer(i64::from(truth)),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl Cells for rusqlite::Row<'_> {
    fn cell(&self, index: usize) -> Option<Value<'_>> {
        Some(match self.get_ref(index).ok()? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Integer(number),
            ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?),
            ValueRef::Blob(bytes) => Value::Bytes(bytes),
            ValueRef::Real(_) => return None,
        })
    }
}

/// Runs `statement` for its effect; how many rows it changed.
pub(super) fn execute<P: Parameters>(
    connection: &Connection,
    statement: &Statement<P, ()>,
    inputs: &P::Inputs<'_>,
) -> Result<u64> {
    let mut prepared = connection.prepare_cached(statement.text).map_err(|error| fault(&error))?;
    let values = P::values(inputs);
    let changed = prepared.execute(rusqlite::params_from_iter(values.as_ref())).map_err(|error| fault(&error))?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

/// Runs `statement` and hands each row to `take`.
pub(super) fn rows<P: Parameters, R: Row>(
    connection: &Connection,
    statement: &Statement<P, R>,
    inputs: &P::Inputs<'_>,
    mut take: impl FnMut(R),
) -> Result<()> {
    let mut prepared = connection.prepare_cached(statement.text).map_err(|error| fault(&error))?;
    let values = P::values(inputs);
    let mut rows = prepared.query(rusqlite::params_from_iter(values.as_ref())).map_err(|error| fault(&error))?;
    while let Some(row) = rows.next().map_err(|error| fault(&error))? {
        take(R::read(row).map_err(|index| unreadable(statement.text, index))?);
    }
    Ok(())
}

/// What a driver's error means. The cause is for the log.
pub(super) fn fault(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Error::Unavailable("the database is locked by another process".to_owned())
        }
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::OutOfMemory,
        ) => Error::Unavailable(format!("the store cannot be used: {error}")),
        _ => Error::Internal(format!("the store refused a statement: {error}")),
    }
}

thread_local! {
    /// This thread's connections, by store: a worker reads through its own, the writer through
    /// the one that holds the transaction.
    static CONNECTIONS: RefCell<Vec<(u64, Rc<Connection>)>> = const { RefCell::new(Vec::new()) };
}

/// This thread's connection to the store `id`, opened by `open` at its first use.
pub(super) fn connection_of_thread(id: u64, open: impl FnOnce() -> Result<Connection>) -> Result<Rc<Connection>> {
    let known = CONNECTIONS.with_borrow(|all| all.iter().find(|(store, _)| *store == id).map(|(_, it)| Rc::clone(it)));
    if let Some(connection) = known {
        return Ok(connection);
    }
    let connection = Rc::new(open()?);
    CONNECTIONS.with_borrow_mut(|all| all.push((id, Rc::clone(&connection))));
    Ok(connection)
}
