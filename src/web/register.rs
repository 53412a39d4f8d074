//! Making an account for oneself, where that is open.

use askama::Template;
use axum::response::Response;

use super::frame::{Frame, go_to};
use super::links;
use super::sign_in::enter;
use super::typed::Typed;
use super::visit::Visit;
use crate::actions::page_sessions;
use crate::actions::sign_up::{self, SignUp};
use crate::domain::error::Result;
use crate::domain::session::Dialect;
use crate::domain::user::{DisplayName, Email};
use crate::http::form::Form;

#[derive(Template)]
#[template(path = "pages/register.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
}

fn page(frame: &Frame, form: &Typed) -> Response {
    frame.show_form(form, &Page { frame, form })
}

pub(super) async fn show(visit: Visit) -> Result<Response> {
    if visit.resumed.is_some() {
        return Ok(go_to(links::ACCOUNT));
    }
    sign_up::require_open(&visit.app, &visit.origin)?;
    Ok(page(&visit.frame, &Typed::default()))
}

pub(super) async fn send(visit: Visit) -> Result<Response> {
    sign_up::require_open(&visit.app, &visit.origin)?;
    let Visit { app, frame, origin, mut form, resumed } = visit;
    let typed = Typed::of(&mut form, &["name", "email"]);
    let registered = match read(form) {
        Ok(input) => page_sessions::sign_up(&app, input, &origin, resumed.as_ref().map(|it| &it.actor)).await,
        Err(fault) => Err(fault),
    };
    match registered {
        Ok(session) => Ok(enter(&app, &session, &links::after(links::ACCOUNT, "registered"))),
        Err(error) => Ok(page(&frame, &typed.wrong(frame.t, error)?)),
    }
}

fn read(mut form: Form) -> Result<SignUp> {
    let name = form.required("name", DisplayName::parse);
    let email = form.required("email", |text| Email::parse(text.trim()));
    let password = form.password("password");
    let (name, email, password) = form.finish((name, email, password))?;
    let (email, name, dialect) = (Some(email), Some(name), Dialect::Pages);
    Ok(SignUp { email, username: None, name, bio: None, password, dialect })
}
