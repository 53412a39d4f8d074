//! The one writer: takes what waits, runs each job in a savepoint of one transaction, commits
//! once, tells the caches, then answers all. A job that fails undoes itself alone; a commit that
//! fails answers every job with an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread::{self, JoinHandle};

use rusqlite::Connection;

use super::{Here, driver, open};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::store::job::{self, Job, Keep};
use crate::store::{Change, Commits, Entry, OpenError, Tx, audit, changes};

/// The way to the writer's thread, which ends when this is dropped, with all that was handed to
/// it done.
pub(super) struct Writer {
    /// None once it is being dropped.
    jobs: Option<Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(store: u64, connection: Connection, commits: Commits) -> Result<Self, OpenError> {
        let (jobs, waiting) = channel();
        let thread = thread::Builder::new()
            .name("doorward-writer".to_owned())
            .spawn(move || Desk { store, commits }.work(connection, &waiting))
            .map_err(|error| OpenError::new(format!("the writer's thread cannot be started: {error}")))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    pub(super) async fn run<T, F>(&self, body: F) -> Result<T>
    where
        T: Send + 'static,
        F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
    {
        let (job, answered) = job::of(body);
        let jobs = self.jobs.as_ref().ok_or_else(job::gone)?;
        jobs.send(job).map_err(|_| job::gone())?;
        answered.await.map_err(|_| job::gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // The thread ends once nobody can hand it anything.
        self.jobs = None;
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id()) {
            // Its panic was reported where it happened.
            let _ = thread.join();
        }
    }
}

fn undone() -> Error {
    Error::Unavailable("the store undid a transaction".to_owned())
}

/// On SQLite every step of a body is ready at its first poll; false where its work has to be undone.
fn complete(job: &mut dyn Job, tx: &Tx<'_>) -> bool {
    let polled = job.run(tx, Keep::No).as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(stands) = polled {
        return stands;
    }
    job.fail(Error::Internal("a transaction awaits something that is no statement of the store".to_owned()));
    false
}

struct Desk {
    store: u64,
    commits: Commits,
}

impl Desk {
    fn work(&self, connection: Connection, waiting: &Receiver<Box<dyn Job>>) {
        // A body's statements find the connection that holds the transaction as this thread's own.
        let Ok(connection) = driver::connection_of_thread(self.store, || Ok(connection)) else { return };
        while let Ok(first) = waiting.recv() {
            for job in self.group(&connection, first, waiting) {
                job.answer();
            }
        }
        open::settle(&connection);
    }

    /// Runs one group; the jobs come back with their outcomes, after the commit.
    fn group(
        &self,
        connection: &Connection,
        first: Box<dyn Job>,
        waiting: &Receiver<Box<dyn Job>>,
    ) -> Vec<Box<dyn Job>> {
        let mut jobs: Vec<Box<dyn Job>> = Vec::new();
        let mut recorded = Vec::new();
        let begun = step(connection, "begin immediate");
        let mut next = Some(first);
        while let Some(mut job) = next.take() {
            if !job.is_abandoned() {
                match &begun {
                    Ok(()) => recorded.extend(self.savepoint(connection, job.as_mut())),
                    Err(error) => job.fail(again(error)),
                }
                jobs.push(job);
            }
            if jobs.len() < self.commits.group {
                next = waiting.try_recv().ok();
            }
        }
        if begun.is_ok() {
            self.commit(connection, &mut jobs, &recorded);
        }
        jobs
    }

    /// Runs one job; what it changed comes back where it stands.
    fn savepoint(&self, connection: &Connection, job: &mut dyn Job) -> Vec<Change> {
        if connection.is_autocommit() {
            // A fault has undone the transaction: a savepoint outside of one would commit alone.
            job.fail(undone());
            return Vec::new();
        }
        if let Err(error) = step(connection, "savepoint job") {
            job.fail(error);
            return Vec::new();
        }
        let tx = Tx::on_sqlite(Here { id: self.store, path: Path::new("") });
        if complete(job, &tx) {
            let noted = tx.into_noted();
            let now = self.commits.clock.now();
            let released = append(connection, &noted.events, now)
                .and_then(|()| number(connection, &noted.changes, now))
                .and_then(|()| step(connection, "release job"));
            match released {
                Ok(()) => return noted.changes,
                Err(error) => job.fail(error),
            }
        }
        // A full disk has undone the whole transaction already: then there is no savepoint left. What
        // cannot be undone alone must not be committed either.
        if connection.execute_batch("rollback to job; release job").is_err() && !connection.is_autocommit() {
            let _ = connection.execute_batch("rollback");
        }
        Vec::new()
    }

