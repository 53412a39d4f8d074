//! Where things are kept. Typed functions over SQL, and no rule: what may be done is decided
//! above. One text serves two engines; each has a folder, and this file the places where they part.

pub(crate) mod audit;
pub mod bulk;
pub(crate) mod changes;
pub(crate) mod counters;
pub(crate) mod failures;
mod job;
pub mod key_file;
pub mod key_material;
pub mod key_seal;
pub(crate) mod known_networks;
pub(crate) mod mail_secrets;
pub(crate) mod mails;
pub(crate) mod meta;
mod migrations;
mod postgres;
pub(crate) mod projects;
pub(crate) mod sessions;
pub(crate) mod shares;
mod sql;
mod sqlite;
pub(crate) mod tokens;
pub mod transfer;
pub(crate) mod users;

use std::collections::HashSet;
use std::ops::Deref;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;

pub use self::audit::{Entry, Filter, Order, Position, Record, Whose};
pub use self::changes::{Change, News};
pub use self::mail_secrets::{MailSecret, Pledge, Purpose};
pub use self::mails::{ClaimedMail, NewMail, WaitingMail};
use self::postgres::{Lock, Postgres, There};
pub use self::postgres::{Roots, Target, Trust, tls};
pub use self::sessions::NewSession;
use self::sql::{Parameters, Row, Statement};
use self::sqlite::{Here, Sqlite};
pub use self::tokens::{NewToken, TokenHit};
pub use self::users::search::UserFilter;
pub use self::users::{Account, NewUser, UserChange};
use crate::clock::{Clock, Timestamp};
use crate::domain::error::{Error, Result};

/// Why a store could not be opened; the text says how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

impl OpenError {
    fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// How many rows of a kind one sweep deletes at the most; few enough that no request waits for it. The
/// statements say the number themselves: where it was a parameter, PostgreSQL would plan for many.
pub(crate) const SWEPT_AT_ONCE: u64 = 500;

/// Called after each commit of this process, before anybody is answered.
pub type CommitHook = Arc<dyn Fn(&[Change]) + Send + Sync>;

/// Whether a database may be given its schema where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// A first start makes it.
    Made,
    /// A mistyped address must not become an empty store.
    Required,
}

/// How a store writes.
pub struct Commits {
    /// When a change is said to have been made.
    pub clock: Clock,
    /// Hears of every change that this store commits.
    pub on_commit: CommitHook,
    /// How many transactions that wait share one commit at the most; on PostgreSQL each has its own.
    pub group: usize,
}

/// Where a database is.
pub enum Location {
    /// A file of the embedded engine.
    Sqlite(PathBuf),
    /// A server, or several of which one takes writes.
    Postgres(Box<Target>),
}

/// One store, cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Engine>);

enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Store {
    /// Opens the database, makes what is missing in it, and brings its schema up.
    ///
    /// # Errors
    ///
    /// [`OpenError`], with what is wrong and how to mend it.
    pub async fn open(location: Location, schema: Schema, commits: Commits) -> Result<Self, OpenError> {
        Ok(Self(Arc::new(match location {
            // Whether there is a file, its directory's keys tell.
            Location::Sqlite(path) => Engine::Sqlite(Sqlite::open(path, commits)?),
            Location::Postgres(target) => Engine::Postgres(Postgres::open(*target, schema, commits).await?),
        })))
    }

    /// Where statements that change nothing run.
    #[must_use]
    pub fn reads(&self) -> Reads<'_> {
        Reads(match &*self.0 {
            Engine::Sqlite(sqlite) => Place::Sqlite(sqlite.here()),
            Engine::Postgres(postgres) => Place::Postgres(postgres.there()),
        })
    }

    /// Runs `body` in one transaction and answers after its commit is on disk. Whatever `body`
    /// returns as an error is rolled back, with everything that it did. On PostgreSQL it is run
    /// again where another transaction was in its way.
    ///
    /// # Errors
    ///
    /// What `body` returns, or that the store cannot be used.
    pub async fn write<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
    {
        match &*self.0 {
            Engine::Sqlite(sqlite) => sqlite.write(body).await,
            Engine::Postgres(postgres) => apart(postgres.write(body)).await,
        }
    }

    /// Runs a `body` that reads for long where it keeps nobody waiting: on SQLite on a thread of its own,
    /// on PostgreSQL on a connection of its own.
    ///
    /// # Errors
    ///
    /// What `body` returns, or that the store cannot be used.
    pub(crate) async fn aside<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Reads<'_>) -> Result<T> + Clone + Send + 'static,
    {
        match &*self.0 {
            Engine::Sqlite(_) => {
                let store = self.clone();
                let reading = tokio::task::spawn_blocking(move || {
                    // On SQLite each statement is ready at its first poll.
                    let read = body(&store.reads()).now_or_never();
                    read.unwrap_or_else(|| Err(Error::Internal("what reads aside awaits something else".to_owned())))
                });
                reading.await.unwrap_or_else(|_| Err(Error::Internal("what reads aside has ended".to_owned())))
            }
            Engine::Postgres(postgres) => apart(postgres.write(async move |tx: &Tx<'_>| body(tx.unheld()).await)).await,
        }
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
    pub async fn tail(&self) -> Result<Tail> {
        Ok(Tail(match &*self.0 {
            Engine::Sqlite(sqlite) => Follower::Sqlite(sqlite.tail()?),
            Engine::Postgres(postgres) => Follower::Postgres(Box::new(postgres.tail().await?)),
        }))
    }
}

/// Follows the changes that any process commits. Blocks the thread that asks.
pub struct Tail(Follower);

enum Follower {
    Sqlite(sqlite::Tail),
    Postgres(Box<postgres::Tail>),
}

impl Tail {
    /// How often to look: on SQLite a look at shared memory, on PostgreSQL a question on the network,
    /// which is asked at once where an announcement comes.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_millis(match &self.0 {
            Follower::Sqlite(_) => 100,
            Follower::Postgres(_) => 250,
        })
    }

    /// What was committed since the last call. Where some was missed, the sessions that ended after
    /// `since` come instead.
    ///
    /// # Errors
    ///
    /// That the store cannot be used; the next call continues where this one was.
    pub fn poll(&mut self, since: Timestamp) -> Result<News> {
        match &mut self.0 {
            Follower::Sqlite(tail) => tail.poll(since),
            Follower::Postgres(tail) => tail.poll(since),
        }
    }

    /// Waits for the next look: [`Tail::period`], or less where there is news.
    pub fn wait(&mut self) {
        let period = self.period();
        match &mut self.0 {
            Follower::Sqlite(_) => std::thread::sleep(period),
            Follower::Postgres(tail) => tail.wait(period),
        }
    }
}

