//! The embedded engine: one file, one writer, and a reading connection for each thread that asks.

mod driver;
pub(super) mod migrate;
pub(super) mod open;
mod tail;
mod transfer;
mod writer;

use std::path::{Path, PathBuf};
use std::rc::Rc;

use rusqlite::Connection;

pub(super) use self::tail::Tail;
pub(super) use self::transfer::Held;
use self::writer::Writer;
use super::sql::{Parameters, Row, Statement};
use super::{Commits, OpenError, Tx};
use crate::domain::error::Result;

/// One open database file.
pub(super) struct Sqlite {
    /// Tells the stores of one process apart: threads keep connections by it.
    id: u64,
    path: PathBuf,
    writer: Writer,
}

impl Sqlite {
    /// Opens the file, makes it where there is none, and brings its schema up.
    pub(super) fn open(path: PathBuf, commits: Commits) -> Result<Self, OpenError> {
        let connection = open::for_writing(&path)?;
        migrate::run(&connection, commits.clock.now())?;
        let id = open::next_store_id();
        let writer = Writer::start(id, connection, commits)?;
        Ok(Self { id, path, writer })
    }

    /// Where this thread reads.
    pub(super) fn here(&self) -> Here<'_> {
        Here { id: self.id, path: &self.path }
    }

    /// Runs `body` through the writer.
    pub(super) async fn write<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
    {
        self.writer.run(body).await
    }

    /// A follower of what every process commits.
    pub(super) fn tail(&self) -> Result<Tail> {
        Tail::new(open::for_reading(&self.path)?)
    }
}

/// This thread's connection to a store: its reading one, or in the writer the one that holds the
/// transaction.
#[derive(Clone, Copy)]
pub(super) struct Here<'s> {
    id: u64,
    path: &'s Path,
}

impl Here<'_> {
    fn connection(self) -> Result<Rc<Connection>> {
        driver::connection_of_thread(self.id, || open::for_reading(self.path))
    }

    /// The first row, if there is one.
    pub(super) fn first<P: Parameters, R: Row>(
        self,
        statement: &Statement<P, R>,
        inputs: &P::Inputs<'_>,
    ) -> Result<Option<R>> {
        let mut found = None;
        driver::rows(&*self.connection()?, statement, inputs, |row| {
            found.get_or_insert(row);
        })?;
        Ok(found)
    }

    /// All rows.
    pub(super) fn all<P: Parameters, R: Row>(
        self,
        statement: &Statement<P, R>,
        inputs: &P::Inputs<'_>,
    ) -> Result<Vec<R>> {
        let mut found = Vec::new();
        driver::rows(&*self.connection()?, statement, inputs, |row| found.push(row))?;
        Ok(found)
    }

    /// How many rows were changed.
    pub(super) fn execute<P: Parameters>(self, statement: &Statement<P, ()>, inputs: &P::Inputs<'_>) -> Result<u64> {
        driver::execute(&*self.connection()?, statement, inputs)
    }
}
