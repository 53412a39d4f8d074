//! Where things are kept. Typed functions over SQL, and no rule: what may be done is decided
//! above. Reads run on the connection of the thread that asks; writes go through one writer.

pub(crate) mod audit;
pub mod bulk;
pub(crate) mod changes;
pub mod key_file;
pub mod key_material;
pub(crate) mod mail_secrets;
pub(crate) mod meta;
mod migrate;
mod open;
pub(crate) mod projects;
pub(crate) mod sessions;
pub(crate) mod shares;
mod sql;
pub(crate) mod tokens;
pub(crate) mod users;
mod writer;

use std::ops::Deref;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use rusqlite::Connection;

pub use self::audit::AuditEvent;
pub use self::changes::{Change, News, Tail};
pub use self::mail_secrets::{MailSecret, Purpose};
pub use self::open::OpenError;
pub use self::sessions::NewSession;
use self::sql::{Parameters, Row, Statement};
pub use self::tokens::{NewToken, TokenHit};
pub use self::users::{Account, NewUser, UserChange};
use self::writer::Writer;
use crate::clock::Clock;
use crate::domain::error::Result;

/// Called by the writer after each commit, before anybody is answered.
pub type CommitHook = Arc<dyn Fn(&[Change]) + Send + Sync>;

/// How a store writes.
pub struct Commits {
    /// When a change is said to have been made.
    pub clock: Clock,
    /// Hears of every change that this store commits.
    pub on_commit: CommitHook,
    /// How many transactions that wait share one commit at the most.
    pub group: usize,
}

/// One store, cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    /// Tells the stores of one process apart: threads keep connections by it.
    id: u64,
    path: PathBuf,
    writer: Writer,
}

impl Store {
    /// Opens the database at `path`, makes it where there is none, and brings its schema up.
    ///
    /// # Errors
    ///
    /// [`OpenError`], with what is wrong and how to mend it.
    pub fn open(path: PathBuf, commits: Commits) -> Result<Self, OpenError> {
        let connection = open::for_writing(&path)?;
        migrate::run(&connection, commits.clock.now())?;
        let id = open::next_store_id();
        let writer = Writer::start(id, connection, commits)?;
        Ok(Self(Arc::new(Inner { id, path, writer })))
    }

    /// Where statements that change nothing run.
    #[must_use]
    pub fn reads(&self) -> Reads<'_> {
        Reads { id: self.0.id, path: &self.0.path }
    }

    /// Runs `body` in one transaction and answers after its commit is on disk. Whatever `body`
    /// returns as an error is rolled back, with everything that it did.
    ///
    /// # Errors
    ///
    /// What `body` returns, or that the store cannot be used.
    pub async fn write<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
    {
        self.0.writer.run(body).await
    }

    /// Whether the store answers: reads one row.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub async fn ping(&self) -> Result<()> {
        meta::find(&self.reads(), meta::LONGEST_LIFETIME).await.map(drop)
    }

    /// A follower of the changes that every process commits to this database.
    ///
    /// # Errors
    ///
    /// That the store cannot be used.
    pub fn tail(&self) -> Result<Tail> {
        Tail::new(open::for_reading(&self.0.path)?)
    }
}

/// A place where statements that change nothing run: on the reading connection of this thread,
/// or, seen through a [`Tx`], within its transaction.
#[derive(Clone, Copy)]
pub struct Reads<'s> {
    id: u64,
    path: &'s PathBuf,
}

impl Reads<'_> {
    fn connection(&self) -> Result<Rc<Connection>> {
        sql::connection_of_thread(self.id, || open::for_reading(self.path))
    }

    #[expect(clippy::unused_async, reason = "a database on another machine is awaited here")]
    async fn first<P: Parameters, R: Row>(
        &self,
        statement: &Statement<P, R>,
        inputs: P::Inputs<'_>,
    ) -> Result<Option<R>> {
        let mut found = None;
        sql::rows(&*self.connection()?, statement, &inputs, |row| {
            found.get_or_insert(row);
        })?;
        Ok(found)
    }

    #[expect(clippy::unused_async, reason = "a database on another machine is awaited here")]
    async fn all<P: Parameters, R: Row>(&self, statement: &Statement<P, R>, inputs: P::Inputs<'_>) -> Result<Vec<R>> {
        let mut found = Vec::new();
        sql::rows(&*self.connection()?, statement, &inputs, |row| found.push(row))?;
        Ok(found)
    }
}

/// One transaction. Reads through it see its own changes.
pub struct Tx<'t> {
    reads: Reads<'t>,
    changes: Mutex<Vec<Change>>,
}

impl<'t> Deref for Tx<'t> {
    type Target = Reads<'t>;

    fn deref(&self) -> &Reads<'t> {
        &self.reads
    }
}

impl Tx<'_> {
    #[expect(clippy::unused_async, reason = "a database on another machine is awaited here")]
    async fn execute<P: Parameters>(&self, statement: &Statement<P, ()>, inputs: P::Inputs<'_>) -> Result<u64> {
        sql::execute(&*self.connection()?, statement, &inputs)
    }

    /// Notes what other nodes' and this node's caches have to forget once this is committed.
    fn record(&self, change: Change) {
        self.changes.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(change);
    }

    fn into_changes(self) -> Vec<Change> {
        self.changes.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
