//! What a dialect gives the server: its routes, with a list of them, and how it speaks where it has
//! none.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use axum::Router;
use axum::extract::{Request, State};
use axum::handler::Handler as RouteHandler;
use axum::http::Method;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use super::origin;
use crate::app::App;
use crate::domain::session::Dialect;

/// One dialect, ready to be mounted below a prefix.
pub struct Mount {
    /// Which one.
    pub dialect: Dialect,
    /// Its routes, below its prefix.
    pub routes: Routes,
    /// Those of its routes that are asked all the time.
    pub shortcuts: &'static [Shortcut],
    /// Whether a path below its prefix is its own, with or without a route.
    pub owns: fn(&str) -> bool,
    /// The answer to a request for a path of its own that has no route.
    pub not_found: fn(&App, &Parts) -> Response,
    /// The answer where a handler panicked; the text is for the log.
    pub broken: fn(String) -> Response,
}

/// One route: what the table of who may do what has a line for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Its method.
    pub method: Method,
    /// The template of its path.
    pub path: String,
}

/// Routes, and a list of them: a router does not tell what it knows. Whatever is served is put
/// together by this, so that no route is forgotten where each has to be looked at.
#[derive(Default)]
pub struct Routes {
    router: Router<App>,
    list: Vec<Route>,
    slash_is_nothing: bool,
}

impl Routes {
    /// Routes whose paths are the same with a slash at their end.
    #[must_use]
    pub fn with_or_without_slash() -> Self {
        Self { slash_is_nothing: true, ..Self::default() }
    }

    /// Adds a route by GET.
    #[must_use]
    pub fn get<H: RouteHandler<T, App>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::GET, path, routing::get(handler))
    }

    /// Adds a route by POST.
    #[must_use]
    pub fn post<H: RouteHandler<T, App>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::POST, path, routing::post(handler))
    }

    /// Adds a route by PUT.
    #[must_use]
    pub fn put<H: RouteHandler<T, App>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::PUT, path, routing::put(handler))
    }

    /// Adds a route by PATCH.
    #[must_use]
    pub fn patch<H: RouteHandler<T, App>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::PATCH, path, routing::patch(handler))
    }

    /// Adds a route by DELETE.
    #[must_use]
    pub fn delete<H: RouteHandler<T, App>, T: 'static>(self, path: &str, handler: H) -> Self {
        self.add(Method::DELETE, path, routing::delete(handler))
    }

    fn add(mut self, method: Method, path: &str, handler: MethodRouter<App>) -> Self {
        if self.slash_is_nothing {
            self.router = self.router.route(&format!("{path}/"), handler.clone());
        }
        self.router = self.router.route(path, handler);
        self.list.push(Route { method, path: path.to_owned() });
        self
    }

    /// Says what answers a method that a path does not take, once all routes are there.
    #[must_use]
    pub fn otherwise<H: RouteHandler<T, App>, T: 'static>(mut self, handler: H) -> Self {
        self.router = self.router.method_not_allowed_fallback(handler);
        self
    }

    /// The list of them.
    #[must_use]
    pub fn list(&self) -> &[Route] {
        &self.list
    }

    /// What answers them.
    pub fn into_router(self, app: &App) -> Router {
        self.router.with_state(app.clone())
    }
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
        Some(origin::client(app, self.peer?, &self.parts.headers))
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
