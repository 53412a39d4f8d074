//! argon: the API of the Argon panel. Not the hash function of a similar name, of which nothing
//! is known here.

mod handlers;
mod wire;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};

use self::wire::Failure;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Shortcut, answering, lies_below};

/// Who is asking: what clients want to know before anything else.
const STATE: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/api/auth/state",
    handler: Handler::OfHead(|app, head| answering(handlers::state(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount(app: &App) -> Mount {
    Mount {
        dialect: Dialect::Argon,
        router: router(app),
        shortcuts: &[STATE],
        owns: |path| lies_below(path, "/api"),
        not_found,
        broken,
    }
}

fn router(app: &App) -> Router {
    Router::new()
        .route(STATE.path, get(STATE.handler()))
        .route("/api/auth/register", post(handlers::register))
        .route("/api/auth/login", post(handlers::login))
        .route("/api/auth/profile", put(handlers::profile))
        .route("/api/auth/logout", post(handlers::logout))
        .route("/api/system", get(handlers::system))
        .method_not_allowed_fallback(async || Failure::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed"))
        .with_state(app.clone())
}

fn not_found(_: &Method) -> Response {
    Failure::new(StatusCode::NOT_FOUND, "Not found").into_response()
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
