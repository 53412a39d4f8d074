//! The life of one connection: it shakes hands, its requests are answered, it ends.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::front::Front;
use super::refusals::Refusing;
use super::roster::{Order, Roster, Seated};
use super::tls::Certificate;

/// The longest head of an HTTP/1 request, so that a thousand slow clients hold little memory.
const MAX_HEAD: usize = 64 * 1024;
/// How many requests one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 256;
/// How long an HTTP/2 connection may be silent before it is asked for a sign of life.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// What all connections share.
pub(super) struct Reception {
    pub(super) front: Front,
    pub(super) roster: Arc<Roster>,
    /// In clear where there is none.
    pub(super) certificate: Option<Certificate>,
    http: Builder<TokioExecutor>,
}

impl Reception {
    pub(super) fn new(front: Front, roster: Arc<Roster>, certificate: Option<Certificate>) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        // The roster sends away who is slow with a head: a timer a request would cost more than the request.
        http.http1().max_buf_size(MAX_HEAD).header_read_timeout(None);
        http.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS).keep_alive_interval(KEEP_ALIVE);
        Self { front, roster, certificate, http }
    }

    /// Serves a client to the end.
    pub(super) async fn serve(&self, stream: std::net::TcpStream, peer: SocketAddr, seated: Seated) {
        match seated.seat.unless_told(self.shake_hands(stream)).await {
            Some(Ok(stream)) => self.answer(stream, peer, &seated).await,
            // Anybody can be such a client: not worth a line each.
            Some(Err(error)) => tracing::debug!(%error, "a client could not be spoken to"),
            None => {}
        }
    }

    async fn shake_hands(&self, stream: std::net::TcpStream) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        let stream = TcpStream::from_std(stream)?;
        match &self.certificate {
            None => Ok(Stream::Clear(stream)),
            Some(certificate) => {
                let shaken = TlsAcceptor::from(certificate.current()).accept(stream).await?;
                Ok(Stream::Tls(Box::new(shaken)))
            }
        }
    }

    async fn answer(&self, stream: Stream, peer: SocketAddr, seated: &Seated) {
        let seat = &seated.seat;
        seat.touch();
        let service = self.front.connection(peer, Arc::clone(seat));
        let stream = TokioIo::new(Refusing::new(stream, Arc::clone(seat)));
        let mut serving = pin!(self.http.serve_connection(stream, service));
        let mut is_told = false;
        poll_fn(|context| {
            match seat.order(context) {
                Order::Leave => return Poll::Ready(()),
                Order::Finish if !is_told => {
                    is_told = true;
                    serving.as_mut().graceful_shutdown();
                }
                Order::Finish | Order::GoOn => {}
            }
            // How it ended is the client's doing.
            serving.as_mut().poll(context).map(drop)
        })
        .await;
    }
}

/// A client's bytes, in clear or by TLS.
enum Stream {
    Clear(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Calls the same on whichever stream it is.
macro_rules! on_either {
    ($stream:expr, $inner:ident => $call:expr) => {
        match $stream.get_mut() {
            Stream::Clear($inner) => $call,
            Stream::Tls($inner) => $call,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        on_either!(self, inner => Pin::new(inner).poll_read(context, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        on_either!(self, inner => Pin::new(inner).poll_write(context, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        on_either!(self, inner => Pin::new(inner).poll_write_vectored(context, slices))
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Clear(inner) => inner.is_write_vectored(),
            Self::Tls(inner) => inner.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, inner => Pin::new(inner).poll_flush(context))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        on_either!(self, inner => Pin::new(inner).poll_shutdown(context))
    }
}
