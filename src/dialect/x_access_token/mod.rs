//! `x_access_token`: the API whose tokens travel in a header of that name.

mod handlers;
mod wire;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::wire::Failure;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Shortcut, answering, lies_below};

/// Who is asking: what clients want to know before anything else.
const ME: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/users/me",
    handler: Handler::OfHead(|app, head| answering(handlers::me(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount(app: &App) -> Mount {
    Mount { dialect: Dialect::XAccessToken, router: router(app), shortcuts: &[ME], owns, not_found, broken }
}

fn owns(path: &str) -> bool {
    ["/users", "/user", "/status"].iter().any(|root| lies_below(path, root))
}

fn router(app: &App) -> Router {
    Router::new()
        .route("/users/login", post(handlers::login))
        .route("/user/login", post(handlers::login))
        .route(ME.path, get(ME.handler()))
        .route("/user/me", get(ME.handler()))
        .route("/users/logout", post(handlers::logout))
        .route("/status", get(handlers::status))
        .method_not_allowed_fallback(async || {
            Failure::new(StatusCode::METHOD_NOT_ALLOWED, "This path does not take this method; see Allow.")
        })
        .with_state(app.clone())
}

fn not_found(_: &Method) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "There is nothing at this path.").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
