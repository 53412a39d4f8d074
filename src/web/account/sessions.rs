//! Where one is signed in.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::actions::search::{self, SessionSearch};
use crate::actions::sessions;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::typed::Typed;
use crate::web::visit::Member;
use crate::web::who;

/// A session as its owner knows it.
struct Row {
    id: SessionId,
    device: String,
    /// By what it began.
    door: &'static str,
    address: String,
    last_used_at: Timestamp,
    created_at: Timestamp,
    is_this: bool,
}

#[derive(Template)]
#[template(path = "pages/account/sessions.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    rows: Vec<Row>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let after = member.form.optional("after", |text| Ok(text.to_owned()));
    let Member { app, frame, actor, user, session: this, .. } = member;
    let own = SessionSearch { user: Some(user.id) };
    let found = search::sessions(&app, &actor.caller, &own, after.as_deref(), ROWS).await?;
    let pages = Ways::new("/account/sessions", &[], after.as_deref(), found.next.as_deref());
    let rows = found.rows.into_iter().map(|(session, _)| row(&frame, session, this.id)).collect();
    Ok(frame.show(StatusCode::OK, &Page { frame: &frame, form: &Typed::default(), rows, pages }))
}

fn row(frame: &Frame, session: Session, this: SessionId) -> Row {
    Row {
        id: session.id,
        device: who::device(session.user_agent.as_deref()).unwrap_or_else(|| frame.t.unknown_device.to_owned()),
        door: frame.t.door(session.dialect),
        address: session.address.unwrap_or_default(),
        last_used_at: session.last_used_at,
        created_at: session.created_at,
        is_this: session.id == this,
    }
}

pub(super) async fn end(member: Member) -> Result<Response> {
    let id = SessionId::parse(&member.named).ok_or(Error::NotFound)?;
    sessions::end_own(&member.app, &member.actor, id).await?;
    Ok(go_to(&links::after("/account/sessions", "session_ended")))
}

pub(super) async fn end_others(member: Member) -> Result<Response> {
    sessions::end_others(&member.app, &member.actor).await?;
    Ok(go_to(&links::after("/account/sessions", "sessions_ended")))
}
