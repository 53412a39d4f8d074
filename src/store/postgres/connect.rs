//! The way to PostgreSQL: which hosts, in what order, how long to wait, and how long to leave a
//! server alone that was not there.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::{AsyncMessage, CancelToken, Client, Config, NoTls, Socket, tls::MakeTlsConnect, tls::TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::failure::{Failure, Meaning};

/// How long nobody tries to connect after a try that failed; doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// A host name may have addresses behind which nobody is: it has the time to try so many.
const ADDRESSES: u32 = 3;

/// Where PostgreSQL is, and how to speak to it.
#[derive(Clone)]
pub struct Target {
    /// One a host, in the order in which they are tried.
    pub hosts: Vec<Config>,
    /// What a server has to show; `None` where the connection is not encrypted.
    pub tls: Option<Arc<ClientConfig>>,
    /// How many connections write at the most.
    pub connections: usize,
    /// How long a host may take to let somebody in.
    pub connect_timeout: Duration,
    /// How long one statement may take.
    pub statement_timeout: Duration,
}

/// Drives a connection; it ends with it.
pub(super) type Driver = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes connections.
pub(super) struct Connector {
    target: Target,
    /// The host that last let somebody in.
    first: AtomicUsize,
    gate: Mutex<Gate>,
}

/// When the next try may be made.
struct Gate {
    opens: Option<Instant>,
    pause: Duration,
    why: Failure,
}

impl Connector {
    pub(super) fn new(target: Target) -> Self {
        let gate = Gate { opens: None, pause: FIRST_PAUSE, why: Failure::silence() };
        Self { target, first: AtomicUsize::new(0), gate: Mutex::new(gate) }
    }

    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// A connection to the first host that takes writes. Shortly after a try that failed, the same
    /// failure at once.
    pub(super) async fn connect(&self, noticed: &Arc<Notify>) -> Result<(Client, Driver), Failure> {
        if let Some(why) = self.still_shut() {
            return Err(why);
        }
        let count = self.target.hosts.len();
        let first = self.first.load(Ordering::Relaxed);
        let mut failure = Failure::new(Meaning::Refused, "no host is configured");
        for index in (0..count).map(|step| (first + step) % count) {
            match self.connect_to(&self.target.hosts[index], noticed).await {
                Ok(connected) => {
                    self.first.store(index, Ordering::Relaxed);
                    self.note(None);
                    return Ok(connected);
                }
                Err(why) => failure = why,
            }
        }
        self.note(Some(&failure));
        Err(failure)
    }

    async fn connect_to(&self, host: &Config, noticed: &Arc<Notify>) -> Result<(Client, Driver), Failure> {
        let limit = self.target.connect_timeout * ADDRESSES;
        match &self.target.tls {
            Some(tls) => within(limit, connect(host, make_tls(tls), noticed)).await,
            None => within(limit, connect(host, NoTls, noticed)).await,
        }
    }

    /// Asks a server to give up what it does on a connection, on a connection for that alone.
    pub(super) async fn cancel(&self, token: &CancelToken) -> Result<(), Failure> {
        match &self.target.tls {
            Some(tls) => within(self.target.connect_timeout, token.cancel_query(make_tls(tls))).await,
            None => within(self.target.connect_timeout, token.cancel_query(NoTls)).await,
        }
    }

    /// How long until the next try may be made.
    pub(super) fn pause(&self) -> Duration {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.opens.map_or(Duration::ZERO, |opens| opens.saturating_duration_since(Instant::now()))
    }

    fn still_shut(&self) -> Option<Failure> {
        let gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        gate.opens.filter(|opens| *opens > Instant::now()).map(|_| gate.why.clone())
    }

    fn note(&self, failure: Option<&Failure>) {
        let mut gate = self.gate.lock().unwrap_or_else(PoisonError::into_inner);
        match failure {
            None => (gate.opens, gate.pause) = (None, FIRST_PAUSE),
            Some(why) => {
                gate.opens = Some(Instant::now() + gate.pause);
                gate.pause = (gate.pause * 2).min(LONGEST_PAUSE);
                gate.why = why.clone();
            }
        }
    }
}

fn make_tls(tls: &Arc<ClientConfig>) -> MakeRustlsConnect {
    MakeRustlsConnect::new(ClientConfig::clone(tls))
}

/// A failure where nothing comes within `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, impl Into<Failure>>>,
) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(done) => done.map_err(Into::into),
        Err(_) => Err(Failure::silence()),
    }
}

async fn connect<T>(host: &Config, tls: T, noticed: &Arc<Notify>) -> Result<(Client, Driver), tokio_postgres::Error>
where
    T: MakeTlsConnect<Socket>,
    T::Stream: Send + 'static,
    <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
{
    let (client, mut connection) = host.connect(tls).await?;
    let noticed = Arc::clone(noticed);
    let driver = async move {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => noticed.notify_one(),
                // What a server remarks on is for its own log.
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    tracing::debug!(error = %Failure::from(error).cause, "a connection to PostgreSQL ended");
                    return;
                }
                None => return,
            }
        }
    };
    Ok((client, Box::pin(driver)))
}
