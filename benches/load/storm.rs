//! Logins without pause, and requests at a pace, by an own client: what wrk cannot tell.

use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use doorward::domain::password::{self, Cost, Password, Workspace};
use doorward::secret::random;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::http::{Connection, post};
use crate::seed::{PASSWORD, email};

/// Who is refused comes again after this long.
const PAUSE: Duration = Duration::from_millis(100);
/// No answer comes later than this.
const PATIENCE: Duration = Duration::from_secs(10);

/// One answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    pub(crate) status: u16,
    pub(crate) took: Duration,
    at: Instant,
}

/// What became of all requests.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) answers: Vec<Answered>,
    /// Requests without an answer, each with what happened instead.
    pub(crate) unanswered: Vec<String>,
}

impl Tally {
    /// Milliseconds that answers took whose status is one of these.
    pub(crate) fn took(&self, wanted: impl Fn(u16) -> bool) -> Vec<f64> {
        self.answers
            .iter()
            .filter(|answer| wanted(answer.status))
            .map(|answer| answer.took.as_secs_f64() * 1e3)
            .collect()
    }

    /// Answers of this status a second, between two moments.
    pub(crate) fn rate(&self, status: u16, from: Instant, until: Instant) -> f64 {
        let within = |answer: &&Answered| answer.status == status && (from..until).contains(&answer.at);
        let count = u32::try_from(self.answers.iter().filter(within).count()).unwrap_or(u32::MAX);
        f64::from(count) / (until - from).as_secs_f64()
    }

    /// An error where there was any other answer than these, or none.
    pub(crate) fn require_only(&self, allowed: &[u16]) -> anyhow::Result<()> {
        if let Some(why) = self.unanswered.first() {
            return Err(anyhow!("{} requests had no answer, such as: {why}", self.unanswered.len()));
        }
        self.require_only_answers_of(allowed)
    }

    /// An error where there was any other answer than these.
    pub(crate) fn require_only_answers_of(&self, allowed: &[u16]) -> anyhow::Result<()> {
        match self.answers.iter().find(|answer| !allowed.contains(&answer.status)) {
            Some(answer) => Err(anyhow!("an answer was {}", answer.status)),
            None => Ok(()),
        }
    }

    fn add(&mut self, other: Self) {
        self.answers.extend(other.answers);
        self.unanswered.extend(other.unanswered);
    }
}

/// Runs a client on threads of its own.
pub(crate) fn run<T>(client: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    Ok(runtime.block_on(client))
}

/// Connections that do nothing but log in, each as a user of its own, until this moment; what is
/// under way then is waited for.
pub(crate) async fn log_in(address: SocketAddr, connections: usize, until: Instant) -> Tally {
    let mut clients = JoinSet::new();
    for number in 0..connections {
        let body = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, email(number));
        clients.spawn(log_in_again_and_again(address, post("/auth/login", &body), until));
    }
    gather(clients).await
}

async fn log_in_again_and_again(address: SocketAddr, request: Vec<u8>, until: Instant) -> Tally {
    let mut tally = Tally::default();
    let mut open = None;
    while Instant::now() < until {
        if tally.ask(&mut open, address, &request, Instant::now()).await == Some(503) {
            sleep(PAUSE).await;
        }
    }
    tally
}

/// Asks at a pace, each connection in its turn, whether or not earlier answers are there; the time
/// an answer took counts from the moment at which its request was due.
pub(crate) async fn ask_at_pace(
    address: SocketAddr,
    requests: Arc<Vec<Vec<u8>>>,
    each: Duration,
    until: Instant,
) -> Tally {
    const CONNECTIONS: u32 = 8;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for number in 0..CONNECTIONS {
        let requests = Arc::clone(&requests);
        clients.spawn(async move {
            let mut tally = Tally::default();
            let mut open = None;
            for turn in 0.. {
                let due = begun + each * (number + turn * CONNECTIONS);
                if due >= until {
                    break;
                }
                sleep_until(due.into()).await;
                let which = (number + turn * CONNECTIONS) as usize % requests.len();
                tally.ask(&mut open, address, &requests[which], due).await;
            }
            tally
        });
    }
    gather(clients).await
}

async fn gather(mut clients: JoinSet<Tally>) -> Tally {
    let mut all = Tally::default();
    while let Some(tally) = clients.join_next().await {
        match tally {
            Ok(tally) => all.add(tally),
            Err(error) => all.unanswered.push(error.to_string()),
        }
    }
    all
}

impl Tally {
    /// Asks on the open connection, or on a new one; notes what came and gives its status.
    async fn ask(
        &mut self,
        open: &mut Option<Connection>,
        address: SocketAddr,
        request: &[u8],
        due: Instant,
    ) -> Option<u16> {
        let asking = async {
            let mut connection = match open.take() {
                Some(connection) => connection,
                None => Connection::open(address).await.context("no connection")?,
            };
            let answer = connection.ask(request).await?;
            anyhow::Ok((connection, answer))
        };
        match timeout(PATIENCE, asking).await {
            Ok(Ok((connection, answer))) => {
                let at = Instant::now();
                self.answers.push(Answered { status: answer.status, took: at.duration_since(due), at });
                *open = (!answer.last).then_some(connection);
                return Some(answer.status);
            }
            Ok(Err(error)) => self.unanswered.push(format!("{error:#}")),
            Err(_) => self.unanswered.push(format!("none within {PATIENCE:?}")),
        }
        sleep(PAUSE).await;
        None
    }
}

/// Asks for every one of these once: batches in flight on several connections, untimed.
pub(crate) async fn ask_each_once(address: SocketAddr, requests: Arc<Vec<Vec<u8>>>) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 16;
    const BATCH: usize = 16;
    let mut clients: JoinSet<anyhow::Result<()>> = JoinSet::new();
    for number in 0..CONNECTIONS {
        let requests = Arc::clone(&requests);
        clients.spawn(async move {
            let mut connection = Connection::open(address).await?;
            let share = requests.len() * number / CONNECTIONS..requests.len() * (number + 1) / CONNECTIONS;
            for batch in requests[share].chunks(BATCH) {
                connection.send(&batch.concat()).await?;
                for _ in batch {
                    let status = connection.receive().await?.status;
                    anyhow::ensure!(status == 200, "an answer was {status}");
                }
            }
            Ok(())
        });
    }
    clients.join_all().await.into_iter().collect()
}

/// Hashes a second that so many threads of this process compute, the way the server does:
/// `password::hash` in memory that is kept.
pub(crate) fn bare_hashes(cost: Cost, duration: Duration, threads: usize) -> anyhow::Result<f64> {
    let typed = Password::parse(PASSWORD).map_err(|error| anyhow!(error))?;
    let rates: Vec<f64> = thread::scope(|scope| {
        let hashing = |()| scope.spawn(|| hash_for(&typed, cost, duration));
        let threads: Vec<_> = std::iter::repeat_n((), threads).map(hashing).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(f64::NAN)).collect()
    });
    Ok(rates.into_iter().sum())
}

/// Whole hashes over the time that they took: a hash that the end would cut is counted.
fn hash_for(typed: &Password, cost: Cost, duration: Duration) -> f64 {
    let mut workspace = Workspace::default();
    // The first one takes the memory.
    black_box(password::hash(typed, random(), cost, &mut workspace));
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < duration {
        black_box(password::hash(typed, random(), cost, &mut workspace));
        count += 1;
    }
    f64::from(count) / begun.elapsed().as_secs_f64()
}
