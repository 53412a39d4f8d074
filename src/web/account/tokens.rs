//! One's API tokens.

use std::time::Duration;

use askama::Template;
use axum::response::Response;

use crate::actions::page_sessions;
use crate::actions::search::{self, TokenSearch};
use crate::actions::tokens::{self, CreateToken};
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::id::TokenId;
use crate::domain::project::parse_label;
use crate::domain::token::ApiToken;
use crate::http::form::Form;
use crate::secret::{ExposeSecret, Secret};
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::question::Question;
use crate::web::texts::Texts;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/account/tokens";
const DAY: Duration = Duration::from_hours(24);

#[derive(Template)]
#[template(path = "pages/account/tokens.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    rows: Vec<ApiToken>,
    pages: Ways,
    lifetimes: [(&'static str, &'static str); 5],
    is_admin: bool,
    /// The one that was just made.
    secret: Option<&'p str>,
}

async fn page(member: &Member, form: &Typed, after: Option<&str>, secret: Option<Secret>) -> Result<Response> {
    let Member { app, frame, actor, user, .. } = member;
    let own = TokenSearch { user: Some(user.id) };
    let found = search::tokens(app, &actor.caller, &own, after, ROWS).await?;
    let rows = found.rows.into_iter().map(|(token, _)| token).collect();
    let page = Page {
        frame,
        form,
        rows,
        pages: Ways::new(PATH, &[], after, found.next.as_deref()),
        lifetimes: lifetimes(frame.t),
        is_admin: actor.caller.is_admin(),
        secret: secret.as_ref().map(ExposeSecret::expose_secret),
    };
    Ok(frame.show_form(form, &page))
}

const fn lifetimes(t: &Texts) -> [(&'static str, &'static str); 5] {
    [("30", t.in_30_days), ("90", t.in_90_days), ("365", t.in_a_year), ("7", t.in_7_days), ("", t.never)]
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let after = member.form.optional("after", |text| Ok(text.to_owned()));
    page(&member, &Typed::with([("expires", "90")]), after.as_deref(), None).await
}

pub(super) async fn create(mut member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::TokenCreated)?;
    let typed = Typed::of(&mut member.form, &["name", "expires", "admin"]);
    let form = std::mem::replace(&mut member.form, Form::empty());
    let created = match read(&member, form) {
        Ok(input) => tokens::create(&member.app, &member.actor, input).await,
        Err(fault) => Err(fault),
    };
    match created {
        Ok(created) => page(&member, &Typed::with([("expires", "90")]), None, Some(created.secret)).await,
        Err(error) => page(&member, &typed.wrong(member.frame.t, error)?, None, None).await,
    }
}

fn read(member: &Member, mut form: Form) -> Result<CreateToken> {
    let name = form.required("name", |text| match text.trim() {
        "" => Err("is required".to_owned()),
        text => parse_label(text),
    });
    let days = form.optional("expires", |text| match text {
        "" => Ok(None),
        days => days
            .parse()
            .ok()
            .filter(|days| (1..=3_650).contains(days))
            .map(Some)
            .ok_or_else(|| "must be a whole number".to_owned()),
    });
    let admin = form.optional("admin", |text| Ok(text == "true")).unwrap_or(false);
    let name = form.finish(name)?;
    let expires_at = days.flatten().map(|days: u32| member.app.now().plus(DAY * days));
    Ok(CreateToken { name, kind: String::new(), user: None, admin, expires_at })
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    let token = find(&member).await?;
    Ok(Question::delete_token(member.frame.t, &token, PATH).ask(&member.frame, &Typed::default()))
}

async fn find(member: &Member) -> Result<ApiToken> {
    let id = TokenId::parse(&member.named).ok_or(Error::NotFound)?;
    let token = tokens::get(&member.app, &member.actor.caller, id).await?;
    // Of others, administrators delete in the console.
    if token.user_id == member.user.id { Ok(token) } else { Err(Error::NotFound) }
}

pub(super) async fn delete(member: Member) -> Result<Response> {
    let token = find(&member).await?;
    tokens::delete(&member.app, &member.actor, token.id).await?;
    Ok(go_to(&links::after(PATH, "token_deleted")))
}
