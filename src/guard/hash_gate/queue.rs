//! The bounded queue before the hashing threads: first come, first served, and no longer than
//! callers are willing to wait. Knows nothing of passwords.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::domain::password::Workspace;

/// How much a new measurement moves the average: an eighth.
const WEIGHT: u32 = 8;

/// Nobody who waited less than this has waited too long: a thread may take a moment to begin.
const LATE_AFTER: Duration = Duration::from_secs(1);

/// The work, which hands its result to the caller itself; without a workspace, that it is too late.
pub(super) type Work = Box<dyn FnOnce(Option<&mut Workspace>) + Send>;

/// One piece of work, and whether somebody still waits for it.
pub(super) struct Job {
    /// Dead as soon as the caller has gone.
    pub(super) caller: Weak<()>,
    /// When it came to the queue.
    pub(super) arrived: Instant,
    pub(super) work: Work,
}

impl Job {
    fn is_wanted(&self) -> bool {
        self.caller.strong_count() > 0
    }
}

/// What a thread should do next.
pub(super) enum Next {
    /// This job.
    Work(Job),
    /// This job has waited too long, because those before it took longer than expected when it came:
    /// tell its caller.
    Late(Job),
    /// Nothing came for as long as it was patient.
    Idle,
    /// End.
    Close,
}

struct State {
    waiting: VecDeque<Job>,
    running: u32,
    /// The moving average of what a job takes.
    average: Duration,
    closed: bool,
}

/// The queue.
pub(super) struct Queue {
    state: Mutex<State>,
    arrival: Condvar,
    threads: u32,
    max_wait: Duration,
}

impl Queue {
    /// An empty queue for `threads` threads, with a first guess of what a job takes.
    pub(super) fn new(threads: u32, max_wait: Duration, guess: Duration) -> Self {
        let state = State { waiting: VecDeque::new(), running: 0, average: guess, closed: false };
        Self { state: Mutex::new(state), arrival: Condvar::new(), threads, max_wait }
    }

    /// Appends a job, or says how long its wait would have been where that is too long.
    pub(super) fn push(&self, job: Job) -> Result<(), Duration> {
        let mut state = self.lock();
        if self.expected_wait(&state) > self.max_wait {
            state.waiting.retain(Job::is_wanted);
            let wait = self.expected_wait(&state);
            if wait > self.max_wait {
                return Err(wait);
            }
        }
        state.waiting.push_back(job);
        drop(state);
        self.arrival.notify_one();
        Ok(())
    }

    fn expected_wait(&self, state: &State) -> Duration {
        let before = u32::try_from(state.waiting.len()).unwrap_or(u32::MAX).saturating_add(state.running);
        state.average.saturating_mul(before) / self.threads
    }

    /// The oldest job that is still wanted; waits for one, `patience` long where that is given.
    pub(super) fn next(&self, patience: Option<Duration>) -> Next {
        let mut state = self.lock();
        loop {
            if state.closed {
                return Next::Close;
            }
            while let Some(job) = state.waiting.pop_front() {
                if job.is_wanted() {
                    if job.arrived.elapsed() > self.max_wait.max(LATE_AFTER) {
                        return Next::Late(job);
                    }
                    state.running += 1;
                    return Next::Work(job);
                }
            }
            let Some(patience) = patience else {
                state = self.arrival.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let (woken, timeout) = self.arrival.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() && state.waiting.is_empty() && !state.closed {
                return Next::Idle;
            }
        }
    }

    /// Notes that a job is done and how long it took.
    pub(super) fn done(&self, took: Duration) {
        let mut state = self.lock();
        state.running -= 1;
        state.average = (state.average * (WEIGHT - 1) + took) / WEIGHT;
    }

    /// Sends the threads home.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrival.notify_all();
    }

    /// How many jobs wait, those included whose callers have gone.
    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }

    /// No job runs under the lock, so a poisoned one guards nothing half-done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn job(caller: &Arc<()>) -> Job {
        Job { caller: Arc::downgrade(caller), arrived: Instant::now(), work: Box::new(|_| ()) }
    }

    #[test]
    fn a_job_is_refused_when_those_before_it_would_take_too_long() {
        let caller = Arc::new(());
        let queue = Queue::new(2, Duration::from_millis(100), Duration::from_millis(50));
        for _ in 0..5 {
            assert!(queue.push(job(&caller)).is_ok());
        }
        assert_eq!(queue.push(job(&caller)), Err(Duration::from_millis(125)));
        let Next::Work(_) = queue.next(None) else { panic!("there is work") };
        assert_eq!(queue.push(job(&caller)), Err(Duration::from_millis(125)), "a running job counts");
        queue.done(Duration::from_millis(50));
        assert!(queue.push(job(&caller)).is_ok());
    }

    #[test]
    fn slow_jobs_shorten_the_queue() {
        let caller = Arc::new(());
        let queue = Queue::new(1, Duration::from_millis(100), Duration::from_millis(10));
        for _ in 0..2 {
            assert!(queue.push(job(&caller)).is_ok());
        }
        let Next::Work(_) = queue.next(None) else { panic!("there is work") };
        queue.done(Duration::from_secs(2));
        assert!(queue.push(job(&caller)).is_err());
    }

    #[test]
    fn a_job_whose_caller_has_gone_is_skipped_and_makes_room() {
        let (stays, leaves) = (Arc::new(()), Arc::new(()));
        let queue = Queue::new(1, Duration::from_millis(100), Duration::from_millis(60));
        assert!(queue.push(job(&leaves)).is_ok());
        assert!(queue.push(job(&leaves)).is_ok());
        assert!(queue.push(job(&stays)).is_err());
        drop(leaves);
        assert!(queue.push(job(&stays)).is_ok());
        assert_eq!(queue.waiting(), 1);
        assert!(matches!(queue.next(None), Next::Work(_)));
    }

    #[test]
    fn a_job_that_waited_too_long_is_told_so_and_the_next_one_is_done() {
        let caller = Arc::new(());
        let queue = Queue::new(1, Duration::from_secs(2), Duration::ZERO);
        let arrived = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
        assert!(queue.push(Job { arrived, ..job(&caller) }).is_ok());
        assert!(queue.push(job(&caller)).is_ok());
        assert!(matches!(queue.next(None), Next::Late(_)));
        assert!(matches!(queue.next(None), Next::Work(_)));
    }

    #[test]
    fn patience_ends_and_closing_wakes() {
        let queue = Arc::new(Queue::new(1, Duration::ZERO, Duration::ZERO));
        assert!(matches!(queue.next(Some(Duration::from_millis(1))), Next::Idle));
        let sleeper = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || matches!(queue.next(None), Next::Close)
        });
        queue.close();
        assert!(sleeper.join().unwrap());
    }
}
