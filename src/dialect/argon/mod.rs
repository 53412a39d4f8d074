//! argon: the API of the Argon panel. Not the hash function of a similar name, of which nothing
//! is known here.

mod handlers;
mod wire;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use self::wire::Failure;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Routes, Shortcut, answering, lies_below};

/// Who is asking: what clients want to know before anything else.
const STATE: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/api/auth/state",
    handler: Handler::OfHead(|app, head| answering(handlers::state(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount() -> Mount {
    Mount {
        dialect: Dialect::Argon,
        routes: routes(),
        shortcuts: &[STATE],
        owns: |path| lies_below(path, "/api"),
        not_found,
        broken,
    }
}

fn routes() -> Routes {
    Routes::default()
        .get(STATE.path, STATE.handler())
        .post("/api/auth/register", handlers::register)
        .post("/api/auth/login", handlers::login)
        .put("/api/auth/profile", handlers::profile)
        .post("/api/auth/logout", handlers::logout)
        .get("/api/system", handlers::system)
        .otherwise(async || Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"))
}

fn not_found(_: &App, _: &Parts) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "Not found").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
