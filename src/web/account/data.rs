//! What is kept about oneself: to take along, or to have it gone.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_DISPOSITION, HeaderValue};
use axum::response::Response;

use crate::actions::{account, export, page_sessions};
use crate::domain::audit::Action;
use crate::domain::error::Result;
use crate::domain::user::UserRef;
use crate::http::answer;
use crate::web::cookie;
use crate::web::frame::{Frame, go_to, with_cookie};
use crate::web::links;
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

#[derive(Template)]
#[template(path = "pages/account/data.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
}

pub(super) async fn show(member: Member) -> Result<Response> {
    Ok(member.frame.show(StatusCode::OK, &Page { frame: &member.frame, form: &Typed::default() }))
}

pub(super) async fn download(member: Member) -> Result<Response> {
    let data = export::own_data(&member.app, &member.actor.caller).await?;
    let mut answer = answer::json(StatusCode::OK, &data);
    let name = HeaderValue::from_static("attachment; filename=\"doorward-data.json\"");
    answer.headers_mut().insert(CONTENT_DISPOSITION, name);
    Ok(answer)
}

fn question(member: &Member) -> Question {
    let t = member.frame.t;
    Question {
        heading: t.delete_account.to_owned(),
        text: t.delete_account_lead.to_owned(),
        action: "/account/delete".to_owned(),
        button: t.delete_account,
        back: "/account/data".to_owned(),
        typed: Some(member.user.login().to_owned()),
    }
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::UserDeleted)?;
    Ok(question(&member).ask(&member.frame, &Typed::default()))
}

pub(super) async fn delete(mut member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::UserDeleted)?;
    let (question, typed) = (question(&member), Typed::of(&mut member.form, &["typed"]));
    if let Some(again) = question.unless_confirmed(&member.frame, &typed) {
        return Ok(again);
    }
    match account::delete(&member.app, &member.actor, &UserRef::Id(member.user.id), None).await {
        Ok(()) => {
            let gone = go_to(&links::after(links::SIGN_IN, "account_deleted"));
            Ok(with_cookie(gone, cookie::forget(cookie::SESSION)))
        }
        Err(error) => Ok(question.ask(&member.frame, &typed.wrong(member.frame.t, error)?)),
    }
}
