//! Signing in and out.

use askama::Template;
use axum::response::Response;

use super::cookie;
use super::frame::{Frame, go_to, with_cookie};
use super::links;
use super::typed::Typed;
use super::visit::{Member, Visit};
use crate::actions::page_sessions::{self, PageSession};
use crate::actions::sessions;
use crate::app::App;
use crate::domain::error::Result;
use crate::domain::user::LoginName;
use crate::secret::ExposeSecret as _;

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
}

fn page(frame: &Frame, form: &Typed) -> Response {
    frame.show_form(form, &Page { frame, form })
}

/// Whoever is signed in goes on to where they wanted.
pub(super) async fn show(mut visit: Visit) -> Result<Response> {
    let form = Typed::of(&mut visit.form, &["next"]);
    if visit.resumed.is_some() {
        return Ok(go_to(way_on(&form)));
    }
    Ok(page(&visit.frame, &form))
}

pub(super) async fn send(visit: Visit) -> Result<Response> {
    let Visit { app, frame, origin, mut form, resumed } = visit;
    let typed = Typed::of(&mut form, &["login", "next"]);
    let login = form.required("login", |text| Ok(LoginName::parse(text.trim())));
    let password = form.password("password");
    let signed_in = match form.finish((login, password)) {
        Ok((login, password)) => {
            let before = resumed.as_ref().map(|resumed| &resumed.actor);
            page_sessions::sign_in(&app, login, password, &origin, before).await
        }
        Err(fault) => Err(fault),
    };
    match signed_in {
        Ok(session) => Ok(enter(&app, &session, way_on(&typed))),
        Err(error) => Ok(page(&frame, &typed.wrong(frame.t, error)?)),
    }
}

fn way_on(form: &Typed) -> &str {
    links::own_page(form.value("next")).unwrap_or(links::ACCOUNT)
}

/// Goes on to a page with a new session. What the browser was told apart by before is worth nothing now.
pub(super) fn enter(app: &App, session: &PageSession, to: &str) -> Response {
    let lifetime = app.settings().pages.dialect.lifetimes.session;
    let answer = with_cookie(go_to(to), cookie::set(cookie::SESSION, session.cookie.expose_secret(), Some(lifetime)));
    with_cookie(answer, cookie::forget(cookie::VISITOR))
}

pub(super) async fn leave(member: Member) -> Result<Response> {
    sessions::sign_out(&member.app, &member.actor).await?;
    Ok(with_cookie(go_to(&links::after(links::SIGN_IN, "signed_out")), cookie::forget(cookie::SESSION)))
}
