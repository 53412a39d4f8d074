//! Every mount in one list, and the layers around all of them.

use std::any::Any;
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::http::request::Parts;
use axum::response::Response;
use tower::util::MapRequestLayer;
use tower_http::catch_panic::{CatchPanicLayer, ResponseForPanic};

use super::front::{Front, Shortcuts, what_panicked};
use crate::app::App;
use crate::dialect;
use crate::http::body::BodyLimits;
use crate::http::linger::linger;
use crate::http::mount::{Mount, Route, Routes};
use crate::http::request_log::RequestLog;
use crate::http::{cors, headers, health, key_set};
use crate::web;

/// What answers on paths without a route: the dialect that owns them, by prefix.
struct Owner {
    prefix: String,
    owns: fn(&str) -> bool,
    not_found: fn(&App, &Parts) -> Response,
}

/// All that the server answers: the routes, and the shortcuts to some of them.
pub(super) fn front(app: &App) -> anyhow::Result<Front> {
    let mut router = Router::new();
    for routes in of_no_dialect() {
        router = router.merge(routes.into_router(app));
    }
    let (mut owners, mut shortcuts) = (Vec::new(), Shortcuts::default());
    for (prefix, mount) in mounts(app) {
        shortcuts.add(&mount, &prefix);
        let mounted = mount.routes.into_router(app).layer(panics(mount.broken));
        router = if prefix.is_empty() { router.merge(mounted) } else { router.nest(&prefix, mounted) };
        owners.push(Owner { prefix, owns: mount.owns, not_found: mount.not_found });
    }
    let owners: Arc<[Owner]> = owners.into();
    let asked = app.clone();
    let router = router.fallback(async move |parts: Parts| nothing_here(&owners, &asked, &parts));
    Ok(Front::new(app.clone(), around(router, app)?, shortcuts))
}

/// What is served beside the dialects.
fn of_no_dialect() -> [Routes; 2] {
    [health::routes(), key_set::routes()]
}

/// The dialects and pages that are switched on, each with its prefix.
fn mounts(app: &App) -> impl Iterator<Item = (String, Mount)> {
    let settings = |mount: Mount| (app.settings().dialect(mount.dialect), mount);
    let enabled =
        dialect::all().into_iter().chain([web::mount()]).map(settings).filter(|(settings, _)| settings.enabled);
    enabled.map(|(settings, mount)| (settings.prefix.as_str().to_owned(), mount))
}

/// Every route that is served, with its prefix.
pub(super) fn list(app: &App) -> Vec<Route> {
    let mut list: Vec<_> = of_no_dialect().iter().flat_map(|routes| routes.list().to_vec()).collect();
    for (prefix, mount) in mounts(app) {
        let prefixed = |route: &Route| Route { method: route.method.clone(), path: format!("{prefix}{}", route.path) };
        list.extend(mount.routes.list().iter().map(prefixed));
    }
    list
}

/// How a dialect says that a handler panicked.
#[derive(Clone, Copy)]
struct Panicked(fn(String) -> Response);

impl ResponseForPanic for Panicked {
    type ResponseBody = Body;

    fn response_for_panic(&mut self, thrown: Box<dyn Any + Send>) -> Response {
        (self.0)(what_panicked(&*thrown))
    }
}

/// A panic in a handler becomes the answer `broken`.
fn panics(broken: fn(String) -> Response) -> CatchPanicLayer<Panicked> {
    CatchPanicLayer::custom(Panicked(broken))
}

fn nothing_here(owners: &[Owner], app: &App, parts: &Parts) -> Response {
    let path = parts.uri.path();
    let owner = owners.iter().find(|owner| path.strip_prefix(&owner.prefix).is_some_and(owner.owns));
    owner.map_or_else(health::not_found, |owner| (owner.not_found)(app, parts))
}

fn around(router: Router, app: &App) -> anyhow::Result<Router> {
    let http = &app.settings().http;
    let origins: Vec<String> = http.cors_origins.iter().map(|origin| origin.as_str().to_owned()).collect();
    let limits = BodyLimits::of(app);
    let mut router =
        router.layer(panics(health::broken)).layer(MapRequestLayer::new(move |request| linger(request, limits)));
    if let Some(cors) = cors::layer(&origins).context("http.cors_origins cannot be used")? {
        router = router.layer(cors);
    }
    Ok(router.layer(headers::layer()).layer(RequestLog))
}
