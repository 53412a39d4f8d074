//! `/1/tokens`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::failure::{FailedDeletion, Failure};
use super::request::{Named, actor, caller, user_ref};
use super::wire::{self, TokenList, TokenReply};
use crate::actions::tokens::{self, CreateToken};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::project::parse_label;
use crate::domain::session::Dialect;
use crate::http::answer;
use crate::http::exchange::Exchange;
use crate::http::form::Form;
use crate::http::urlencoded;
use crate::http::wipe::Wipe as _;

pub(super) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    let mut form = fields(&exchange)?;
    let input = CreateToken {
        name: form.optional("name", parse_label).unwrap_or_default(),
        kind: form.optional("type", parse_label).unwrap_or_default(),
        user: form.optional("user_id", |text| Ok(user_ref(text))),
        admin: form.flag("admin").unwrap_or_default(),
        expires_at: form.optional("expires_at", parse_moment),
    };
    form.finish(())?;
    let created = tokens::create(&app, &actor, input).await?;
    Ok(answer::json(StatusCode::OK, &TokenReply::of(&created)))
}

/// The fields of a token, flat or in their envelope. A text in the envelope's place is what a
/// client once got as the secret: it is never taken for one.
fn fields(exchange: &Exchange) -> Result<Form> {
    let Ok(Value::Object(mut fields)) = exchange.json_value() else { return exchange.optional_json_form() };
    let enveloped = fields.remove("token");
    let mut flat = Form::new(fields);
    match enveloped {
        Some(Value::Object(fields)) => flat = Form::new(fields),
        Some(mut other) => other.wipe(),
        None => {}
    }
    Ok(flat)
}

/// Reads an RFC 3339 moment.
pub(super) fn parse_moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "must be a moment in RFC 3339".to_owned())
}

pub(super) async fn list(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    let mut form = Form::new(urlencoded::parse_query(parts.uri.query())?);
    let user = form.optional("user_id", |text| Ok((!text.is_empty()).then(|| user_ref(text))));
    form.finish(())?;
    let found = tokens::list(&app, &caller, user.flatten().as_ref()).await?;
    Ok(answer::json(StatusCode::OK, &TokenList::of(&found)))
}

pub(super) async fn delete(State(app): State<App>, named: Named, request: Request) -> Result<Response, FailedDeletion> {
    let (parts, _) = request.into_parts();
    let actor = actor(&app, &parts).await?;
    tokens::delete(&app, &actor, named.token()?).await?;
    Ok(wire::success())
}
