//! What administrators see and do.

mod audit;
mod chart;
mod keys;
mod names;
mod overview;
mod projects;
mod sessions;
mod settings;
mod tokens;
mod user;
mod users;
mod users_filter;

use super::visit::administrator;
use crate::http::mount::Routes;

/// The routes.
pub(super) fn routes(routes: Routes) -> Routes {
    let routes = routes
        .get("/console", administrator(overview::show))
        .get("/console/users", administrator(users::list))
        .get("/console/users/new", administrator(users::show_new))
        .post("/console/users", administrator(users::create))
        .get("/console/users/{user}", administrator(user::show))
        .post("/console/users/{user}/permissions", administrator(user::change_permissions))
        .post("/console/users/{user}/flags", administrator(user::change_flags))
        .post("/console/users/{user}/reset-link", administrator(user::make_reset_link))
        .post("/console/users/{user}/end-sessions", administrator(user::end_sessions))
        .get("/console/users/{user}/disable", administrator(user::ask_disable))
        .post("/console/users/{user}/disable", administrator(user::disable))
        .post("/console/users/{user}/enable", administrator(user::enable))
        .get("/console/users/{user}/delete", administrator(user::ask_delete))
        .post("/console/users/{user}/delete", administrator(user::delete));
    routes
        .get("/console/sessions", administrator(sessions::list))
        .post("/console/sessions/{session}/end", administrator(sessions::end))
        .get("/console/tokens", administrator(tokens::list))
        .get("/console/tokens/{token}/delete", administrator(tokens::ask_delete))
        .post("/console/tokens/{token}/delete", administrator(tokens::delete))
        .get("/console/projects", administrator(projects::list))
        .get("/console/projects/{project}/delete", administrator(projects::ask_delete))
        .post("/console/projects/{project}/delete", administrator(projects::delete))
        .get("/console/audit", administrator(audit::list))
        .get("/console/settings", administrator(settings::show))
        .get("/console/keys", administrator(keys::list))
        .get("/console/keys/rotate", administrator(keys::ask_rotate))
        .post("/console/keys/rotate", administrator(keys::rotate))
}
