//! All live sessions.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::users_filter::UserFilter;
use crate::actions::search::{self, SessionSearch};
use crate::actions::sessions;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::Session;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::typed::Typed;
use crate::web::visit::Member;
use crate::web::who;

const PATH: &str = "/console/sessions";

struct Row {
    id: SessionId,
    user_id: UserId,
    login: String,
    door: &'static str,
    device: String,
    address: String,
    last_used_at: Timestamp,
    created_at: Timestamp,
}

#[derive(Template)]
#[template(path = "pages/console/sessions.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    of_user: Option<String>,
    rows: Vec<Row>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let form = Typed::of(&mut member.form, &["user", "after"]);
    let filter = UserFilter::read(&member, form.value("user")).await?;
    let Member { app, frame, actor, .. } = &member;
    let after = Some(form.value("after")).filter(|after| !after.is_empty());
    let found = search::sessions(app, &actor.caller, &SessionSearch { user: filter.id }, after, ROWS).await?;
    let pages = Ways::new(PATH, &[("user", form.value("user"))], after, found.next.as_deref());
    let rows = found.rows.into_iter().map(|(session, login)| row(frame, session, login)).collect();
    let form = &Typed::default();
    Ok(frame.show(StatusCode::OK, &Page { frame, form, of_user: filter.name, rows, pages }))
}

fn row(frame: &Frame, session: Session, login: String) -> Row {
    Row {
        id: session.id,
        user_id: session.user_id,
        login,
        door: frame.t.door(session.dialect),
        device: who::device(session.user_agent.as_deref()).unwrap_or_else(|| frame.t.unknown_device.to_owned()),
        address: session.address.unwrap_or_default(),
        last_used_at: session.last_used_at,
        created_at: session.created_at,
    }
}

pub(super) async fn end(member: Member) -> Result<Response> {
    let id = SessionId::parse(&member.named).ok_or(Error::NotFound)?;
    sessions::revoke(&member.app, &member.actor, id).await?;
    Ok(go_to(&links::after(PATH, "session_ended")))
}
