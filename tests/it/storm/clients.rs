//! Those who log in without pause: who they are, what they send, and what they may be told.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{getpriority_process, setpriority_process};
use rustix::thread::gettid;
use serde_json::Value;
use tokio::task::JoinSet;

use super::alone;
use super::connection::{Connection, Reply, post};
use super::diary::Diary;
use crate::harness::PASSWORD;
use crate::harness::dialect::{DIALECTS, Dialect};

/// How many people there are to log in as.
pub(super) const PEOPLE: usize = 6;
/// A storm ends early after so many requests, however fast the machine is.
const REQUESTS_MAX: usize = 2_000_000;
/// By so much they give way, as the server's hashing threads do.
const PRIORITY: i32 = 10;

pub(super) fn email(person: usize) -> String {
    format!("person-{person}@example.com")
}

impl Dialect {
    /// A login, as it is written on a connection.
    pub(super) fn login(self, email: &str, password: &str) -> String {
        post(self.login_path(), "", &self.credentials(email, password))
    }

    /// What an answer to a login means, or that it means nothing in this dialect.
    pub(super) fn read(self, reply: &Reply) -> Result<Outcome, String> {
        let outcome = match reply.status {
            200 => Outcome::Welcome,
            refused if refused == self.wrong_credentials().as_u16() => Outcome::Refused,
            429 => Outcome::Throttled,
            503 => Outcome::Busy,
            _ => return Err(format!("an answer that no login has: {reply:?}")),
        };
        if outcome.says_when_to_come_again() && reply.retry_after.is_none_or(|seconds| seconds == 0) {
            return Err(format!("no Retry-After: {reply:?}"));
        }
        if !self.has_shape(outcome, reply) {
            return Err(format!("not in the dialect's own shape: {reply:?}"));
        }
        Ok(outcome)
    }

    fn has_shape(self, outcome: Outcome, Reply { status, body, .. }: &Reply) -> bool {
        let text = |pointer| body.pointer(pointer).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        match (outcome, self) {
            (Outcome::Welcome, Self::Rest) => text("/accessToken") && text("/refreshToken"),
            (Outcome::Welcome, Self::Iron) => text("/tokens/0"),
            (Outcome::Welcome, Self::XAccessToken | Self::Argon) => text("/token"),
            (_, Self::Rest) => body["code"] == *status && text("/error") && text("/message"),
            (_, Self::XAccessToken) => body["success"] == false && text("/message") && text("/error"),
            (_, Self::Iron) => text("/msg"),
            (_, Self::Argon) => text("/error"),
        }
    }
}

/// What a login may come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Welcome,
    Refused,
    Throttled,
    Busy,
}

impl Outcome {
    pub(super) const ALL: [Self; 4] = [Self::Welcome, Self::Refused, Self::Throttled, Self::Busy];

    fn says_when_to_come_again(self) -> bool {
        matches!(self, Self::Throttled | Self::Busy)
    }
}

/// Who sits at a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// Has the right password.
    Owner,
    /// Has a wrong one.
    Guesser,
    /// Names somebody who does not exist.
    Stranger,
}

impl Client {
    fn of(number: usize) -> Self {
        [Self::Owner, Self::Guesser, Self::Stranger][number % 3]
    }

    fn login(self, dialect: Dialect, number: usize) -> String {
        match self {
            Self::Owner => dialect.login(&email(number % PEOPLE), PASSWORD),
            Self::Guesser => dialect.login(&email(number % PEOPLE), "a wrong horse battery"),
            Self::Stranger => dialect.login(&format!("stranger-{number}@example.com"), PASSWORD),
        }
    }

    /// Whether the password decided, if it was looked at.
    fn may_be(self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Welcome => self == Self::Owner,
            Outcome::Refused => self != Self::Owner,
            Outcome::Throttled | Outcome::Busy => true,
        }
    }
}

/// Logs in from so many connections, each of which sends its next attempt as soon as it has the
/// answer to its last, for so long. Takes a thread of its own, whose priority it lowers: clients
/// are on other machines, and the server does not share its cores with them.
pub(super) fn storm(server: SocketAddr, connections: usize, lasting: Duration) -> Diary {
    let thread = Some(gettid());
    let usual = getpriority_process(thread).unwrap();
    setpriority_process(thread, usual + PRIORITY).unwrap();
    alone(async {
        let mut clients = Vec::new();
        for number in 0..connections {
            clients.push((number, Connection::open(address(number), server).await.unwrap()));
        }
        let end = End { at: Instant::now() + lasting, requests: Arc::default() };
        let storm: JoinSet<Diary> = clients.into_iter().map(|(number, it)| log_in(it, number, end.clone())).collect();
        Diary::of_all(storm.join_all().await)
    })
}

/// Every client comes from a network of its own, as people do: one who guesses is no reason to
/// turn others away.
fn address(number: usize) -> Ipv4Addr {
    let [high, low] = u16::try_from(number).unwrap().to_be_bytes();
    Ipv4Addr::new(127, 1 + high, low, 1)
}

/// When nobody begins another attempt.
#[derive(Clone)]
struct End {
    at: Instant,
    requests: Arc<AtomicUsize>,
}

impl End {
    fn has_come(&self) -> bool {
        self.requests.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX || Instant::now() >= self.at
    }
}

async fn log_in(mut connection: Connection, number: usize, end: End) -> Diary {
    let client = Client::of(number);
    let requests = DIALECTS.map(|dialect| (dialect, client.login(dialect, number)));
    let mut diary = Diary::default();
    for (dialect, request) in requests.iter().cycle() {
        if end.has_come() {
            break;
        }
        let began = Instant::now();
        let outcome = connection.ask(request).await.and_then(|reply| {
            let outcome = dialect.read(&reply)?;
            if client.may_be(outcome) { Ok(outcome) } else { Err(format!("{outcome:?}: {reply:?}")) }
        });
        if !diary.note(began, outcome.map_err(|fault| format!("{client:?} {number}, {dialect:?}: {fault}"))) {
            break;
        }
    }
    diary
}
