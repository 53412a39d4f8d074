//! A way to PostgreSQL that closes before one particular message, for good: what a node that is killed at
//! that moment has sent, and heard, is what has come through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Which messages are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// What the node says.
    There,
    /// What PostgreSQL answers.
    Back,
}

/// What only the follower of changes asks, which goes on all the time and counts as nothing.
const OF_THE_FEED: &[u8] = b"pg_postmaster_start_time";

struct State {
    direction: Direction,
    /// How many more messages come through; nothing is counted before it is armed.
    left: AtomicUsize,
    is_armed: AtomicBool,
    closed: watch::Sender<bool>,
}

pub(super) struct Gate {
    port: u16,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Gate {
    /// A way to this port that will let so many messages through.
    pub(super) async fn to(port: u16, direction: Direction, left: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (left, is_armed, closed) = (AtomicUsize::new(left), AtomicBool::new(false), watch::Sender::new(false));
        let state = Arc::new(State { direction, left, is_armed, closed });
        let accepting = tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((near, _)) = listener.accept().await {
                    tokio::spawn(connect(near, port, Arc::clone(&state)));
                }
            }
        });
        Self { port: own, state, accepting }
    }

    /// The URL by way of this gate.
    pub(super) fn url(&self, url: &str, port: u16) -> String {
        url.replace(&format!(":{port}/"), &format!(":{}/", self.port))
    }

    /// From here on messages are counted.
    pub(super) fn arm(&self) {
        self.state.is_armed.store(true, Ordering::SeqCst);
    }

    /// How many messages would still come through.
    pub(super) fn left(&self) -> usize {
        self.state.left.load(Ordering::SeqCst)
    }

    /// Waits until it has closed.
    pub(super) async fn closed(&self) {
        self.state.closed.subscribe().wait_for(|closed| *closed).await.unwrap();
    }
}

impl State {
    /// Whether a message comes through.
    fn lets_through(&self, direction: Direction, is_feed: bool) -> bool {
        if *self.closed.borrow() {
            return false;
        }
        if direction != self.direction || is_feed || !self.is_armed.load(Ordering::SeqCst) {
            return true;
        }
        let counted = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if counted.is_err() {
            self.closed.send_replace(true);
        }
        counted.is_ok()
    }
}

async fn connect(near: TcpStream, port: u16, state: Arc<State>) {
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (near, far) = (near.into_split(), far.into_split());
    let is_feed = Arc::<AtomicBool>::default();
    let there = tokio::spawn(pass(near.0, far.1, Direction::There, Arc::clone(&state), Arc::clone(&is_feed)));
    let back = tokio::spawn(pass(far.0, near.1, Direction::Back, state, is_feed));
    let _ = tokio::join!(there, back);
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    direction: Direction,
    state: Arc<State>,
    is_feed: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(count @ 1..) = from.read(&mut buffer).await else { return };
        if buffer[..count].windows(OF_THE_FEED.len()).any(|window| window == OF_THE_FEED) {
            is_feed.store(true, Ordering::SeqCst);
        }
        let comes_through = state.lets_through(direction, is_feed.load(Ordering::SeqCst));
        if !comes_through || to.write_all(&buffer[..count]).await.is_err() {
            // Held open: whose way is closed hears nothing of it.
            std::future::pending::<()>().await;
        }
    }
}
