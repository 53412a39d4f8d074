//! The engine for more than one machine: any number of nodes on one PostgreSQL. One thread of its own
//! drives the connections and runs the transactions; reads are asked from wherever they are needed.

mod connect;
mod desk;
mod failure;
mod herald;
mod link;
mod migrate;
mod pool;
mod shared;
mod tail;
mod tls;
mod transaction;
mod transfer;
mod value;

use std::future::Future;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use self::connect::Connector;
pub use self::connect::Target;
use self::desk::Desk;
pub(super) use self::failure::Failure;
use self::failure::Meaning;
use self::herald::Herald;
pub(super) use self::link::Lock;
use self::link::{Bound, Link};
use self::shared::Shared;
pub(super) use self::tail::Tail;
pub use self::tls::{Roots, Trust, tls};
pub(super) use self::transaction::Transaction;
pub(super) use self::transfer::Held;
#[cfg(test)]
pub(super) use self::{link::locking, value::type_of};
use super::job::{self, Job};
use super::sql::{Parameters, Row, Statement, unreadable};
use super::{Commits, OpenError, Schema, Tx};
use crate::clock::Clock;
use crate::domain::error::Result;

/// How long a start waits for a server that is not there yet.
const START_PATIENCE: Duration = Duration::from_secs(10);

/// One node's way to the database.
pub(super) struct Postgres {
    connector: Arc<Connector>,
    shared: Arc<Shared>,
    clock: Clock,
    /// None once it is being dropped.
    jobs: Option<mpsc::UnboundedSender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Postgres {
    /// Connects, brings the schema up, and starts the thread.
    pub(super) async fn open(target: Target, schema: Schema, commits: Commits) -> Result<Self, OpenError> {
        let connector = Arc::new(Connector::new(target));
        let clock = commits.clock.clone();
        let (jobs, waiting) = mpsc::unbounded_channel();
        let (ready, opened) = oneshot::channel();
        let runtime = runtime()?;
        let thread = thread::Builder::new()
            .name("doorward-postgres".to_owned())
            .spawn({
                let connector = Arc::clone(&connector);
                move || {
                    LocalSet::new().block_on(&runtime, live(connector, schema, commits, waiting, ready));
                    // Whatever a name server still keeps somebody waiting for.
                    runtime.shutdown_background();
                }
            })
            .map_err(|error| OpenError::new(format!("the thread for PostgreSQL cannot be started: {error}")))?;
        let opened = opened.await.unwrap_or_else(|_| Err(OpenError::new("the thread for PostgreSQL has ended")));
        Ok(Self { connector, shared: opened?, clock, jobs: Some(jobs), thread: Some(thread) })
    }

    /// Where statements that change nothing run.
    pub(super) fn there(&self) -> There<'_> {
        There::Shared(&self.shared)
    }

    /// Runs `body` on the thread.
    pub(super) async fn write<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
    {
        let (job, answered) = job::of(body);
        let jobs = self.jobs.as_ref().ok_or_else(job::gone)?;
        jobs.send(job).map_err(|_| job::gone())?;
        answered.await.map_err(|_| job::gone())?
    }

    /// A follower of what every node commits.
    pub(super) async fn tail(&self) -> Result<Tail> {
        let target = self.connector.target().clone();
        Tail::new(Connector::new(target), self.clock.clone(), self.there()).await
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The thread ends once nobody can hand it anything, with all that was handed to it done.
        self.jobs = None;
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            // Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn runtime() -> Result<Runtime, OpenError> {
    Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| OpenError::new(format!("no runtime for PostgreSQL: {error}")))
}

/// The thread's whole life.
async fn live(
    connector: Arc<Connector>,
    schema: Schema,
    commits: Commits,
    jobs: mpsc::UnboundedReceiver<Box<dyn Job>>,
    ready: oneshot::Sender<Result<Arc<Shared>, OpenError>>,
) {
    let shared = match begin(&connector, schema, &commits.clock).await {
        Ok(shared) => Arc::new(shared),
        Err(refusal) => {
            let _ = ready.send(Err(refusal));
            return;
        }
    };
    if ready.send(Ok(Arc::clone(&shared))).is_err() {
        return;
    }
    let herald = Herald::new(Arc::clone(&shared));
    let keeping = tokio::task::spawn_local(shared.keep(Arc::clone(&connector)));
    Desk::new(connector, commits, herald).work(jobs).await;
    keeping.abort();
}

