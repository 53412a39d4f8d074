//! Moves a whole store from one place to another, whatever the engines. Everything goes into one
//! transaction at the destination, which is committed once both sides were read and found alike: a
//! move that is broken off leaves nothing, and is begun again.

mod checksum;
mod page;
mod tables;

use self::checksum::Count;
pub use self::checksum::Tally;
pub(super) use self::page::Page;
pub(super) use self::tables::{ALL, PAGE, Table};
use super::postgres::{self, Failure};
use super::sql::Value;
use super::{Location, OpenError, migrations, sqlite};
use crate::clock::Timestamp;
use crate::domain::error::Error;

/// Why a store could not be moved; the text says how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct MoveError(String);

impl MoveError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<OpenError> for MoveError {
    fn from(error: OpenError) -> Self {
        Self(error.to_string())
    }
}

impl From<Error> for MoveError {
    fn from(error: Error) -> Self {
        Self(error.to_string())
    }
}

impl From<Failure> for MoveError {
    fn from(failure: Failure) -> Self {
        Error::from(failure).into()
    }
}

/// Which end of a move a place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// What is there is read; nobody else may change it meanwhile.
    Origin,
    /// What is read is written there; nobody else may write there meanwhile.
    Destination,
}

/// One end of a move, held in a transaction. What was not committed is undone when it is dropped.
pub struct Side(Engine);

enum Engine {
    Sqlite(sqlite::Held),
    Postgres(Box<postgres::Held>),
}

/// What a move is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Rows are read at the origin and written at the destination.
    Copying,
    /// Rows are read at one side, to be compared.
    Checking,
}

/// How far a move is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What it does.
    pub work: Work,
    /// With which table.
    pub table: &'static str,
    /// How many rows are done.
    pub rows: u64,
    /// How many there are.
    pub total: u64,
}

/// Hears how far a move is.
pub type Listener<'l> = dyn FnMut(Progress) + 'l;

impl Side {
    /// Opens the database, brings its schema up, and keeps everybody else from changing it.
    ///
    /// # Errors
    ///
    /// That it cannot be opened, or is in use, and the mend.
    pub async fn open(location: Location, end: End, now: Timestamp) -> Result<Self, MoveError> {
        let side = Self(match location {
            Location::Sqlite(path) => Engine::Sqlite(sqlite::Held::open(&path, end, now)?),
            Location::Postgres(target) => Engine::Postgres(Box::new(postgres::Held::open(*target, end, now).await?)),
        });
        side.refuse_newer_schema().await?;
        Ok(side)
    }

    /// A newer schema may have columns that would stay behind.
    async fn refuse_newer_schema(&self) -> Result<(), MoveError> {
        let version = self.number("select max(version) from migrations").await?;
        if version > migrations::ALL.last().map_or(0, |known| known.version) {
            return Err(MoveError::new(format!(
                "the database has schema version {version}, which is newer than this doorward: move it with the one \
                 that brought it up"
            )));
        }
        Ok(())
    }

    /// Whether nothing was ever kept here.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn is_fresh(&self) -> Result<bool, MoveError> {
        for table in ["users", "audit_events", "audit_log", "changes"] {
            if self.number(&format!("select count(*) from {table}")).await? != 0 {
                return Ok(false);
            }
        }
        Ok(self.number("select coalesce(max(value), 0) from counters where name = 'changes'").await? == 0)
    }

    /// A single value that belongs to the database itself.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn meta(&self, name: &str) -> Result<Option<String>, MoveError> {
        match &self.0 {
            Engine::Sqlite(held) => held.text(super::meta::FIND.text, name),
            Engine::Postgres(held) => held.text(super::meta::FIND.text, name).await,
        }
    }

    /// Keeps such a value.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn set_meta(&self, name: &str, value: &str) -> Result<(), MoveError> {
        self.execute(super::meta::SET.text, &[Value::Text(name), Value::Text(value)]).await
    }

    /// Forgets such a value.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn delete_meta(&self, name: &str) -> Result<(), MoveError> {
        self.execute("delete from meta where name = $1", &[Value::Text(name)]).await
    }

    /// Keeps what was done, and lets others in again.
    ///
    /// # Errors
    ///
    /// That it could not be kept.
    pub async fn commit(self) -> Result<(), MoveError> {
        match self.0 {
            Engine::Sqlite(held) => held.commit(),
            Engine::Postgres(held) => held.commit().await,
        }
    }

    /// What every table holds.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn tallies(&self, tell: &mut Listener<'_>) -> Result<Vec<Tally>, MoveError> {
        let mut tallies = Vec::with_capacity(ALL.len());
        for table in ALL {
            tallies.push(self.each(table, Work::Checking, tell, async |_| Ok(())).await?);
        }
        Ok(tallies)
    }

    /// Copies every table to a fresh place; what was read. Nothing is committed.
    ///
    /// # Errors
    ///
    /// That one of the stores cannot be used.
    pub async fn copy_to(&self, there: &Self, tell: &mut Listener<'_>) -> Result<Vec<Tally>, MoveError> {
        // What a new schema brings with it, and what a first start that was broken off left.
        there.execute("delete from counters", &[]).await?;
        there.execute("delete from audit_chain", &[]).await?;
        there.execute("delete from meta", &[]).await?;
        let mut tallies = Vec::with_capacity(ALL.len());
        for table in ALL {
            tallies.push(self.each(table, Work::Copying, tell, async |page| there.insert(table, page).await).await?);
        }
        if let Engine::Postgres(held) = &there.0 {
            held.settle_identities().await?;
        }
        Ok(tallies)
    }

    /// Reads a table page by page, and hands each on.
    async fn each(
        &self,
        table: &'static Table,
        work: Work,
        tell: &mut Listener<'_>,
        mut take: impl AsyncFnMut(&Page) -> Result<(), MoveError>,
    ) -> Result<Tally, MoveError> {
        let total = u64::try_from(self.number(&table.count()).await?).unwrap_or_default();
        let mut count = Count::of(table);
        let mut last: Option<Page> = None;
        loop {
            let page = self.page(table, last.as_ref()).await?;
            count.add(&page);
            take(&page).await?;
            tell(Progress { work, table: table.name, rows: count.rows(), total });
            if page.len() < PAGE {
                return Ok(count.finish());
            }
            last = Some(page);
        }
    }

    /// The rows behind those of `last`.
    async fn page(&self, table: &Table, last: Option<&Page>) -> Result<Page, MoveError> {
        match &self.0 {
            Engine::Sqlite(held) => held.page(table, last),
            Engine::Postgres(held) => held.page(table, last).await,
        }
    }

    async fn insert(&self, table: &Table, page: &Page) -> Result<(), MoveError> {
        match &self.0 {
            Engine::Sqlite(held) => held.insert(table, page),
            Engine::Postgres(held) => held.insert(table, page).await,
        }
    }

    async fn execute(&self, text: &'static str, values: &[Value<'_>]) -> Result<(), MoveError> {
        match &self.0 {
            Engine::Sqlite(held) => held.execute(text, values),
            Engine::Postgres(held) => held.execute(text, values).await,
        }
    }

    async fn number(&self, text: &str) -> Result<i64, MoveError> {
        match &self.0 {
            Engine::Sqlite(held) => held.number(text),
            Engine::Postgres(held) => held.number(text).await,
        }
    }
}
