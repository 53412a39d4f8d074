//! `/1/users`.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::failure::{FailedDeletion, Failure};
use super::request::{Named, Page, actor, caller};
use super::wire::{self, UserList};
use crate::actions::account::{self, Administration, UpdateUser};
use crate::actions::sign_up::{self, CreateUser, InitialPassword};
use crate::actions::{tokens, users};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::caller::Caller;
use crate::domain::error::Result;
use crate::domain::id::UserId;
use crate::domain::permission::Permissions;
use crate::domain::session::Dialect;
use crate::domain::user::{Email, Status, User, UserRef};
use crate::http::answer;
use crate::http::exchange::Exchange;
use crate::http::form::Form;

pub(super) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    app.audit().note(&actor.event(Action::UserCreated), actor.caller.require_admin())?;
    let mut form = exchange.json_form()?;
    let email = form.required("email", Email::parse);
    let password = form.password("password");
    let administration = administration(&mut form);
    let (email, password) = form.finish((email, password))?;
    let input = CreateUser {
        email: Some(email),
        username: None,
        name: None,
        password: Some(InitialPassword::Typed(password)),
        status: administration.status.unwrap_or(Status::Active),
        permissions: Permissions::of_new_user(),
        flags: administration.flags.unwrap_or_default(),
        plan_worker: administration.plan_worker.unwrap_or_default(),
    };
    let (user, token) = sign_up::create_user_with_token(&app, &actor, input).await?;
    Ok(wire::user(&user, &[token.secret]))
}

fn administration(form: &mut Form) -> Administration {
    Administration {
        status: form.optional("status", Status::parse),
        flags: form.object("flags"),
        plan_worker: form.object("plan_worker"),
    }
}

pub(super) async fn list(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    caller.require_admin()?;
    let page = Page::read(&parts, UserId::parse)?;
    let mut found = Vec::new();
    for user in users::list(&app, &caller, page.after, page.limit).await? {
        let tokens = tokens::reveal(&app, &caller, &user).await?;
        found.push((user, tokens));
    }
    Ok(answer::json(StatusCode::OK, &UserList::of(&found)))
}

pub(super) async fn get(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    let user = users::get(&app, &caller, &named.user()).await?;
    shown(&app, &caller, &user).await
}

/// The answer with a user that has no fresh token to show.
async fn shown(app: &App, caller: &Caller, user: &User) -> Result<Response, Failure> {
    let tokens = tokens::reveal(app, caller, user).await?;
    Ok(wire::user(user, &tokens))
}

pub(super) async fn update(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    // Whose account is not to be known is not to be known by the faults of a body either.
    let user = users::get(&app, &actor.caller, &named.user()).await;
    let user = app.audit().note(&actor.event(Action::UserUpdated), user)?;
    let mut form = exchange.json_form()?;
    let input = UpdateUser {
        email: form.optional("email", Email::parse),
        password: form.optional_password("password"),
        current_password: form.optional_password("current_password"),
        // From others these are not even read.
        administration: if actor.caller.is_admin() { administration(&mut form) } else { Administration::default() },
    };
    form.finish(())?;
    let user = account::update(&app, &actor, &UserRef::Id(user.id), input).await?;
    shown(&app, &actor.caller, &user).await
}

pub(super) async fn delete(State(app): State<App>, named: Named, request: Request) -> Result<Response, FailedDeletion> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    let user = users::get(&app, &actor.caller, &named.user()).await;
    let user = app.audit().note(&actor.event(Action::UserDeleted), user)?;
    let mut form = exchange.optional_json_form()?;
    let current_password = form.optional_password("current_password");
    form.finish(())?;
    account::delete(&app, &actor, &UserRef::Id(user.id), current_password).await?;
    Ok(wire::success())
}
