//! One hashing thread: takes jobs from the queue, keeps its memory warm between them, and gives
//! way to the threads that answer everybody else.

use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::queue::{Next, Queue, Work};
use crate::domain::password::Workspace;

/// The allocator keeps freed pages for a second, and returns them at the first page that it
/// hands out or takes back afterwards: on an idle server that may be never.
const ALLOCATOR_DELAY: Duration = Duration::from_secs(2);
const A_PAGE_OF_ITS_OWN: usize = 1 << 20;

/// A thread's share in the gate.
pub(super) struct Worker {
    pub(super) queue: Arc<Queue>,
    /// Bytes that all threads keep.
    pub(super) kept: Arc<AtomicUsize>,
    /// Memory is given back after this long without work.
    pub(super) release_after: Duration,
}

impl Worker {
    /// Works until the queue closes.
    pub(super) fn run(self) {
        lower_priority();
        let mut workspace = Workspace::default();
        let mut patience = None;
        loop {
            match self.queue.next(patience) {
                Next::Work(job) => {
                    self.work(job.work, &mut workspace);
                    patience = Some(self.release_after);
                }
                Next::Late(job) => (job.work)(None),
                Next::Idle if workspace.bytes() > 0 => {
                    self.release(&mut workspace);
                    patience = Some(ALLOCATOR_DELAY);
                }
                Next::Idle => {
                    stir_allocator();
                    patience = None;
                }
                Next::Close => return self.release(&mut workspace),
            }
        }
    }

    fn work(&self, work: Work, workspace: &mut Workspace) {
        let (began, kept_before) = (Instant::now(), workspace.bytes());
        // A bug in one job must not end the thread. The answer's sender falls with the job, so
        // its caller learns of it; the memory holds no state that the next job would read.
        if panic::catch_unwind(AssertUnwindSafe(|| work(Some(&mut *workspace)))).is_err() {
            tracing::error!("a password hash ended in a panic");
        }
        self.queue.done(began.elapsed());
        self.kept.fetch_add(workspace.bytes(), Ordering::Relaxed);
        self.kept.fetch_sub(kept_before, Ordering::Relaxed);
    }

    fn release(&self, workspace: &mut Workspace) {
        self.kept.fetch_sub(workspace.bytes(), Ordering::Relaxed);
        workspace.release();
    }
}

/// Gives the allocator the occasion to return freed memory to the operating system.
fn stir_allocator() {
    drop(black_box(Vec::<u8>::with_capacity(A_PAGE_OF_ITS_OWN)));
}

/// On Linux a thread has a priority of its own; elsewhere the process's would change with it.
#[cfg(target_os = "linux")]
fn lower_priority() {
    use rustix::process::{getpriority_process, setpriority_process};
    const STEPS: i32 = 10;
    const LOWEST: i32 = 19;

    let thread = Some(rustix::thread::gettid());
    let lowered = getpriority_process(thread).and_then(|now| setpriority_process(thread, (now + STEPS).min(LOWEST)));
    if let Err(error) = lowered {
        tracing::debug!(%error, "a hashing thread keeps its usual priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}
