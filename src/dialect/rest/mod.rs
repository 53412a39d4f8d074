//! rest: "Authentication API v1.0.0", the routes of the widely used Express boilerplates.

mod handlers;
mod wire;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use self::wire::Failure;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Shortcut, answering, lies_below};

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
pub(super) fn mount(app: &App) -> Mount {
    Mount {
        dialect: Dialect::Rest,
        router: router(app),
        shortcuts: &[WELCOME, REFRESH],
        owns: |path| lies_below(path, "/auth"),
        not_found,
        broken,
    }
}

fn router(app: &App) -> Router {
    Router::new()
        .route(WELCOME.path, post(WELCOME.handler()))
        .route("/auth/register", post(handlers::register))
        .route("/auth/login", post(handlers::login))
        .route("/auth/logout", post(handlers::logout))
        .route(REFRESH.path, post(REFRESH.handler()))
        .route("/auth/forgot-password", post(handlers::forgot_password))
        .route("/auth/reset-password", post(handlers::reset_password))
        .route("/auth/send-verification-email", post(handlers::send_verification_email))
        .route("/auth/verify-email", post(handlers::verify_email))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method; see Allow")
        })
        .with_state(app.clone())
}

fn not_found(_: &Method) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "there is nothing at this path").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
