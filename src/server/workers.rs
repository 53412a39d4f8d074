//! The threads that answer. Each has a runtime of its own and keeps its connections from the first
//! byte to the last: no thread wakes another to share a request that is over in microseconds, and
//! each reads the store through a connection of its own.

use std::future::Future;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use anyhow::Context as _;
use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Where other programs take turns on the cores, too, a thread that has to wait holds up its own
/// connections alone: the more threads, the fewer those are.
const THREADS_A_CORE: usize = 2;

/// Threads that answer; they end when this is dropped, with whatever they are at.
pub(super) struct Workers {
    workers: Vec<Worker>,
    /// None once they are to end.
    running: Option<watch::Sender<()>>,
}

struct Worker {
    runtime: Handle,
    /// Held once by each of its connections.
    load: Arc<()>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.running = None;
        // What they held is dropped with them: the store is closed in good order only after that.
        for thread in self.workers.iter_mut().filter_map(|worker| worker.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl Workers {
    /// Starts the threads.
    pub(super) fn start() -> anyhow::Result<Self> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let running = watch::Sender::new(());
        let workers = (1..=cores * THREADS_A_CORE)
            .map(|number| start_one(number, running.subscribe()))
            .collect::<Result<_, _>>()?;
        Ok(Self { workers, running: Some(running) })
    }

    /// How many threads there are.
    pub(super) fn count(&self) -> usize {
        self.workers.len()
    }

    /// Has the thread with the fewest connections serve one more.
    pub(super) fn serve(&self, connection: impl Future<Output = ()> + Send + 'static) {
        let least = self.workers.iter().min_by_key(|worker| Arc::strong_count(&worker.load));
        let Some(Worker { runtime, load, .. }) = least else { return };
        let load = Arc::clone(load);
        runtime.spawn(async move {
            connection.await;
            drop(load);
        });
    }
}

fn start_one(number: usize, mut running: watch::Receiver<()>) -> anyhow::Result<Worker> {
    let runtime = Builder::new_current_thread().enable_all().build().context("no runtime for a worker")?;
    let handle = runtime.handle().clone();
    let thread = thread::Builder::new()
        .name(format!("http-{number}"))
        // Nothing is ever sent: it ends with the sender.
        .spawn(move || drop(runtime.block_on(running.changed())))
        .context("no thread for a worker")?;
    Ok(Worker { runtime: handle, load: Arc::new(()), thread: Some(thread) })
}
