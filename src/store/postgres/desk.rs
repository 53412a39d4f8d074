//! Runs transactions: several at once, each on a connection of its own, all on one thread. A
//! transaction that surely did not commit, through no fault of its own, is run again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::connect::Connector;
use super::failure::{Failure, Meaning};
use super::herald::Herald;
use super::link::Link;
use super::pool::Pool;
use super::transaction::{Transaction, Unsettled};
use crate::domain::error::Error;
use crate::secret::unique;
use crate::store::job::{Job, Keep};
use crate::store::{Commits, Tx};

/// How long a transaction is run again and again.
const PATIENCE: Duration = Duration::from_secs(2);
/// The longest pause before the second run; the pauses grow with each further one.
const PAUSE: Duration = Duration::from_millis(4);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

pub(super) struct Desk {
    pool: Rc<Pool>,
    commits: Commits,
    herald: Herald,
}

/// What became of one run.
enum Run {
    /// Its outcome is its answer.
    Over,
    /// Nothing of it stands, and that was not its own doing.
    Undone(Failure),
}

/// What is left on a connection after a run.
enum Left {
    /// Nothing is begun.
    Nothing,
    /// Something that only its end undoes.
    Something,
    /// The server may still be at work.
    AnUnansweredCommit,
}

impl Left {
    fn by(rolled_back: &Result<(), Failure>) -> Self {
        if rolled_back.is_ok() { Self::Nothing } else { Self::Something }
    }
}

impl Desk {
    pub(super) fn new(connector: Arc<Connector>, commits: Commits, herald: Herald) -> Self {
        Self { pool: Rc::new(Pool::new(connector)), commits, herald }
    }

    /// Runs what comes until nothing will come any more, and all is done.
    pub(super) async fn work(self, mut jobs: UnboundedReceiver<Box<dyn Job>>) {
        let desk = Rc::new(self);
        let mut running = JoinSet::new();
        while let Some(job) = jobs.recv().await {
            while running.try_join_next().is_some() {}
            let desk = Rc::clone(&desk);
            running.spawn_local(Box::pin(async move { desk.transact(job).await }));
        }
        while running.join_next().await.is_some() {}
    }

    async fn transact(&self, mut job: Box<dyn Job>) {
        let begun = Instant::now();
        let mut pause = PAUSE;
        while !job.is_abandoned() {
            match self.run(job.as_mut()).await {
                Run::Over => break,
                Run::Undone(failure) if begun.elapsed() > PATIENCE => {
                    job.fail(failure.into());
                    break;
                }
                Run::Undone(failure) => {
                    tracing::debug!(cause = %failure.cause, "a transaction is run again");
                    sleep(part_of(pause)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
        job.answer();
    }

    async fn run(&self, job: &mut dyn Job) -> Run {
        let lease = match self.pool.take().await {
            Ok(lease) => lease,
            // Nobody is kept waiting for a server that is away.
            Err(failure) => {
                job.fail(failure.into());
                return Run::Over;
            }
        };
        if job.is_abandoned() {
            lease.give_back();
            return Run::Over;
        }
        let (run, left) = self.run_on(&lease.link, job).await;
        match left {
            Left::Nothing => lease.give_back(),
            Left::Something => {}
            Left::AnUnansweredCommit => drop(tokio::task::spawn_local(lease.give_up())),
        }
        run
    }

    async fn run_on(&self, link: &Link, job: &mut dyn Job) -> (Run, Left) {
        let transaction = Transaction::new(link);
        let tx = Tx::on_postgres(&transaction);
        let is_good = job.run(&tx, Keep::ForAnotherRun).await;
        let noted = tx.into_noted();
        let failure = transaction.failure();
        if !is_good || failure.is_some() {
            let left = Left::by(&transaction.roll_back().await);
            return match failure {
                Some(failure) if matches!(failure.meaning, Meaning::Conflict | Meaning::Lost) => {
                    (Run::Undone(failure), left)
                }
                failure => {
                    // Its own error, if it has one, says more.
                    job.fail(failure.map_or_else(undone, Error::from));
                    (Run::Over, left)
                }
            };
        }
        match transaction.commit(&noted, self.commits.clock.now()).await {
            Ok(()) => {
                self.tell(&noted.changes);
                (Run::Over, Left::Nothing)
            }
            Err(Unsettled::Undone(failure)) => {
                let left = Left::by(&transaction.roll_back().await);
                (Run::Undone(failure), left)
            }
            Err(Unsettled::Unknown(failure)) => {
                // The feed tells the caches in case that it stands.
                job.fail(Error::Unavailable(format!("whether a transaction was kept is not known: {}", failure.cause)));
                (Run::Over, Left::AnUnansweredCommit)
            }
        }
    }

    /// Whoever listens must not take the desk with it when it fails.
    fn tell(&self, changes: &[crate::store::Change]) {
        if changes.is_empty() {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| (self.commits.on_commit)(changes))).is_err() {
            tracing::error!("the caches could not be told of a commit");
        }
        self.herald.announce();
    }
}

fn undone() -> Error {
    Error::Unavailable("the store undid a transaction".to_owned())
}

/// Between half of a pause and all of it: those who met do not meet again.
fn part_of(pause: Duration) -> Duration {
    let [byte] = unique::<1>();
    pause / 2 + pause.mul_f32(f32::from(byte) / 512.0)
}
