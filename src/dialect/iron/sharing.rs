//! `/1/projects/{id}/share` and `unshare`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::Value;

use super::failure::Failure;
use super::request::{Named, actor, caller, user_ref};
use super::wire::{self, MemberList};
use crate::actions::projects::{self, Sharing};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::session::Dialect;
use crate::domain::user::UserRef;
use crate::http::answer;
use crate::http::exchange::Exchange;

/// How many users one request may name: each is looked up while the store's writer waits.
const MOST_USERS: usize = 1_000;

pub(super) async fn share(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    set_sharing(&app, &named, request, Sharing::Share).await
}

pub(super) async fn unshare(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    set_sharing(&app, &named, request, Sharing::Unshare).await
}

async fn set_sharing(app: &App, named: &Named, request: Request, sharing: Sharing) -> Result<Response, Failure> {
    let exchange = Exchange::read(app, Dialect::Iron, request).await?;
    let actor = actor(app, &exchange.parts).await?;
    // Whether there is such a project comes before what is wrong with the body.
    let id = named.project()?;
    let action = if sharing == Sharing::Share { Action::ProjectShared } else { Action::ProjectUnshared };
    app.audit().note(&actor.event(action).about(id), projects::get(app, &actor.caller, id).await)?;
    let users = users(&exchange.json_value()?)?;
    let shared = projects::set_sharing(app, &actor, id, users, sharing).await?;
    Ok(wire::project(&shared, Some("success")))
}

pub(super) async fn members(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    let members = projects::members(&app, &caller, named.project()?).await?;
    Ok(answer::json(StatusCode::OK, &MemberList::of(&members)))
}

/// The users that a body names: an array of them, or an object with one or more of `user_id`,
/// `user_ids`, `email`, `emails`, each a text or an array.
fn users(body: &Value) -> Result<Vec<UserRef>> {
    let mut named = Vec::new();
    match body {
        Value::Object(fields) => {
            for field in ["user_id", "user_ids", "email", "emails"] {
                gather(field, fields.get(field).unwrap_or(&Value::Null), &mut named)?;
            }
        }
        other => gather("body", other, &mut named)?,
    }
    match named.len() {
        0 => Err(Error::invalid(
            "body",
            "must name a user: an array of ids or emails, or user_id, user_ids, email or emails",
        )),
        1..=MOST_USERS => Ok(named),
        _ => Err(Error::invalid("body", "must name at most a thousand users")),
    }
}

fn gather(field: &'static str, value: &Value, named: &mut Vec<UserRef>) -> Result<()> {
    match value {
        Value::Null => {}
        Value::Array(elements) => {
            for element in elements {
                named.push(one(element).ok_or_else(|| Error::invalid(field, "must hold ids or emails"))?);
            }
        }
        other => named.push(one(other).ok_or_else(|| Error::invalid(field, "must be an id or an email"))?),
    }
    Ok(())
}

/// One user: a text, or an object that says it in one of its fields.
fn one(value: &Value) -> Option<UserRef> {
    let text = match value {
        Value::Object(fields) => ["user_id", "id", "email"].into_iter().find_map(|field| fields.get(field)),
        other => Some(other),
    };
    text.and_then(Value::as_str).map(user_ref)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "0123456789abcdef01234567";

    #[test]
    fn users_are_read_from_every_shape_that_clients_send() {
        for body in [
            json!([ID]),
            json!([{"user_id": ID}]),
            json!([{"id": ID, "email": null}]),
            json!({"user_id": ID}),
            json!({"user_id": [ID], "emails": []}),
            json!({"user_ids": [ID], "unknown": 1}),
            json!({"email": ID}),
            json!({"emails": [{"email": ID}]}),
        ] {
            assert_eq!(users(&body).unwrap(), [user_ref(ID)], "{body}");
        }
        let both = users(&json!({"user_ids": [ID], "email": "ann@example.com"})).unwrap();
        assert_eq!(both, [user_ref(ID), user_ref("ann@example.com")]);
    }

    #[test]
    fn a_body_that_names_nobody_or_no_text_is_refused() {
        for body in [
            json!([]),
            json!({}),
            json!({"user_ids": []}),
            json!({"name": "ann"}),
            json!({"user_id": 7}),
            json!({"user_ids": [ID, null]}),
            json!([[ID]]),
            json!([{}]),
            json!(vec![ID; 1_001]),
        ] {
            assert!(matches!(users(&body), Err(Error::Invalid(_))), "{body}");
        }
    }
}
