//! Every mount in one list, and the layers around all of them.

use std::any::Any;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;
use tower_http::catch_panic::CatchPanicLayer;

use crate::app::App;
use crate::dialect;
use crate::http::problem::problem;
use crate::http::request_log::{FailureCause, RequestLog};
use crate::http::{answer, cors, headers};

/// What answers on paths without a route: the dialect that owns them, by prefix.
struct Owner {
    prefix: String,
    owns: fn(&str) -> bool,
    not_found: fn() -> Response,
}

/// All routes of the server.
pub(super) fn router(app: &App) -> anyhow::Result<Router> {
    let mut router = Router::new()
        .route("/healthz", get(async || answer::json(StatusCode::OK, &json!({"status": "alive"}))))
        .route("/readyz", get(readyz).with_state(app.clone()))
        .method_not_allowed_fallback(async || {
            problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method Not Allowed",
                "this path does not take this method; see Allow",
            )
        });
    let mut owners = Vec::new();
    for mount in dialect::all(app) {
        let settings = app.settings().dialect(mount.dialect);
        if !settings.enabled {
            continue;
        }
        let prefix = settings.prefix.as_str().to_owned();
        router = if prefix.is_empty() { router.merge(mount.router) } else { router.nest(&prefix, mount.router) };
        owners.push(Owner { prefix, owns: mount.owns, not_found: mount.not_found });
    }
    let owners: Arc<[Owner]> = owners.into();
    let router = router.fallback(async move |uri: Uri| nothing_here(&owners, uri.path()));
    around(router, app)
}

fn around(router: Router, app: &App) -> anyhow::Result<Router> {
    let origins: Vec<String> =
        app.settings().http.cors_origins.iter().map(|origin| origin.as_str().to_owned()).collect();
    let mut router = router.layer(CatchPanicLayer::custom(panicked));
    if let Some(cors) = cors::layer(&origins).context("http.cors_origins cannot be used")? {
        router = router.layer(cors);
    }
    Ok(router.layer(headers::layer()).layer(RequestLog))
}

fn nothing_here(owners: &[Owner], path: &str) -> Response {
    let owner = owners.iter().find(|owner| path.strip_prefix(&owner.prefix).is_some_and(owner.owns));
    match owner {
        Some(owner) => (owner.not_found)(),
        None => problem(StatusCode::NOT_FOUND, "Not Found", "there is nothing at this path"),
    }
}

/// Whether the store answers; its migrations were done before the first connection was taken.
async fn readyz(State(app): State<App>) -> Response {
    match app.is_ready().await {
        Ok(()) => answer::json(StatusCode::OK, &json!({"status": "ready"})),
        Err(error) => {
            let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "the store does not answer");
            FailureCause(error.to_string()).attach(answer)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands over what was thrown")]
fn panicked(thrown: Box<dyn Any + Send>) -> Response {
    let text = thrown.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| thrown.downcast_ref::<String>().cloned()).unwrap_or_default();
    let answer = problem(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", "a fault of the server");
    FailureCause(format!("a handler panicked: {text}")).attach(answer.into_response())
}
