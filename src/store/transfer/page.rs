//! Rows on their way from one engine to another: some hundreds at a time, in few pieces of memory.

use std::ops::Range;

use super::MoveError;
use super::tables::Table;
use crate::store::sql::{Cells, Kind, Value};

/// Rows of one table, in the order of its key.
pub(in crate::store) struct Page {
    width: usize,
    cells: Vec<Cell>,
    texts: String,
    bytes: Vec<u8>,
}

/// A value; texts and bytes by where they lie.
enum Cell {
    Null,
    Integer(i64),
    Boolean(bool),
    Text(Range<usize>),
    Bytes(Range<usize>),
}

impl Page {
    pub(in crate::store) fn of(table: &Table) -> Self {
        Self { width: table.columns.len(), cells: Vec::new(), texts: String::new(), bytes: Vec::new() }
    }

    /// Takes a row over.
    pub(in crate::store) fn take(&mut self, table: &Table, row: &impl Cells) -> Result<(), MoveError> {
        for (index, (column, kind)) in table.columns.iter().enumerate() {
            let cell = row.cell(index).and_then(|value| self.keep(value, *kind));
            self.cells.push(cell.ok_or_else(|| {
                MoveError::new(format!(
                    "a row of the table {} holds in its column {column} what does not belong there: the database is \
                     damaged; restore it from a backup",
                    table.name
                ))
            })?);
        }
        Ok(())
    }

    /// `None` where the value is of another kind.
    fn keep(&mut self, value: Value<'_>, kind: Kind) -> Option<Cell> {
        Some(match (kind, value) {
            (_, Value::Null) => Cell::Null,
            (Kind::Integer, Value::Integer(number)) => Cell::Integer(number),
            (Kind::Boolean, Value::Boolean(truth)) => Cell::Boolean(truth),
            // SQLite has no booleans of its own.
            (Kind::Boolean, Value::Integer(number)) => Cell::Boolean(number != 0),
            (Kind::Text, Value::Text(text)) => {
                let start = self.texts.len();
                self.texts.push_str(text);
                Cell::Text(start..self.texts.len())
            }
            (Kind::Bytes, Value::Bytes(bytes)) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(bytes);
                Cell::Bytes(start..self.bytes.len())
            }
            _ => return None,
        })
    }

    /// How many rows it holds.
    pub(in crate::store) fn len(&self) -> usize {
        self.cells.len() / self.width
    }

    /// The rows, each a value a column.
    pub(in crate::store) fn rows(&self) -> impl Iterator<Item = impl ExactSizeIterator<Item = Value<'_>>> {
        self.cells.chunks(self.width).map(|row| row.iter().map(|cell| self.value(cell)))
    }

    /// The key of the last row.
    pub(in crate::store) fn last_key(&self, table: &Table) -> Vec<Value<'_>> {
        self.rows().last().into_iter().flatten().take(table.key).collect()
    }

    fn value(&self, cell: &Cell) -> Value<'_> {
        match cell {
            Cell::Null => Value::Null,
            Cell::Integer(number) => Value::Integer(*number),
            Cell::Boolean(truth) => Value::Boolean(*truth),
            Cell::Text(range) => Value::Text(&self.texts[range.clone()]),
            Cell::Bytes(range) => Value::Bytes(&self.bytes[range.clone()]),
        }
    }
}
