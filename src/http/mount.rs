//! What a dialect gives the server: its routes, and how it speaks where it has none.

use axum::Router;
use axum::http::Method;
use axum::response::Response;

use crate::domain::session::Dialect;

/// One dialect, ready to be mounted below a prefix.
pub struct Mount {
    /// Which one.
    pub dialect: Dialect,
    /// Its routes, below its prefix.
    pub router: Router,
    /// Whether a path below its prefix is its own, with or without a route.
    pub owns: fn(&str) -> bool,
    /// The answer to a method on a path of its own that has no route.
    pub not_found: fn(&Method) -> Response,
    /// The answer where a handler panicked; the text is for the log.
    pub broken: fn(String) -> Response,
}

/// Whether `path` is `root` or lies below it.
#[must_use]
pub fn lies_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
