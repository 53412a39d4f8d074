//! One transaction's body on its way to a connection and back: what runs it need not know what it
//! gives.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::Poll;

use tokio::sync::oneshot;

use super::Tx;
use crate::domain::error::{Error, Result};

/// A body that waits to be run.
pub(super) trait Job: Send {
    /// Nobody waits for the answer any more, and nothing was begun.
    fn is_abandoned(&self) -> bool;
    /// Runs the body; false where its work has to be undone. It can be run again only where it was
    /// to be kept.
    fn run<'r>(&'r mut self, tx: &'r Tx<'_>, keep: Keep) -> Pin<Box<dyn Future<Output = bool> + 'r>>;
    /// Replaces a good outcome by an error: its work is gone.
    fn fail(&mut self, error: Error);
    /// Tells whoever waits.
    fn answer(self: Box<Self>);
}

/// Whether a body may have to run once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// What it did may be undone by no fault of its own.
    ForAnotherRun,
    /// It runs this once.
    No,
}

/// The job that runs `body`, and where its outcome will be told.
pub(super) fn of<T, F>(body: F) -> (Box<dyn Job>, oneshot::Receiver<Result<T>>)
where
    T: Send + 'static,
    F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
{
    let (answer, answered) = oneshot::channel();
    (Box::new(Transaction { body: Some(body), outcome: None, answer }), answered)
}

struct Transaction<T, F> {
    body: Option<F>,
    outcome: Option<Result<T>>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Transaction<T, F>
where
    T: Send,
    F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send,
{
    fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    fn run<'r>(&'r mut self, tx: &'r Tx<'_>, keep: Keep) -> Pin<Box<dyn Future<Output = bool> + 'r>> {
        let body = match keep {
            Keep::ForAnotherRun => self.body.clone(),
            Keep::No => self.body.take(),
        };
        self.outcome = None;
        Box::pin(async move {
            let Some(body) = body else { return false };
            self.outcome.insert(caught(body(tx)).await).is_ok()
        })
    }

    fn fail(&mut self, error: Error) {
        if !matches!(self.outcome, Some(Err(_))) {
            self.outcome = Some(Err(error));
        }
    }

    fn answer(self: Box<Self>) {
        // Nobody may be listening any more; the commit stands all the same.
        let _ = self.answer.send(self.outcome.unwrap_or_else(|| Err(gone())));
    }
}

/// Whoever was to run the job has ended.
pub(super) fn gone() -> Error {
    Error::Unavailable("the store's writer has ended".to_owned())
}

/// A panic is the body's own failure, not that of the thread that runs it.
async fn caught<T>(body: impl Future<Output = Result<T>>) -> Result<T> {
    let mut body = pin!(body);
    poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(context)))
            .unwrap_or_else(|_| Poll::Ready(Err(Error::Internal("a transaction's body panicked".to_owned()))))
    })
    .await
}
