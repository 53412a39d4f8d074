//! iron: the `IronAuth` API, which `IronMQ` asks about each of its requests.

mod authentication;
mod failure;
mod projects;
mod request;
mod sharing;
mod tokens;
mod users;
mod wire;

use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};

use self::failure::{FailedDeletion, Failure};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::request::Page;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Routes, Shortcut, answering, lies_below};

/// The hottest path of all.
const CHECK: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/1/authentication",
    handler: Handler::OfHead(|app, head| answering(authentication::check(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount() -> Mount {
    Mount {
        dialect: Dialect::Iron,
        routes: routes(),
        shortcuts: &[CHECK],
        owns: |path| lies_below(path, "/1"),
        not_found,
        broken,
    }
}

fn routes() -> Routes {
    Routes::with_or_without_slash()
        .get(CHECK.path, CHECK.handler())
        .post(CHECK.path, authentication::login)
        .get("/1/tokens", tokens::list)
        .post("/1/tokens", tokens::create)
        .delete("/1/tokens/{token}", tokens::delete)
        .get("/1/users", users::list)
        .post("/1/users", users::create)
        .get("/1/users/{user}", users::get)
        .patch("/1/users/{user}", users::update)
        .delete("/1/users/{user}", users::delete)
        .get("/1/projects", projects::list)
        .post("/1/projects", projects::create)
        .get("/1/projects/{project}", projects::get)
        .patch("/1/projects/{project}", projects::update)
        .delete("/1/projects/{project}", projects::delete)
        .get("/1/projects/{project}/share", sharing::members)
        .patch("/1/projects/{project}/share", sharing::share)
        .patch("/1/projects/{project}/unshare", sharing::unshare)
        .get("/1/clusters", projects::clusters)
        .otherwise(method_not_allowed)
}

async fn method_not_allowed(method: Method) -> Response {
    let message = "this path does not take this method; see Allow";
    failed(&method, Failure::new(StatusCode::METHOD_NOT_ALLOWED, message))
}

/// The same as for a thing that does not exist.
fn not_found(_: &App, parts: &Parts) -> Response {
    failed(&parts.method, Failure::from(Error::NotFound))
}

fn failed(method: &Method, failure: Failure) -> Response {
    if method == Method::DELETE { FailedDeletion(failure).into_response() } else { failure.into_response() }
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
