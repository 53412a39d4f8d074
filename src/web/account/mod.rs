//! What everybody sees of their own account.

mod data;
mod password;
mod profile;
mod projects;
mod prove;
mod sessions;
mod tokens;

use super::visit::member;
use crate::http::mount::Routes;

/// The routes.
pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .get("/account", member(profile::show))
        .post("/account", member(profile::save))
        .post("/account/email", member(profile::change_address))
        .post("/account/email/verify", member(profile::send_verification))
        .get("/account/password", member(password::show))
        .post("/account/password", member(password::save))
        .get("/account/confirm-password", member(prove::show))
        .post("/account/confirm-password", member(prove::send))
        .get("/account/sessions", member(sessions::list))
        .post("/account/sessions/{session}/end", member(sessions::end))
        .post("/account/sessions/end-others", member(sessions::end_others))
        .get("/account/tokens", member(tokens::list))
        .post("/account/tokens", member(tokens::create))
        .get("/account/tokens/{token}/delete", member(tokens::ask_delete))
        .post("/account/tokens/{token}/delete", member(tokens::delete))
        .get("/account/projects", member(projects::list))
        .post("/account/projects", member(projects::create))
        .get("/account/projects/{project}", member(projects::show))
        .post("/account/projects/{project}/rename", member(projects::rename))
        .post("/account/projects/{project}/share", member(projects::share))
        .post("/account/projects/{project}/unshare", member(projects::unshare))
        .get("/account/projects/{project}/delete", member(projects::ask_delete))
        .post("/account/projects/{project}/delete", member(projects::delete))
        .get("/account/data", member(data::show))
        .get("/account/data/download", member(data::download))
        .get("/account/delete", member(data::ask_delete))
        .post("/account/delete", member(data::delete))
}