/// A place where statements that change nothing run: on connections for reading or, seen through a
/// [`Tx`], within its transaction.
#[derive(Clone, Copy)]
pub struct Reads<'s>(Place<'s>);

#[derive(Clone, Copy)]
enum Place<'s> {
    Sqlite(Here<'s>),
    Postgres(There<'s>),
}

impl Reads<'_> {
    async fn first<P: Parameters, R: Row>(
        &self,
        statement: &Statement<P, R>,
        inputs: P::Inputs<'_>,
    ) -> Result<Option<R>> {
        match self.0 {
            Place::Sqlite(here) => here.first(statement, &inputs),
            Place::Postgres(there) => apart(there.first(statement, inputs)).await,
        }
    }

    async fn all<P: Parameters, R: Row>(&self, statement: &Statement<P, R>, inputs: P::Inputs<'_>) -> Result<Vec<R>> {
        match self.0 {
            Place::Sqlite(here) => here.all(statement, &inputs),
            Place::Postgres(there) => apart(there.all(statement, inputs)).await,
        }
    }
}

impl Reads<'_> {
    /// The number that a statement counts.
    async fn count<P: Parameters>(&self, statement: &Statement<P, (i64,)>, inputs: P::Inputs<'_>) -> Result<u64> {
        let counted = self.first(statement, inputs).await?.map_or(0, |(count,)| count);
        Ok(u64::try_from(counted).unwrap_or(0))
    }
}

/// What waits for a network takes kilobytes, which every future around it would carry about, also where
/// nothing is ever awaited: a request that is answered from memory cost four times as much.
fn apart<F: Future>(waiting: F) -> Pin<Box<F>> {
    Box::pin(waiting)
}

/// One transaction. Reads through it see its own changes, and the one row that a look-up finds stays
/// as it is until the commit: on SQLite because nobody else writes, on PostgreSQL because it is held.
pub struct Tx<'t> {
    reads: Reads<'t>,
    shared: Reads<'t>,
    unheld: Reads<'t>,
    noted: Mutex<Noted>,
}

/// What a transaction's last statements write down.
#[derive(Default)]
struct Noted {
    /// For the feed, each once.
    changes: Vec<Change>,
    /// For the audit log.
    events: Vec<Entry>,
}

impl<'t> Deref for Tx<'t> {
    type Target = Reads<'t>;

    fn deref(&self) -> &Reads<'t> {
        &self.reads
    }
}

impl<'t> Tx<'t> {
    fn on_sqlite(here: Here<'t>) -> Self {
        let reads = Reads(Place::Sqlite(here));
        Self { reads, shared: reads, unheld: reads, noted: Mutex::default() }
    }

    fn on_postgres(transaction: &'t postgres::Transaction<'t>) -> Self {
        let held = |lock| Reads(Place::Postgres(There::Within(transaction, lock)));
        Self { reads: held(Lock::Update), shared: held(Lock::Share), unheld: held(Lock::None), noted: Mutex::default() }
    }

    /// For what the transaction depends on and does not change: others may depend on it beside it.
    pub(crate) const fn shared(&self) -> &Reads<'t> {
        &self.shared
    }

    /// For what may change beside the transaction.
    pub(crate) const fn unheld(&self) -> &Reads<'t> {
        &self.unheld
    }

    async fn execute<P: Parameters>(&self, statement: &Statement<P, ()>, inputs: P::Inputs<'_>) -> Result<u64> {
        match self.reads.0 {
            Place::Sqlite(here) => here.execute(statement, &inputs),
            Place::Postgres(there) => apart(there.execute(statement, inputs)).await,
        }
    }

    /// Notes what other nodes' and this node's caches have to forget once this is committed.
    pub(crate) fn record(&self, change: Change) {
        self.note(|noted| noted.changes.push(change));
    }

    /// Notes what the audit log has to say of this once it is committed; it says nothing otherwise.
    pub(crate) fn audit(&self, event: impl Into<Entry>) {
        self.note(|noted| noted.events.push(event.into()));
    }

    fn note(&self, note: impl FnOnce(&mut Noted)) {
        note(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn into_noted(self) -> Noted {
        let mut noted = self.noted.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut seen = HashSet::new();
        noted.changes.retain(|change| seen.insert(*change));
        noted
    }
}

#[cfg(test)]
mod tests;
