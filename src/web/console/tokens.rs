//! Everybody's API tokens.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::users_filter::UserFilter;
use crate::actions::page_sessions;
use crate::actions::search::{self, TokenSearch};
use crate::actions::tokens;
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::id::TokenId;
use crate::domain::token::ApiToken;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/console/tokens";

#[derive(Template)]
#[template(path = "pages/console/tokens.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    of_user: Option<String>,
    rows: Vec<(ApiToken, String)>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let form = Typed::of(&mut member.form, &["user", "after"]);
    let filter = UserFilter::read(&member, form.value("user")).await?;
    let Member { app, frame, actor, .. } = &member;
    let after = Some(form.value("after")).filter(|after| !after.is_empty());
    let found = search::tokens(app, &actor.caller, &TokenSearch { user: filter.id }, after, ROWS).await?;
    let pages = Ways::new(PATH, &[("user", form.value("user"))], after, found.next.as_deref());
    let form = &Typed::default();
    Ok(frame.show(StatusCode::OK, &Page { frame, form, of_user: filter.name, rows: found.rows, pages }))
}

fn id(member: &Member) -> Result<TokenId> {
    TokenId::parse(&member.named).ok_or(Error::NotFound)
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    let token = tokens::get(&member.app, &member.actor.caller, id(&member)?).await?;
    Ok(Question::delete_token(member.frame.t, &token, PATH).ask(&member.frame, &Typed::default()))
}

pub(super) async fn delete(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::TokenDeleted)?;
    tokens::delete(&member.app, &member.actor, id(&member)?).await?;
    Ok(go_to(&links::after(PATH, "token_deleted")))
}
