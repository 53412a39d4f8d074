//! Who is there still? Asked before what changes credentials.

use askama::Template;
use axum::response::Response;

use crate::actions::page_sessions;
use crate::domain::error::Result;
use crate::web::frame::Frame;
use crate::web::links;
use crate::web::sign_in::enter;
use crate::web::typed::Typed;
use crate::web::visit::Member;

#[derive(Template)]
#[template(path = "pages/account/prove.html")]
struct Page<'p> {
    frame: &'p Frame,
    login: &'p str,
    form: &'p Typed,
}

fn page(frame: &Frame, login: &str, form: &Typed) -> Response {
    frame.show_form(form, &Page { frame, login, form })
}

pub(super) async fn show(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["next"]);
    Ok(page(&member.frame, member.user.login(), &typed))
}

pub(super) async fn send(member: Member) -> Result<Response> {
    let Member { app, frame, mut form, actor, user, .. } = member;
    let typed = Typed::of(&mut form, &["next"]);
    let password = form.password("current_password");
    let proven = match form.finish(password) {
        Ok(password) => page_sessions::prove(&app, &actor, password).await,
        Err(fault) => Err(fault),
    };
    match proven {
        Ok(session) => Ok(enter(&app, &session, links::own_page(typed.value("next")).unwrap_or(links::ACCOUNT))),
        Err(error) => Ok(page(&frame, user.login(), &typed.wrong(frame.t, error)?)),
    }
}
