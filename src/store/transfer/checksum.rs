//! What a table holds, as one number that two engines agree on: SHA-256 over every row in the order
//! of the key, each value with its kind and length, so that no two contents read alike.

use aws_lc_rs::digest::{Context, SHA256};

use super::page::Page;
use super::tables::Table;
use crate::domain::id::hex;
use crate::store::sql::Value;

/// The content of one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// Their checksum, in hex.
    pub sha256: String,
}

/// A tally that is being taken.
pub(super) struct Count {
    table: &'static str,
    rows: u64,
    context: Context,
    buffer: Vec<u8>,
}

impl Count {
    pub(super) fn of(table: &Table) -> Self {
        Self { table: table.name, rows: 0, context: Context::new(&SHA256), buffer: Vec::new() }
    }

    /// How many rows there were so far.
    pub(super) const fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn add(&mut self, page: &Page) {
        self.buffer.clear();
        for row in page.rows() {
            self.rows += 1;
            for value in row {
                encode(value, &mut self.buffer);
            }
        }
        self.context.update(&self.buffer);
    }

    pub(super) fn finish(self) -> Tally {
        let sha256 = hex(self.context.finish().as_ref());
        Tally { table: self.table, rows: self.rows, sha256 }
    }
}

/// A kind, then the value; what may be of any length begins with its length.
fn encode(value: Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Integer(number) => {
            out.push(1);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Boolean(truth) => out.extend_from_slice(&[2, u8::from(truth)]),
        Value::Text(text) => measured(3, text.as_bytes(), out),
        Value::Bytes(bytes) => measured(4, bytes, out),
    }
}

fn measured(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sql::{Cells, Kind};

    const TABLE: Table =
        Table { name: "things", key: 1, columns: &[("id", Kind::Bytes), ("name", Kind::Text)], stays: &[] };

    struct Row<'v>([Value<'v>; 2]);

    impl Cells for Row<'_> {
        fn cell(&self, index: usize) -> Option<Value<'_>> {
            self.0.get(index).copied()
        }
    }

    fn sum(rows: &[[Value<'_>; 2]]) -> String {
        let mut count = Count::of(&TABLE);
        for row in rows {
            let mut page = Page::of(&TABLE);
            page.take(&TABLE, &Row(*row)).unwrap();
            count.add(&page);
        }
        let tally = count.finish();
        assert_eq!((tally.table, tally.rows), ("things", rows.len() as u64));
        tally.sha256
    }

    #[test]
    fn no_two_contents_have_one_checksum() {
        use Value::{Bytes, Null, Text};
        let contents: [&[[Value<'_>; 2]]; 8] = [
            &[],
            &[[Bytes(b"a"), Null]],
            &[[Bytes(b"a"), Text("")]],
            &[[Bytes(b""), Text("a")]],
            &[[Bytes(b"ab"), Text("c")]],
            &[[Bytes(b"a"), Text("bc")]],
            &[[Bytes(b"a"), Null], [Bytes(b"b"), Null]],
            &[[Bytes(b"b"), Null], [Bytes(b"a"), Null]],
        ];
        for (position, content) in contents.iter().enumerate() {
            assert!(contents[..position].iter().all(|other| sum(other) != sum(content)), "{position}");
        }
    }

    #[test]
    fn the_encoding_stays_as_it_is() {
        let known = sum(&[[Value::Bytes(&[0, 255]), Value::Text("é")]]);
        let mut context = Context::new(&SHA256);
        context.update(&[4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 255, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0xc3, 0xa9]);
        let expected: Vec<String> = context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(known, expected.concat());
    }

    #[test]
    fn a_value_of_another_kind_is_refused_by_the_name_of_its_column() {
        let refused = Page::of(&TABLE).take(&TABLE, &Row([Value::Bytes(b"a"), Value::Integer(1)]));
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("things") && refused.contains("name"), "{refused}");
    }
}