    /// Whoever listens must not take the writer with it when it fails.
    fn tell(&self, recorded: &[Change]) {
        if catch_unwind(AssertUnwindSafe(|| (self.commits.on_commit)(recorded))).is_err() {
            tracing::error!("the caches could not be told of a commit");
        }
    }

    fn commit(&self, connection: &Connection, jobs: &mut [Box<dyn Job>], recorded: &[Change]) {
        let committed = if connection.is_autocommit() { Err(undone()) } else { step(connection, "commit") };
        match committed {
            Ok(()) => self.tell(recorded),
            Err(error) => {
                if !connection.is_autocommit() {
                    let _ = connection.execute_batch("rollback");
                }
                for job in jobs {
                    job.fail(again(&error));
                }
            }
        }
    }
}

/// Writes down what the audit log has to say of one job.
fn append(connection: &Connection, events: &[Entry], now: Timestamp) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let mut head = None;
    driver::rows(connection, &audit::POSITION, &(audit::HEAD,), |position| head = Some(position))?;
    let head = audit::Position::new(head.ok_or_else(audit::missing)?);
    let rows = audit::chained(&head, events, now);
    for row in &rows {
        driver::execute(connection, &audit::INSERT, &row.inputs())?;
    }
    let Some(last) = rows.last() else { return Ok(()) };
    driver::execute(connection, &audit::MOVE, &last.as_head()).map(drop)
}

/// Writes down the changes of one job, as the last statements of its savepoint.
fn number(connection: &Connection, changes: &[Change], now: Timestamp) -> Result<()> {
    let Some(reserved) = changes::reserve(changes) else { return Ok(()) };
    driver::execute(connection, &changes::RESERVE, &reserved)?;
    for row in changes::rows(changes, now) {
        driver::execute(connection, &changes::INSERT, &row)?;
    }
    Ok(())
}

/// Runs one of the few statements around the jobs, which are prepared once.
fn step(connection: &Connection, statement: &str) -> Result<()> {
    connection
        .prepare_cached(statement)
        .and_then(|mut prepared| prepared.execute(()))
        .map(drop)
        .map_err(|error| driver::fault(&error))
}

/// The same meaning once more, for the next job of a group.
fn again(error: &Error) -> Error {
    match error {
        Error::Unavailable(cause) => Error::Unavailable(cause.clone()),
        other => Error::Internal(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tempfile::TempDir;
    use tokio::sync::oneshot;

    use super::*;
    use crate::clock::Clock;
    use crate::store::meta;
    use crate::store::sqlite::migrate;

    /// A writer's desk over a database that may not grow, as on a full disk.
    fn full() -> (TempDir, Desk, std::rc::Rc<Connection>) {
        let folder = TempDir::new().unwrap();
        let connection = open::for_writing(&folder.path().join("full.db")).unwrap();
        migrate::run(&connection, Clock::System.now()).unwrap();
        let pages: i64 = connection.query_row("pragma page_count", (), |row| row.get(0)).unwrap();
        connection.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
        let store = open::next_store_id();
        let connection = driver::connection_of_thread(store, || Ok(connection)).unwrap();
        let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| {}), group: 128 };
        (folder, Desk { store, commits }, connection)
    }

    fn setting(name: &'static str, length: usize) -> (Box<dyn Job>, oneshot::Receiver<Result<()>>) {
        job::of(async move |tx: &Tx<'_>| meta::set(tx, name, &"x".repeat(length)).await)
    }

    #[test]
    fn nothing_of_a_group_that_a_full_disk_undid_is_kept_or_acknowledged() {
        let (_folder, desk, connection) = full();
        let (jobs, waiting) = channel();
        let (first, before) = setting("before", 1);
        let (too_long, undone) = setting("too long", 1 << 20);
        let (last, after) = setting("after", 1);
        jobs.send(too_long).unwrap();
        jobs.send(last).unwrap();
        for job in desk.group(&connection, first, &waiting) {
            job.answer();
        }
        for mut answered in [before, undone, after] {
            assert!(matches!(answered.try_recv().unwrap(), Err(Error::Unavailable(_))));
        }
        let kept: i64 = connection.query_row("select count(*) from meta", (), |row| row.get(0)).unwrap();
        assert_eq!(kept, 0);
        assert!(connection.is_autocommit());
    }
}
