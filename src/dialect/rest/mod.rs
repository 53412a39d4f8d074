//! rest: "Authentication API v1.0.0", the routes of the widely used Express boilerplates.

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
const WELCOME: Shortcut = Shortcut {
    method: &Method::POST,
    path: "/auth",
    handler: Handler::OfHead(|app, head| answering(handlers::welcome(app, head))),
};

/// Going on with a session: each client does it every few minutes.
const REFRESH: Shortcut = Shortcut {
    method: &Method::POST,
    path: "/auth/refresh-tokens",
    handler: Handler::OfAll(|app, request| answering(handlers::refresh_tokens(app, request))),
};

/// The dialect with its routes.
pub(super) fn mount() -> Mount {
    Mount {
        dialect: Dialect::Rest,
        routes: routes(),
        shortcuts: &[WELCOME, REFRESH],
        owns: |path| lies_below(path, "/auth"),
        not_found,
        broken,
    }
}

fn routes() -> Routes {
    Routes::default()
        .post(WELCOME.path, WELCOME.handler())
        .post("/auth/register", handlers::register)
        .post("/auth/login", handlers::login)
        .post("/auth/logout", handlers::logout)
        .post(REFRESH.path, REFRESH.handler())
        .post("/auth/forgot-password", handlers::forgot_password)
        .post("/auth/reset-password", handlers::reset_password)
        .post("/auth/send-verification-email", handlers::send_verification_email)
        .post("/auth/verify-email", handlers::verify_email)
        .otherwise(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; see Allow")
        })
}

fn not_found(_: &App, _: &Parts) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
