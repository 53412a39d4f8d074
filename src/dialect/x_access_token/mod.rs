//! `x_access_token`: the API whose tokens travel in a header of that name.

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
const ME: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/users/me",
    handler: Handler::OfHead(|app, head| answering(handlers::me(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount() -> Mount {
    Mount { dialect: Dialect::XAccessToken, routes: routes(), shortcuts: &[ME], owns, not_found, broken }
}

fn owns(path: &str) -> bool {
    ["/users", "/user", "/status"].iter().any(|root| lies_below(path, root))
}

fn routes() -> Routes {
    Routes::default()
        .post("/users/login", handlers::login)
        .post("/user/login", handlers::login)
        .get(ME.path, ME.handler())
        .get("/user/me", ME.handler())
        .post("/users/logout", handlers::logout)
        .get("/status", handlers::status)
        .otherwise(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method; see Allow.")
        })
}

fn not_found(_: &App, _: &Parts) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "There is nothing at this path.").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