async fn begin(connector: &Connector, schema: Schema, clock: &Clock) -> Result<Shared, OpenError> {
    let first = persist(connector, || Link::open(connector)).await?;
    tail::set_clock(&first, clock).await.map_err(|failure| refusal(&failure))?;
    migrate::run(&first, clock.now(), schema).await?;
    persist(connector, || Shared::open(connector)).await
}

/// Tries again for a while where the server is not there: it may be on its way up.
async fn persist<T, F: Future<Output = Result<T, Failure>>>(
    connector: &Connector,
    work: impl Fn() -> F,
) -> Result<T, OpenError> {
    let begun = Instant::now();
    let mut is_said = false;
    loop {
        match work().await {
            Err(failure) if failure.meaning != Meaning::Refused && begun.elapsed() < START_PATIENCE => {
                if !is_said {
                    tracing::warn!(cause = %failure.cause, "PostgreSQL does not answer yet; trying again");
                    is_said = true;
                }
                tokio::time::sleep(connector.pause().max(Duration::from_millis(20))).await;
            }
            done => return done.map_err(|failure| refusal(&failure)),
        }
    }
}

/// Why the database cannot be used, and the mend.
fn refusal(failure: &Failure) -> OpenError {
    let mend = match failure.meaning {
        Meaning::Lost | Meaning::Conflict => "start PostgreSQL, or correct database_url",
        Meaning::Busy => "give PostgreSQL more room, or take fewer postgres.connections",
        Meaning::Refused => "correct database_url, and what PostgreSQL lets this user do",
    };
    OpenError::new(format!("PostgreSQL cannot be used ({}): {mend}", failure.cause))
}

/// Where a statement runs: on the shared connections or within a transaction.
#[derive(Clone, Copy)]
pub(super) enum There<'s> {
    /// On the shared connections.
    Shared(&'s Shared),
    /// Within a transaction, where a look-up of one row holds it.
    Within(&'s Transaction<'s>, Lock),
}

impl There<'_> {
    /// The first row, if there is one.
    pub(super) async fn first<P: Parameters, R: Row>(
        self,
        statement: &Statement<P, R>,
        inputs: P::Inputs<'_>,
    ) -> Result<Option<R>> {
        let lock = if let Self::Within(_, lock) = self { lock } else { Lock::None };
        let rows = self.rows(statement, inputs, lock).await?;
        rows.first().map(|row| read(statement, row)).transpose()
    }

    /// All rows.
    pub(super) async fn all<P: Parameters, R: Row>(
        self,
        statement: &Statement<P, R>,
        inputs: P::Inputs<'_>,
    ) -> Result<Vec<R>> {
        self.rows(statement, inputs, Lock::None).await?.iter().map(|row| read(statement, row)).collect()
    }

    async fn rows<P: Parameters, R: Row>(
        self,
        statement: &Statement<P, R>,
        inputs: P::Inputs<'_>,
        lock: Lock,
    ) -> Result<Vec<tokio_postgres::Row>> {
        let values = P::values(&inputs);
        let bound = Bound::of(statement, values.as_ref(), lock);
        let rows = match self {
            Self::Shared(shared) => shared.rows(bound).await,
            Self::Within(transaction, _) => transaction.rows(bound).await,
        };
        Ok(rows?)
    }

    /// How many rows were changed.
    pub(super) async fn execute<P: Parameters>(
        self,
        statement: &Statement<P, ()>,
        inputs: P::Inputs<'_>,
    ) -> Result<u64> {
        let values = P::values(&inputs);
        let bound = Bound::of(statement, values.as_ref(), Lock::None);
        match self {
            Self::Within(transaction, _) => Ok(transaction.execute(bound).await?),
            Self::Shared(_) => Err(Failure::new(Meaning::Refused, "a change outside of a transaction").into()),
        }
    }
}

fn read<P, R: Row>(statement: &Statement<P, R>, row: &tokio_postgres::Row) -> Result<R> {
    R::read(row).map_err(|index| unreadable(statement.text, index))
}
