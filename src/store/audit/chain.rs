//! How rows are linked: `hash = SHA-256("doorward audit log 1" 0 | hash of the row before | fields)`, where
//! each field that is not null is the number of its column, its length and its bytes, so that no two rows
//! have the same text. A column that comes with a later version is null in older rows, and changes nothing.

use aws_lc_rs::digest::{Context, SHA256};

use super::{Columns, Entry, HEAD, Position, Record, record};
use crate::clock::Timestamp;
use crate::store::sql::{Parameters, Value};

const LABEL: &[u8] = b"doorward audit log 1\0";

/// The rows of these entries, which follow on `head`; the last one is the new head.
pub(in crate::store) fn chained(head: &Position, entries: &[Entry], now: Timestamp) -> Vec<Record> {
    let mut rows: Vec<Record> = Vec::with_capacity(entries.len());
    for entry in entries {
        let before = rows.last().map_or_else(|| head.clone(), Record::position);
        let mut row = record(&before, entry, now);
        row.hash = hash(&before.hash, &row);
        rows.push(row);
    }
    rows
}

fn hash(before: &[u8], row: &Record) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    context.update(LABEL);
    context.update(before);
    let inputs = row.inputs();
    let values = Columns::values(&inputs);
    let covered = values.len() - 1;
    for (column, value) in (1_u8..).zip(&values[..covered]) {
        let number;
        let bytes: &[u8] = match value {
            Value::Null => continue,
            Value::Integer(integer) => {
                number = integer.to_be_bytes();
                &number
            }
            Value::Boolean(truth) => {
                if *truth {
                    &[1]
                } else {
                    &[0]
                }
            }
            Value::Text(text) => text.as_bytes(),
            Value::Bytes(bytes) => bytes,
        };
        context.update(&[column]);
        context.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(bytes);
    }
    context.finish().as_ref().to_vec()
}

impl Record {
    /// Whether it follows on `before`, and is as it was written.
    #[must_use]
    pub fn follows(&self, before: &Position) -> bool {
        self.seq == before.seq + 1 && self.hash == hash(&before.hash, self)
    }

    /// Its place in the chain.
    #[must_use]
    pub fn position(&self) -> Position {
        Position { seq: self.seq, hash: self.hash.clone() }
    }

    /// What [`super::MOVE`] is given where this is the newest row.
    pub(in crate::store) fn as_head(&self) -> (i64, &[u8], &str) {
        (self.seq, &self.hash, HEAD)
    }

    /// Its columns, in their order.
    pub(in crate::store) fn inputs(&self) -> <Columns as Parameters>::Inputs<'_> {
        (
            self.seq,
            self.at,
            &self.action,
            &self.result,
            self.reason.as_deref(),
            self.actor.as_deref(),
            &self.credential,
            self.credential_id.as_deref(),
            self.subject.as_deref(),
            self.subject_id.as_deref(),
            self.user_id.as_deref(),
            self.detail.as_deref(),
            self.address.as_deref(),
            self.user_agent.as_deref(),
            &self.via,
            self.times,
            &self.hash,
        )
    }
}
