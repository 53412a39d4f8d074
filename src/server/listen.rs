//! Binds an address and takes clients on it.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::connection::Reception;
use super::roster::Roster;
use super::workers::Workers;
use super::{files, routes, tls};
use crate::app::App;

/// Where no client can be taken, because files or memory are short, the next try waits this long.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is said that there are too many.
const REMINDER: Duration = Duration::from_mins(1);

/// How many clients may wait to be taken. One more would try again after a second.
const BACKLOG: u32 = 4_096;

/// Takes the address, before anything else is touched.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // An address that an ended server's last connections still linger on is free.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    bound().map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "{address} is in use: another server, perhaps another doorward, listens there; stop it, or choose \
             another address with --listen"
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "{address} may not be used by this user ({error}): choose a port above 1023 with --listen, or give the \
             right to bind it"
        ),
        ErrorKind::AddrNotAvailable => {
            anyhow!("{address} is no address of this machine: choose another with --listen")
        }
        _ => anyhow!("{address} cannot be listened on: {error}"),
    })
}

/// A server that takes clients.
pub(super) struct Listening {
    roster: Arc<Roster>,
    workers: Arc<Workers>,
    accepting: JoinHandle<()>,
}

/// Begins to serve on a bound socket.
pub(super) async fn serve(listener: TcpListener, app: &App, stop: watch::Receiver<bool>) -> anyhow::Result<Listening> {
    let settings = app.settings();
    let certificate = match &settings.tls {
        None => None,
        Some(files) => Some(tls::load(files, stop).await?),
    };
    let roster = Roster::start(settings.http.header_timeout);
    let reception = Arc::new(Reception::new(routes::front(app)?, Arc::clone(&roster), certificate));
    let workers = Arc::new(Workers::start()?);
    let accepting = tokio::spawn(accept(listener, reception, Arc::clone(&workers)));
    Ok(Listening { roster, workers, accepting })
}

async fn accept(listener: TcpListener, reception: Arc<Reception>, workers: Arc<Workers>) {
    let room = files::room_for_clients(workers.count());
    let mut said: Option<Instant> = None;
    loop {
        if reception.roster.count() >= room {
            if said.is_none_or(|said| said.elapsed() > REMINDER) {
                tracing::warn!(room, "there is room for no more clients: they wait; see `ulimit -n`");
                said = Some(Instant::now());
            }
            reception.roster.fewer_than(room).await;
        }
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (reception, seated) = (Arc::clone(&reception), reception.roster.seat());
                // A socket belongs to the runtime that it was made on.
                let Ok(stream) = stream.into_std() else { continue };
                workers.serve(async move { reception.serve(stream, peer, seated).await });
            }
            // That client went away before its turn.
            Err(error) if is_its_own(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "connections cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

fn is_its_own(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}

impl Listening {
    /// Takes no more clients; waits at most `grace` for what is in flight.
    pub(super) async fn drain(self, grace: Duration) -> anyhow::Result<()> {
        self.accepting.abort();
        // Only with the task is the socket closed: whoever comes now is refused.
        match self.accepting.await {
            Err(error) if error.is_panic() => return Err(error).context("the listener failed"),
            _ => {}
        }
        self.roster.close(grace).await;
        drop(self.workers);
        Ok(())
    }
}
