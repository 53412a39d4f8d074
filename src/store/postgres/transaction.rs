//! One transaction on one connection. It begins with its first statement, holds every row that a
//! look-up found, and remembers what went wrong in it.

use std::future::{Future, poll_fn};
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;

use futures_util::future::{FutureExt as _, LocalBoxFuture, join};
use tokio_postgres::Row;

use super::failure::{Failure, Meaning};
use super::link::{Bound, Link, Lock};
use crate::clock::Timestamp;
use crate::store::sql::{self, Parameters, Statement};
use crate::store::{Entry, Noted, Record, audit, changes};

/// What decides is held until the commit, so no two transactions that look first and write then need
/// more than this: what was looked at stays as it was.
const BEGIN: &str = "begin isolation level read committed";

/// How many of the last statements are sent at once.
const WRITTEN_AT_ONCE: usize = 100;

pub(in crate::store) struct Transaction<'l> {
    link: &'l Link,
    is_begun: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

impl<'l> Transaction<'l> {
    pub(super) const fn new(link: &'l Link) -> Self {
        Self { link, is_begun: AtomicBool::new(false), failure: Mutex::new(None) }
    }

    /// The rows of a statement. The first one takes the beginning of the transaction along on its way.
    pub(super) async fn rows(&self, bound: Bound<'_>) -> Result<Vec<Row>, Failure> {
        // Where it deletes and was executed outside of a transaction, that could not be undone.
        if self.is_begun.load(Ordering::Acquire) || !bound.text.starts_with("select") {
            return self.note(self.begun(self.link.rows(bound)).await);
        }
        // Prepared before, or the beginning would be sent alone.
        let prepared = self.note(self.link.prepared(bound).await.map(drop));
        prepared?;
        self.is_begun.store(true, Ordering::Release);
        match join(self.link.command(BEGIN), self.link.rows(bound)).await {
            (Ok(()), rows) => self.note(rows),
            (Err(failure), _) => self.note(Err(failure)),
        }
    }

    /// How many rows a statement changed.
    pub(super) async fn execute(&self, bound: Bound<'_>) -> Result<u64, Failure> {
        self.note(self.begun(self.link.execute(bound)).await)
    }

    /// Does `work` in the transaction, once that has surely begun.
    async fn begun<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        if !self.is_begun.load(Ordering::Acquire) {
            self.link.command(BEGIN).await?;
            self.is_begun.store(true, Ordering::Release);
        }
        work.await
    }

    /// Remembers the first thing that goes wrong.
    fn note<T>(&self, ran: Result<T, Failure>) -> Result<T, Failure> {
        if let Err(failure) = &ran {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| failure.clone());
        }
        ran
    }

    /// The first thing that went wrong.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Undoes everything; an error where the connection cannot be used any more.
    pub(super) async fn roll_back(&self) -> Result<(), Failure> {
        if self.is_begun.load(Ordering::Acquire) { self.link.command("rollback").await } else { Ok(()) }
    }

    /// Writes down what was noted, as the last thing before the commit, and commits, all on one way. The
    /// audit log comes first, for everybody: whoever held it and waited for the counter of the changes would
    /// otherwise be waited for.
    pub(super) async fn commit(&self, noted: &Noted, now: Timestamp) -> Result<(), Unsettled> {
        let rows = self.audited(&noted.events, now).await.map_err(Unsettled::Undone)?;
        if !self.is_begun.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut closing: Vec<_> =
            rows.iter().map(|row| self.change(&audit::INSERT, row.inputs()).boxed_local()).collect();
        closing.extend(rows.last().map(|head| self.change(&audit::MOVE, head.as_head()).boxed_local()));
        if let Some(reserved) = changes::reserve(&noted.changes) {
            self.prepare(&changes::RESERVE).await.map_err(Unsettled::Undone)?;
            self.prepare(&changes::INSERT).await.map_err(Unsettled::Undone)?;
            closing.push(self.change(&changes::RESERVE, reserved).boxed_local());
        }
        closing.extend(changes::rows(&noted.changes, now).map(|row| self.change(&changes::INSERT, row).boxed_local()));
        while closing.len() > WRITTEN_AT_ONCE {
            let rest = closing.split_off(WRITTEN_AT_ONCE);
            for written in in_order(mem::replace(&mut closing, rest)).await {
                written.map_err(Unsettled::Undone)?;
            }
        }
        closing.push(self.link.command("commit").boxed_local());
        let mut answers = in_order(closing).await;
        let committed = answers.pop().unwrap_or(Ok(()));
        // An aborted transaction answers a commit by rolling back and calls that no error; what aborted
        // it was one.
        for written in answers {
            written.map_err(Unsettled::before_the_commit)?;
        }
        committed.map_err(Unsettled::of_the_commit)
    }

    /// The rows of the audit log for these events. Its head is held from here on.
    async fn audited(&self, events: &[Entry], now: Timestamp) -> Result<Vec<Record>, Failure> {
        if events.is_empty() {
            return Ok(Vec::new());
        }
        self.prepare(&audit::INSERT).await?;
        self.prepare(&audit::MOVE).await?;
        let inputs = (audit::HEAD,);
        let values = <(String,) as Parameters>::values(&inputs);
        let found = self.rows(Bound::of(&audit::POSITION, values.as_ref(), Lock::Update)).await?;
        let head = found.first().and_then(|row| sql::Row::read(row).ok()).map(audit::Position::new);
        let head = head.ok_or_else(|| Failure::new(Meaning::Refused, audit::missing().to_string()))?;
        Ok(audit::chained(&head, events, now))
    }

    /// What is not known to the connection yet would be executed after what was sent behind it.
    async fn prepare<P: Parameters>(&self, statement: &Statement<P, ()>) -> Result<(), Failure> {
        self.link.prepared(Bound::of(statement, &[], Lock::None)).await.map(drop)
    }

    async fn change<P: Parameters>(&self, statement: &Statement<P, ()>, inputs: P::Inputs<'_>) -> Result<(), Failure> {
        let values = P::values(&inputs);
        self.link.execute(Bound::of(statement, values.as_ref(), Lock::None)).await.map(drop)
    }
}

/// Polls all of them in their order until all are done: what they send is sent in that order, before
/// the first answer is back.
async fn in_order<T>(mut futures: Vec<LocalBoxFuture<'_, T>>) -> Vec<T> {
    let mut answers: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (future, answer) in futures.iter_mut().zip(&mut answers).filter(|(_, answer)| answer.is_none()) {
            if let Poll::Ready(done) = future.as_mut().poll(context) {
                *answer = Some(done);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}

/// Why a commit did not go through.
pub(super) enum Unsettled {
    /// Nothing stands.
    Undone(Failure),
    /// It was sent, and no answer came: it may stand or not.
    Unknown(Failure),
}

impl Unsettled {
    /// Of what was sent before a commit that was sent, too: the server's word that it failed is one that
    /// the commit failed.
    fn before_the_commit(failure: Failure) -> Self {
        if failure.meaning == Meaning::Lost { Self::Unknown(failure) } else { Self::Undone(failure) }
    }

    /// Of the commit itself: that another was in the way is all that surely means that nothing stands.
    fn of_the_commit(failure: Failure) -> Self {
        if failure.meaning == Meaning::Conflict { Self::Undone(failure) } else { Self::Unknown(failure) }
    }
}
