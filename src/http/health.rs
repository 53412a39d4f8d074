//! The two questions that a supervisor asks, and the answers on paths that no dialect owns.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::answer;
use super::mount::Routes;
use super::problem::problem;
use super::request_log::FailureCause;
use crate::app::App;

/// `/healthz`: the process answers; `/readyz`: the store does too.
#[must_use]
pub fn routes() -> Routes {
    Routes::default()
        .get("/healthz", async || answer::json(StatusCode::OK, &json!({"status": "alive"})))
        .get("/readyz", readyz)
        .otherwise(wrong_method)
}

/// The answer to a method that one of these paths does not take.
pub(super) async fn wrong_method() -> Response {
    let detail = "this path does not take this method; see Allow";
    problem(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed", detail)
}

/// The schema was brought up before the first connection was taken; what is left to ask is the
/// store itself.
async fn readyz(State(app): State<App>) -> Response {
    match app.is_ready().await {
        Ok(()) => answer::json(StatusCode::OK, &json!({"status": "ready"})),
        Err(error) => {
            let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "the store does not answer");
            FailureCause(error.to_string()).attach(answer)
        }
    }
}

/// The answer on a path that belongs to nobody.
#[must_use]
pub fn not_found() -> Response {
    problem(StatusCode::NOT_FOUND, "Not Found", "there is nothing at this path")
}

/// The answer where a handler outside of every dialect panicked; the text is for the log.
#[must_use]
pub fn broken(cause: String) -> Response {
    let answer = problem(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error", "a fault of the server");
    FailureCause(cause).attach(answer)
}
