//! Binds an address and serves connections on it, in clear or by TLS, with limits for slow
//! clients.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum_server::Handle;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::RustlsAcceptor;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::refusals::Refusals;
use super::{routes, tls};
use crate::app::App;

/// The longest head of an HTTP/1 request, so that a thousand slow clients hold little memory.
const MAX_HEAD: usize = 64 * 1024;
/// How many requests one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 256;
/// How long an HTTP/2 connection may be silent before it is asked for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Takes the address, before anything else is touched.
pub(super) fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
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

/// A server that accepts connections.
pub(super) struct Listening {
    handle: Handle<SocketAddr>,
    serving: JoinHandle<std::io::Result<()>>,
}

/// Begins to serve on a bound socket.
pub(super) async fn serve(socket: TcpListener, app: &App, stop: watch::Receiver<bool>) -> anyhow::Result<Listening> {
    let handle = Handle::new();
    let service = routes::front(app)?;
    let header_timeout = app.settings().http.header_timeout;
    let mut server = axum_server::from_tcp(socket)
        .context("the socket cannot be used")?
        .handle(handle.clone())
        .first_request_timeout(header_timeout)
        .accept_error_handler(refused);
    let builder = server.http_builder();
    builder.http1().header_read_timeout(header_timeout).max_buf_size(MAX_HEAD);
    builder.http2().max_concurrent_streams(MAX_STREAMS).keep_alive_interval(KEEP_ALIVE);
    let serving = match &app.settings().tls {
        None => tokio::spawn(server.acceptor(Refusals(NoDelayAcceptor::new())).serve(service)),
        Some(files) => {
            let config = tls::load(files, stop).await?;
            let acceptor =
                RustlsAcceptor::new(config).handshake_timeout(header_timeout).acceptor(NoDelayAcceptor::new());
            tokio::spawn(server.acceptor(Refusals(acceptor)).serve(service))
        }
    };
    Ok(Listening { handle, serving })
}

/// A client that cannot shake hands is its own fault, and anybody can be one: not worth a line
/// each. That no client can be taken is worth one.
fn refused(client: Option<&SocketAddr>, error: &std::io::Error) {
    if client.is_some() {
        tracing::debug!(%error, "a client could not be spoken to");
    } else {
        tracing::warn!(%error, "connections cannot be accepted");
    }
}

impl Listening {
    /// Accepts no more; waits at most `grace` for what is in flight.
    pub(super) async fn drain(self, grace: Duration) -> anyhow::Result<()> {
        self.handle.graceful_shutdown(Some(grace));
        self.serving.await.context("the listener failed")?.context("the listener failed")
    }
}
