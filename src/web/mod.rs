//! How people see it: pages in a browser, for everybody's own account and for administrators. Made on the server, whole
//! without scripts. Handlers only translate: a form to domain types, one action, a page.

mod account;
mod assets;
mod choose_language;
mod console;
mod cookie;
mod failure;
mod frame;
mod language;
mod links;
mod new_password;
mod pages_of;
mod question;
mod recovery;
mod register;
mod sign_in;
mod status;
mod texts;
mod typed;
mod visit;
mod when;
mod who;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use self::visit::{anybody, member};
use crate::app::App;
use crate::domain::session::Dialect;
use crate::http::mount::{Mount, Routes, lies_below};
use crate::http::request_log::FailureCause;

/// The pages, ready to be mounted.
#[must_use]
pub fn mount() -> Mount {
    Mount {
        dialect: Dialect::Pages,
        routes: routes(),
        shortcuts: &[],
        owns: |path| [links::ACCOUNT, links::CONSOLE].iter().any(|root| lies_below(path, root)),
        not_found: |app, parts| failure::nowhere(app, &parts.headers, StatusCode::NOT_FOUND),
        broken: |cause| FailureCause(cause).attach(failure::plain(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

fn routes() -> Routes {
    let routes = Routes::default()
        .get("/", async || frame::go_to(links::ACCOUNT))
        .get("/assets/{name}", assets::serve)
        .post("/language", anybody(choose_language::send))
        .get("/sign-in", anybody(sign_in::show))
        .post("/sign-in", anybody(sign_in::send))
        .post("/sign-out", member(sign_in::leave))
        .get("/register", anybody(register::show))
        .post("/register", anybody(register::send))
        .get("/forgot-password", anybody(recovery::show_forgot))
        .post("/forgot-password", anybody(recovery::send_forgot))
        .get("/reset-password", anybody(recovery::show_reset))
        .post("/reset-password", anybody(recovery::send_reset))
        .get("/verify-email", member(recovery::show_verify))
        .post("/verify-email", member(recovery::send_verify))
        .get("/confirm-email", member(recovery::show_confirm))
        .post("/confirm-email", member(recovery::send_confirm));
    console::routes(account::routes(routes)).otherwise(method_not_allowed)
}

async fn method_not_allowed(State(app): State<App>, headers: HeaderMap) -> Response {
    failure::nowhere(&app, &headers, StatusCode::METHOD_NOT_ALLOWED)
}
