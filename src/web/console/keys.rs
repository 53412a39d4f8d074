//! The keys that tokens are made with.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::actions::keys::{self, KeyInfo, Rotation};
use crate::actions::page_sessions;
use crate::domain::audit::Action;
use crate::domain::error::Result;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/console/keys";

#[derive(Template)]
#[template(path = "pages/console/keys.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    rows: Vec<KeyInfo>,
}

pub(super) async fn list(member: Member) -> Result<Response> {
    let rows = keys::list(&member.app, &member.actor.caller).await?;
    Ok(member.frame.show(StatusCode::OK, &Page { frame: &member.frame, form: &Typed::default(), rows }))
}

pub(super) async fn ask_rotate(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::KeysRotated)?;
    let t = member.frame.t;
    let question = Question {
        heading: t.rotate_keys.to_owned(),
        text: t.rotate_lead.to_owned(),
        action: format!("{PATH}/rotate"),
        button: t.rotate,
        back: PATH.to_owned(),
        typed: None,
    };
    Ok(question.ask(&member.frame, &Typed::default()))
}

pub(super) async fn rotate(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::KeysRotated)?;
    keys::rotate(&member.app, &member.actor, Rotation::Routine).await?;
    Ok(go_to(&links::after(PATH, "keys_rotated")))
}
