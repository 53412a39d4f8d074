//! How others speak to us: one folder a dialect, each of which only translates. Wire to domain
//! type, one action, result to wire. Each can be deleted alone.

pub mod iron;
pub mod rest;

use axum::Router;
use axum::response::Response;

use crate::app::App;
use crate::domain::session::Dialect;

/// One dialect: its routes, the paths that are its own, and how it says that there is nothing.
pub struct Mount {
    /// Which one.
    pub dialect: Dialect,
    /// Its routes, below its prefix.
    pub router: Router,
    /// Whether a path below its prefix is its own, with or without a route.
    pub owns: fn(&str) -> bool,
    /// The answer on a path of its own that has no route.
    pub not_found: fn() -> Response,
}

/// Every dialect.
#[must_use]
pub fn all(app: &App) -> Vec<Mount> {
    vec![iron::mount(app), rest::mount(app)]
}

/// Whether `path` is `root` or lies below it.
fn lies_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
