//! What a dialect gives the server: its routes, and how it speaks where it has none.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::origin;
use crate::app::App;
use crate::domain::session::Dialect;

/// One dialect, ready to be mounted below a prefix.
pub struct Mount {
    /// Which one.
    pub dialect: Dialect,
    /// Its routes, below its prefix.
    pub router: Router,
    /// Those of its routes that are asked all the time.
    pub shortcuts: &'static [Shortcut],
    /// Whether a path below its prefix is its own, with or without a route.
    pub owns: fn(&str) -> bool,
    /// The answer to a method on a path of its own that has no route.
    pub not_found: fn(&Method) -> Response,
    /// The answer where a handler panicked; the text is for the log.
    pub broken: fn(String) -> Response,
}

/// An answer that is being made.
pub type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What a handler does, as an answer that is being made.
pub fn answering<R: IntoResponse>(handled: impl Future<Output = R> + Send + 'static) -> Answering {
    Box::pin(async { handled.await.into_response() })
}

/// A route that clients ask all the time: the server finds it without its router. The router knows
/// it too, for what is unusual about a request.
#[derive(Clone, Copy, Debug)]
pub struct Shortcut {
    /// The one method that is asked.
    pub method: &'static Method,
    /// The whole path, below the dialect's prefix.
    pub path: &'static str,
    /// Answers.
    pub handler: Handler,
}

/// A request's head, and who sent it.
#[derive(Debug)]
pub struct Head {
    /// Method, path, headers.
    pub parts: Parts,
    /// The address at the other end of the connection.
    pub peer: Option<IpAddr>,
}

impl Head {
    /// The client's address.
    #[must_use]
    pub fn client(&self, app: &App) -> Option<IpAddr> {
        origin::client(app, self.peer?, &self.parts.headers)
    }

    fn of(request: Request) -> Self {
        let (parts, _) = request.into_parts();
        Self { peer: origin::peer(&parts), parts }
    }
}

/// What a shortcut's handler reads.
#[derive(Clone, Copy, Debug)]
pub enum Handler {
    /// The head alone. A body is not looked at.
    OfHead(fn(App, Head) -> Answering),
    /// All of it.
    OfAll(fn(App, Request) -> Answering),
}

impl Shortcut {
    /// The handler of the route that the router has for it.
    pub fn handler(self) -> impl Fn(State<App>, Request) -> Answering + Clone + Send + Sync + 'static {
        move |State(app), request| match self.handler {
            Handler::OfHead(answer) => answer(app, Head::of(request)),
            Handler::OfAll(answer) => answer(app, request),
        }
    }
}

/// Whether `path` is `root` or lies below it.
#[must_use]
pub fn lies_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
