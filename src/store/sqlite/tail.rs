//! Follows the changes that any process commits to the file.

use rusqlite::Connection;

use super::driver;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::store::changes::{self, ChangeRow, News, Progress, Step};
use crate::store::sessions;

/// A follower on a connection of its own.
pub(in crate::store) struct Tail {
    connection: Connection,
    seen_version: i64,
    progress: Progress,
}

impl Tail {
    pub(super) fn new(connection: Connection) -> Result<Self> {
        let progress = Progress::from(position(&connection)?);
        Ok(Self { connection, seen_version: -1, progress })
    }

    /// What was committed since the last call. Costs a look at shared memory when that is nothing.
    pub(in crate::store) fn poll(&mut self, since: Timestamp) -> Result<News> {
        let version: i64 = self
            .connection
            .query_row("pragma data_version", (), |row| row.get(0))
            .map_err(|error| driver::fault(&error))?;
        if version == self.seen_version {
            return Ok(News::Changes(Vec::new()));
        }
        // The counter first: a row that is committed after it is read next time.
        let position = position(&self.connection)?;
        let mut rows: Vec<ChangeRow> = Vec::new();
        driver::rows(&self.connection, &changes::SINCE, &(self.progress.last(),), |row| rows.push(row))?;
        match self.progress.advance(position, &rows) {
            Step::All(changes) => {
                self.seen_version = version;
                Ok(News::Changes(changes))
            }
            Step::More(changes) => Ok(News::More(changes)),
            Step::Missed(next) => {
                let mut ended = Vec::new();
                driver::rows(&self.connection, &sessions::ENDED_SINCE, &(since,), |row| ended.push(row))?;
                self.progress = next;
                Ok(News::Missed(ended))
            }
        }
    }
}

fn position(connection: &Connection) -> Result<i64> {
    let mut found = None;
    driver::rows(connection, &changes::POSITION, &(), |(value,)| found = Some(value))?;
    found.ok_or_else(|| Error::Internal("the counter of changes is missing".to_owned()))
}
