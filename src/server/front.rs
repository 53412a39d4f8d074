//! What stands before the router: what clients ask all the time is answered at once, without the
//! costs of a router; everything else goes on to it. Knows paths, and no dialect.

use std::any::Any;
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::ConnectInfo;
use axum::http::header::ORIGIN;
use axum::http::{Method, Request, Version};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::Service;
use tower::Service as _;

use super::roster::{Engaged, Seat};
use crate::app::App;
use crate::http::body::BodyLimits;
use crate::http::headers;
use crate::http::linger::linger;
use crate::http::mount::{Answering, Handler, Head, Mount};
use crate::http::request_log::Entry;

/// All that the server answers.
#[derive(Clone)]
pub(super) struct Front(Arc<Inner>);

struct Inner {
    app: App,
    shortcuts: Vec<Shortcut>,
    router: Router,
    limits: BodyLimits,
    /// Whether pages of other origins get headers of their own: the router adds them.
    cross_origin: bool,
}

/// A route below its prefix, with what its dialect says when it panics.
struct Shortcut {
    method: &'static Method,
    path: Arc<str>,
    handler: Handler,
    broken: fn(String) -> Response,
}

impl Front {
    pub(super) fn new(app: App, router: Router, shortcuts: Shortcuts) -> Self {
        let (limits, cross_origin) = (BodyLimits::of(&app), !app.settings().http.cors_origins.is_empty());
        Self(Arc::new(Inner { app, shortcuts: shortcuts.0, router, limits, cross_origin }))
    }

    /// The service of one connection.
    pub(super) fn connection(&self, peer: SocketAddr, seat: Arc<Seat>) -> Connection {
        Connection { front: Arc::clone(&self.0), seat, peer }
    }
}

/// The shortcuts of all mounts.
#[derive(Default)]
pub(super) struct Shortcuts(Vec<Shortcut>);

impl Shortcuts {
    /// Adds those of a mount below its prefix.
    pub(super) fn add(&mut self, mount: &Mount, prefix: &str) {
        self.0.extend(mount.shortcuts.iter().map(|shortcut| Shortcut {
            method: shortcut.method,
            path: format!("{prefix}{}", shortcut.path).into(),
            handler: shortcut.handler,
            broken: mount.broken,
        }));
    }
}

/// Answers the requests of one connection.
pub(super) struct Connection {
    front: Arc<Inner>,
    seat: Arc<Seat>,
    peer: SocketAddr,
}

impl Connection {
    /// The shortcut to the answer of a request, if there is one and nothing is unusual about it.
    fn shortcut(&self, request: &Request<Incoming>) -> Option<&Shortcut> {
        let path = request.uri().path();
        let is_it = |shortcut: &&Shortcut| *shortcut.path == *path && shortcut.method == request.method();
        let found = self.front.shortcuts.iter().find(is_it)?;
        let is_odd = match found.handler {
            Handler::OfHead(_) => !request.body().is_end_stream(),
            Handler::OfAll(_) => false,
        };
        let is_foreign = self.front.cross_origin && request.headers().contains_key(ORIGIN);
        if is_odd || is_foreign { None } else { Some(found) }
    }
}

impl Service<Request<Incoming>> for Connection {
    type Response = Response;
    type Error = Infallible;
    type Future = Replying;

    fn call(&self, request: Request<Incoming>) -> Replying {
        let engaged = self.seat.engage(request.version() == Version::HTTP_2);
        Replying { reply: self.reply(request), _engaged: engaged }
    }
}

impl Connection {
    fn reply(&self, request: Request<Incoming>) -> Reply {
        if let Some(shortcut) = self.shortcut(&request) {
            let entry = Entry::of_routine(shortcut.method, &shortcut.path);
            let (broken, app) = (shortcut.broken, self.front.app.clone());
            let answering = match shortcut.handler {
                Handler::OfHead(answer) => {
                    answer(app, Head { parts: request.into_parts().0, peer: Some(self.peer.ip()) })
                }
                Handler::OfAll(answer) => answer(app, linger(self.with_peer(request), self.front.limits)),
            };
            return Reply::AtOnce { answering, broken, entry: Some(entry) };
        }
        Reply::ByRouter(Box::new(self.front.router.clone().call(self.with_peer(request))))
    }

    fn with_peer(&self, request: Request<Incoming>) -> Request<Body> {
        let is_multiplexed = request.version() == Version::HTTP_2;
        let mut request = request.map(|body| {
            if body.is_end_stream() {
                return Body::empty();
            }
            // Whoever still sends is not silent, also after the answer.
            let engaged = self.seat.engage(is_multiplexed);
            Body::new(body.map_err(move |error| {
                let _ = &engaged;
                error
            }))
        });
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request
    }
}

/// An answer on its way.
pub(super) struct Replying {
    reply: Reply,
    _engaged: Engaged,
}

enum Reply {
    AtOnce { answering: Answering, broken: fn(String) -> Response, entry: Option<Entry> },
    ByRouter(Box<RouteFuture<Infallible>>),
}

impl Future for Replying {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().reply {
            Reply::ByRouter(answering) => Pin::new(answering.as_mut()).poll(context),
            Reply::AtOnce { answering, broken, entry } => {
                let polled = catch_unwind(AssertUnwindSafe(|| answering.as_mut().poll(context)));
                let mut answer = match polled {
                    Ok(polled) => ready!(polled),
                    Err(thrown) => broken(what_panicked(&*thrown)),
                };
                headers::protect(&mut answer);
                if let Some(entry) = entry.take() {
                    entry.end(&mut answer);
                }
                Poll::Ready(Ok(answer))
            }
        }
    }
}

/// The words of a panic, for the log.
pub(super) fn what_panicked(thrown: &(dyn Any + Send)) -> String {
    let text = thrown.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| thrown.downcast_ref::<String>().cloned()).unwrap_or_default();
    format!("a handler panicked: {text}")
}
