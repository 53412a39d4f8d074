//! Typed statements: a text, the types that go in and the types that come out, declared once, for
//! both engines. How a driver binds and reads is in the engine's own folder.

use std::marker::PhantomData;

use crate::clock::Timestamp;
use crate::domain::error::Error;
use crate::domain::id::{MailId, ProjectId, SessionId, TokenId, UserId};
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

/// One value on its way in or out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Value<'a> {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    fn integer(self) -> Option<i64> {
        if let Self::Integer(number) = self { Some(number) } else { None }
    }

    fn text(self) -> Option<&'a str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn bytes(self) -> Option<&'a [u8]> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }
}

/// A row as a driver hands it over.
pub(crate) trait Cells {
    /// The cell of column `index`; `None` where there is no such column, or it is of no known kind.
    fn cell(&self, index: usize) -> Option<Value<'_>>;
}

/// A type that a column holds: how it is declared, handed in and read back.
pub(crate) trait Field: Sized {
    /// What a caller hands in for it: the value itself, or a borrowed form.
    type Input<'a>;
    const KIND: Kind;
    fn value<'v>(input: &'v Self::Input<'_>) -> Value<'v>;
    /// `None` where the cell holds something else.
    fn read(cell: Value<'_>) -> Option<Self>;
}

impl Field for i64 {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Integer;
    fn value(input: &Self) -> Value<'_> {
        Value::Integer(*input)
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        cell.integer()
    }
}

impl Field for bool {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Boolean;
    fn value(input: &Self) -> Value<'_> {
        Value::Boolean(*input)
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        match cell {
            Value::Boolean(truth) => Some(truth),
            // SQLite has no booleans of its own.
            cell => cell.integer().map(|number| number != 0),
        }
    }
}

impl Field for Timestamp {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Integer;
    fn value(input: &Self) -> Value<'_> {
        Value::Integer(input.micros())
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        cell.integer().map(Self::from_micros)
    }
}

impl Field for String {
    type Input<'a> = &'a str;
    const KIND: Kind = Kind::Text;
    fn value<'v>(input: &'v &str) -> Value<'v> {
        Value::Text(input)
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        cell.text().map(str::to_owned)
    }
}

impl Field for Vec<u8> {
    type Input<'a> = &'a [u8];
    const KIND: Kind = Kind::Bytes;
    fn value<'v>(input: &'v &[u8]) -> Value<'v> {
        Value::Bytes(input)
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        cell.bytes().map(<[u8]>::to_vec)
    }
}

impl<const N: usize> Field for [u8; N] {
    type Input<'a> = Self;
    const KIND: Kind = Kind::Bytes;
    fn value(input: &Self) -> Value<'_> {
        Value::Bytes(input)
    }
    fn read(cell: Value<'_>) -> Option<Self> {
        cell.bytes()?.try_into().ok()
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
            fn read(cell: Value<'_>) -> Option<Self> {
                cell.bytes()?.try_into().ok().map(Self::from_bytes)
            }
        }
    )*};
}

id_fields!(UserId, TokenId, SessionId, ProjectId, MailId);

macro_rules! word_fields {
    ($($word:ty: $parse:expr),*) => {$(
        impl Field for $word {
            type Input<'a> = Self;
            const KIND: Kind = Kind::Text;
            fn value(input: &Self) -> Value<'_> {
                Value::Text(input.as_str())
            }
            fn read(cell: Value<'_>) -> Option<Self> {
                cell.text().and_then($parse)
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
    fn read(cell: Value<'_>) -> Option<Self> {
        if matches!(cell, Value::Null) { Some(None) } else { T::read(cell).map(Some) }
    }
}

/// The types of a statement's parameters, `$1` first: a tuple of [`Field`]s.
pub(crate) trait Parameters {
    type Inputs<'a>;
    type Values<'v>: AsRef<[Value<'v>]>;
    const KINDS: &'static [Kind];
    fn values<'v>(inputs: &'v Self::Inputs<'_>) -> Self::Values<'v>;
}

/// What one row is read into: a tuple of [`Field`]s, or a struct made by [`row!`].
pub(crate) trait Row: Sized {
    #[cfg_attr(not(test), expect(dead_code, reason = "what the test of all statements compares"))]
    const KINDS: &'static [Kind];
    /// Reads the columns in order; the error names the first that holds something else.
    fn read(row: &impl Cells) -> Result<Self, usize>;
}

/// Reads column `index`.
pub(crate) fn column<T: Field>(row: &impl Cells, index: usize) -> Result<T, usize> {
    row.cell(index).and_then(T::read).ok_or(index)
}

macro_rules! tuples {
    ($($count:literal: ($($name:ident $index:tt),*);)*) => {$(
        impl<$($name: Field),*> Parameters for ($($name,)*) {
            type Inputs<'a> = ($($name::Input<'a>,)*);
            const KINDS: &'static [Kind] = &[$($name::KIND),*];
            type Values<'v> = [Value<'v>; $count];
            fn values<'v>(inputs: &'v Self::Inputs<'_>) -> Self::Values<'v> {
                let _ = inputs;
                [$($name::value(&inputs.$index)),*]
            }
        }
        impl<$($name: Field),*> Row for ($($name,)*) {
            const KINDS: &'static [Kind] = &[$($name::KIND),*];
            fn read(row: &impl Cells) -> Result<Self, usize> {
                let _ = row;
                Ok(($(column::<$name>(row, $index)?,)*))
            }
        }
    )*};
}

tuples! {
    0: ();
    1: (A 0);
    2: (A 0, B 1);
    3: (A 0, B 1, C 2);
    4: (A 0, B 1, C 2, D 3);
    5: (A 0, B 1, C 2, D 3, E 4);
    6: (A 0, B 1, C 2, D 3, E 4, F 5);
    7: (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    8: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
    9: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8);
    10: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9);
    11: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10);
    12: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11);
    13: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12);
    14: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13);
    15: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14);
    16: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15);
    17: (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15, Q 16);
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
            fn read(row: &impl $crate::store::sql::Cells) -> Result<Self, usize> {
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
    pub(super) text: &'static str,
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
    ($($(#[$doc:meta])* $visibility:vis $name:ident: ($($parameter:ty),*) -> $row:ty = $text:expr;)*) => {
        $($(#[$doc])* $visibility const $name: $crate::store::sql::Statement<($($parameter,)*), $row> =
            $crate::store::sql::Statement::new($text);)*

        /// Every statement of this file.
        #[cfg(test)]
        pub(super) const ALL: &[$crate::store::sql::Described] = &[$($name.describe(stringify!($name)),)*];
    };
}
pub(crate) use statements;

/// The fault of a row whose column `index` is not what the statement declares.
pub(super) fn unreadable(text: &str, index: usize) -> Error {
    Error::Internal(format!("column {index} of a row is not of its declared type, in: {text}"))
}
