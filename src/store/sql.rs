//! Typed statements: a text, the types that go in and the types that come out, declared once.
//! The only file that knows how a database driver binds and reads; a second engine adds its
//! arms here.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode};

use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, SessionId, TokenId, UserId};
use crate::domain::session::Dialect;
use crate::domain::user::Status;

/// The kinds of values that both engines keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Boolean,
    Text,
    Bytes,
}

/// One value on its way in.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
}

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

/// A type that a column holds: how it is declared, handed in and read back.
pub(crate) trait Field: Sized {
    /// What a caller hands in for it: the value itself, or a borrowed form.
    type Input<'a>;
    const KIND: Kind;
    fn value<'v>(input: &'v Self::Input<'_>) -> Value<'v>;
    /// `None` where the cell holds something else.
    fn read(cell: ValueRef<'_>) -> Option<Self>;
}

impl Field for i64 {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Integer;
    fn value(input: &Self) -> Value<'_> {
        Value::Integer(*input)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok()
    }
}

impl Field for bool {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Boolean;
    fn value(input: &Self) -> Value<'_> {
        Value::Boolean(*input)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok().map(|number| number != 0)
    }
}

impl Field for Timestamp {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Integer;
    fn value(input: &Self) -> Value<'_> {
        Value::Integer(input.micros())
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_i64().ok().map(Self::from_micros)
    }
}

impl Field for String {
    type Input<'a> = &'a str;
    const KIND: Kind = Kind::Text;
    fn value<'v>(input: &'v &str) -> Value<'v> {
        Value::Text(input)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_str().ok().map(str::to_owned)
    }
}

impl Field for Vec<u8> {
    type Input<'a> = &'a [u8];
    const KIND: Kind = Kind::Bytes;
    fn value<'v>(input: &'v &[u8]) -> Value<'v> {
        Value::Bytes(input)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Field for [u8; N] {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Bytes;
    fn value(input: &Self) -> Value<'_> {
        Value::Bytes(input)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        cell.as_blob().ok()?.try_into().ok()
    }
}

macro_rules! id_fields {
    ($($id:ty),*) => {$(
        impl Field for $id {
            type Input<'a> = Self;
            const KIND: Kind = Kind::Bytes;
            fn value(input: &Self) -> Value<'_> {
                Value::Bytes(input.as_bytes())
            }
            fn read(cell: ValueRef<'_>) -> Option<Self> {
                cell.as_blob().ok()?.try_into().ok().map(Self::from_bytes)
            }
        }
    )*};
}

id_fields!(UserId, TokenId, SessionId, ProjectId);

macro_rules! word_fields {
    ($($word:ty: $parse:expr),*) => {$(
        impl Field for $word {
            type Input<'a> = Self;
            const KIND: Kind = Kind::Text;
            fn value(input: &Self) -> Value<'_> {
                Value::Text(input.as_str())
            }
            fn read(cell: ValueRef<'_>) -> Option<Self> {
                cell.as_str().ok().and_then($parse)
            }
        }
    )*};
}

word_fields!(Dialect: Dialect::parse, Status: |text| Status::parse(text).ok());

impl<T: Field> Field for Option<T> {
    type Input<'a> = Option<T::Input<'a>>;
    const KIND: Kind = T::KIND;
    fn value<'v>(input: &'v Self::Input<'_>) -> Value<'v> {
        input.as_ref().map_or(Value::Null, T::value)
    }
    fn read(cell: ValueRef<'_>) -> Option<Self> {
        if matches!(cell, ValueRef::Null) { Some(None) } else { T::read(cell).map(Some) }
    }
}

/// The types of a statement's parameters, `$1` first: a tuple of [`Field`]s.
pub(crate) trait Parameters {
    type Inputs<'a>;
    #[cfg_attr(not(test), expect(dead_code, reason = "what the test of all statements compares"))]
    const KINDS: &'static [Kind];
    fn bind<T>(inputs: &Self::Inputs<'_>, run: impl FnOnce(&[Value<'_>]) -> T) -> T;
}

/// What one row is read into: a tuple of [`Field`]s, or a struct made by [`row!`].
pub(crate) trait Row: Sized {
    #[cfg_attr(not(test), expect(dead_code, reason = "what the test of all statements compares"))]
    const KINDS: &'static [Kind];
    /// Reads the columns in order; the error names the first that holds something else.
    fn read(row: &rusqlite::Row<'_>) -> Result<Self, usize>;
}

/// Reads column `index`.
pub(crate) fn column<T: Field>(row: &rusqlite::Row<'_>, index: usize) -> Result<T, usize> {
    row.get_ref(index).ok().and_then(T::read).ok_or(index)
}

macro_rules! tuples {
    ($(($($name:ident $index:tt),*);)*) => {$(
        impl<$($name: Field),*> Parameters for ($($name,)*) {
            type Inputs<'a> = ($($name::Input<'a>,)*);
            const KINDS: &'static [Kind] = &[$($name::KIND),*];
            fn bind<T>(inputs: &Self::Inputs<'_>, run: impl FnOnce(&[Value<'_>]) -> T) -> T {
                let _ = inputs;
                run(&[$($name::value(&inputs.$index)),*])
            }
        }
        impl<$($name: Field),*> Row for ($($name,)*) {
            const KINDS: &'static [Kind] = &[$($name::KIND),*];
            fn read(row: &rusqlite::Row<'_>) -> Result<Self, usize> {
                let _ = row;
                Ok(($(column::<$name>(row, $index)?,)*))
            }
        }
    )*};
}

