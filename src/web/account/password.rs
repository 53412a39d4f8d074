//! Another password.

use askama::Template;
use axum::response::Response;

use crate::actions::page_sessions;
use crate::domain::error::Result;
use crate::web::frame::Frame;
use crate::web::links;
use crate::web::new_password;
use crate::web::sign_in::enter;
use crate::web::typed::Typed;
use crate::web::visit::Member;

#[derive(Template)]
#[template(path = "pages/account/password.html")]
struct Page<'p> {
    frame: &'p Frame,
    login: &'p str,
    form: &'p Typed,
}

fn page(frame: &Frame, login: &str, form: &Typed) -> Response {
    frame.show_form(form, &Page { frame, login, form })
}

pub(super) async fn show(member: Member) -> Result<Response> {
    Ok(page(&member.frame, member.user.login(), &Typed::default()))
}

pub(super) async fn save(member: Member) -> Result<Response> {
    let Member { app, frame, mut form, actor, user, .. } = member;
    let current = form.password("current_password");
    let new = new_password::read(frame.t, &mut form);
    let changed = match form.finish((new, current)) {
        Ok((new, current)) => page_sessions::change_password(&app, &actor, new, current).await,
        Err(fault) => Err(fault),
    };
    match changed {
        Ok(session) => Ok(enter(&app, &session, &links::after("/account/password", "password_changed"))),
        Err(error) => Ok(page(&frame, user.login(), &Typed::default().wrong(frame.t, error)?)),
    }
}
