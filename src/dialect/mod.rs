//! How others speak to us: one folder a dialect, each of which only translates. Wire to domain
//! type, one action, result to wire. Each can be deleted alone.

pub mod argon;
pub mod iron;
pub mod rest;
pub mod x_access_token;

use crate::http::mount::Mount;

/// Every dialect.
#[must_use]
pub fn all() -> Vec<Mount> {
    vec![iron::mount(), rest::mount(), x_access_token::mount(), argon::mount()]
}