tuples! {
    ();
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15, Q 16);
}

/// Declares a struct that a row is read into, column by column in the order of its fields.
macro_rules! row {
    ($(#[$meta:meta])* $visibility:vis struct $name:ident { $($field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        $visibility struct $name { $($visibility $field: $type,)* }

        $crate::store::sql::row! { $name { $($field: $type,)* } }
    };
    // A struct of the domain that has a field for each column.
    ($name:ident { $($field:ident: $type:ty,)* }) => {
        impl $crate::store::sql::Row for $name {
            const KINDS: &'static [$crate::store::sql::Kind] =
                &[$(<$type as $crate::store::sql::Field>::KIND),*];
            fn read(row: &rusqlite::Row<'_>) -> Result<Self, usize> {
                let mut index = 0..;
                let mut next = || index.next().unwrap_or_default();
                Ok(Self { $($field: $crate::store::sql::column::<$type>(row, next())?,)* })
            }
        }
    };
}
pub(crate) use row;

/// One SQL text with the types of its parameters and of its rows.
pub(crate) struct Statement<P, R> {
    text: &'static str,
    types: PhantomData<fn(P) -> R>,
}

/// A statement without its types: what the test of all statements looks at.
#[cfg(test)]
#[derive(Clone, Copy)]
pub(crate) struct Described {
    pub(crate) name: &'static str,
    pub(crate) text: &'static str,
    pub(crate) parameters: &'static [Kind],
    pub(crate) columns: &'static [Kind],
}

impl<P: Parameters, R: Row> Statement<P, R> {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self { text, types: PhantomData }
    }

    #[cfg(test)]
    pub(crate) const fn describe(&self, name: &'static str) -> Described {
        Described { name, text: self.text, parameters: P::KINDS, columns: R::KINDS }
    }
}

/// Declares a file's statements: `NAME: (parameter types) -> row type = "text";`
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident: ($($parameter:ty),*) -> $row:ty = $text:expr;)*) => {
        $($(#[$doc])* const $name: $crate::store::sql::Statement<($($parameter,)*), $row> =
            $crate::store::sql::Statement::new($text);)*

        /// Every statement of this file.
        #[cfg(test)]
        pub(super) const ALL: &[$crate::store::sql::Described] = &[$($name.describe(stringify!($name)),)*];
    };
}
pub(crate) use statements;

/// Runs `statement` for its effect; how many rows it changed.
pub(crate) fn execute<P: Parameters>(
    connection: &Connection,
    statement: &Statement<P, ()>,
    inputs: &P::Inputs<'_>,
) -> Result<u64> {
    let mut prepared = connection.prepare_cached(statement.text).map_err(|error| fault(&error))?;
    let changed = P::bind(inputs, |values| prepared.execute(rusqlite::params_from_iter(values)))
        .map_err(|error| fault(&error))?;
    Ok(u64::try_from(changed).unwrap_or(u64::MAX))
}

/// Runs `statement` and hands each row to `take`.
pub(crate) fn rows<P: Parameters, R: Row>(
    connection: &Connection,
    statement: &Statement<P, R>,
    inputs: &P::Inputs<'_>,
    mut take: impl FnMut(R),
) -> Result<()> {
    let mut prepared = connection.prepare_cached(statement.text).map_err(|error| fault(&error))?;
    P::bind(inputs, |values| {
        let mut rows = prepared.query(rusqlite::params_from_iter(values)).map_err(|error| fault(&error))?;
        while let Some(row) = rows.next().map_err(|error| fault(&error))? {
            take(R::read(row).map_err(|index| unreadable(statement.text, index))?);
        }
        Ok(())
    })
}

fn unreadable(text: &str, index: usize) -> Error {
    Error::Internal(format!("column {index} of a row is not of its declared type, in: {text}"))
}

/// What a driver's error means. The cause is for the log.
pub(crate) fn fault(error: &rusqlite::Error) -> Error {
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
pub(crate) fn connection_of_thread(id: u64, open: impl FnOnce() -> Result<Connection>) -> Result<Rc<Connection>> {
    let known = CONNECTIONS.with_borrow(|all| all.iter().find(|(store, _)| *store == id).map(|(_, it)| Rc::clone(it)));
    if let Some(connection) = known {
        return Ok(connection);
    }
    let connection = Rc::new(open()?);
    CONNECTIONS.with_borrow_mut(|all| all.push((id, Rc::clone(&connection))));
    Ok(connection)
}
