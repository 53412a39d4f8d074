//! iron: the `IronAuth` API, which `IronMQ` asks about each of its requests.

mod authentication;
mod failure;
mod projects;
mod request;
mod sharing;
mod tokens;
mod users;
mod wire;

use axum::Router;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete, get, patch};

use self::failure::{FailedDeletion, Failure};
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use self::request::Page;
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::http::mount::{Handler, Mount, Shortcut, answering, lies_below};

/// The hottest path of all.
const CHECK: Shortcut = Shortcut {
    method: &Method::GET,
    path: "/1/authentication",
    handler: Handler::OfHead(|app, head| answering(authentication::check(app, head))),
};

/// The dialect with its routes.
pub(super) fn mount(app: &App) -> Mount {
    Mount {
        dialect: Dialect::Iron,
        router: router(app),
        shortcuts: &[CHECK],
        owns: |path| lies_below(path, "/1"),
        not_found,
        broken,
    }
}

fn router(app: &App) -> Router {
    let paths: [(&str, MethodRouter<App>); 10] = [
        (CHECK.path, get(CHECK.handler()).post(authentication::login)),
        ("/1/tokens", get(tokens::list).post(tokens::create)),
        ("/1/tokens/{token}", delete(tokens::delete)),
        ("/1/users", get(users::list).post(users::create)),
        ("/1/users/{user}", get(users::get).patch(users::update).delete(users::delete)),
        ("/1/projects", get(projects::list).post(projects::create)),
        ("/1/projects/{project}", get(projects::get).patch(projects::update).delete(projects::delete)),
        ("/1/projects/{project}/share", get(sharing::members).patch(sharing::share)),
        ("/1/projects/{project}/unshare", patch(sharing::unshare)),
        ("/1/clusters", get(projects::clusters)),
    ];
    let mut router = Router::new();
    for (path, methods) in paths {
        // A slash at the end is the same path.
        router = router.route(&format!("{path}/"), methods.clone()).route(path, methods);
    }
    router.method_not_allowed_fallback(method_not_allowed).with_state(app.clone())
}

async fn method_not_allowed(method: Method) -> Response {
    let message = "this path does not take this method; see Allow";
    failed(&method, Failure::new(StatusCode::METHOD_NOT_ALLOWED, message))
}

/// The same as for a thing that does not exist.
fn not_found(method: &Method) -> Response {
    failed(method, Failure::from(Error::NotFound))
}

fn failed(method: &Method, failure: Failure) -> Response {
    if method == Method::DELETE { FailedDeletion(failure).into_response() } else { failure.into_response() }
}

fn broken(cause: String) -> Response {
    Failure::from(Error::Internal(cause)).into_response()
}
