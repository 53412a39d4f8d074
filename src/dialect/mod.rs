//! How others speak to us: one folder a dialect, each of which only translates. Wire to domain
//! type, one action, result to wire. Each can be deleted alone.

pub mod argon;
pub mod iron;
pub mod rest;
pub mod x_access_token;

use crate::app::App;
use crate::http::mount::Mount;

/// Every dialect.
#[must_use]
pub fn all(app: &App) -> Vec<Mount> {
    vec![rest::mount(app), x_access_token::mount(app), argon::mount(app)]
    vec![iron::mount(app), rest::mount(app)]
}

/// Whether `path` is `root` or lies below it.
fn lies_below(path: &str, root: &str) -> bool {
    path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
