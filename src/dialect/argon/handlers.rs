//! One function a route: read, act, answer.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

use super::wire::{self, Failure, Wording};
use crate::actions::account::{ChangeProfile, change_profile};
use crate::actions::credentials;
use crate::actions::sessions;
use crate::actions::sign_in::{SignIn, sign_in};
use crate::actions::sign_up::{self, SignUp, sign_up};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::caller::Actor;
use crate::domain::error::Error;
use crate::domain::password::Password;
use crate::domain::session::Dialect;
use crate::domain::user::{LoginName, Username};
use crate::http::answer;
use crate::http::credential::{authorization, header};
use crate::http::exchange::Exchange;
use crate::http::mount::Head;
use crate::http::origin;
use crate::secret::{ExposeSecret, Secret};

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");

type Answer = Result<Response, Failure>;

pub(super) async fn state(app: App, head: Head) -> Answer {
    let asked = async { credentials::verify_user(&app, &token(&head.parts)?, Dialect::Argon, head.client(&app)).await };
    let user = asked.await.map_err(|error| Failure::worded(error, Wording::State))?;
    Ok(answer::kept_json(user.shown(Dialect::Argon), || wire::AuthState::of(&user)))
}

pub(super) async fn register(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Argon, request).await?;
    sign_up::require_open(&app, &exchange.origin)?;
    let (username, password) = username_and_password(&exchange)?;
    if username.is_empty() || password.expose_secret().is_empty() {
        return Err(Failure::username_and_password_required());
    }
    let username = Username::parse(&username).map_err(|reason| Error::invalid("username", reason))?;
    let password = read_password(&password)?;
    let input =
        SignUp { email: None, username: Some(username), name: None, bio: None, password, dialect: Dialect::Argon };
    let issued = sign_up(&app, input, &exchange.origin).await?;
    Ok(answer::json(StatusCode::OK, &wire::SignedIn::of(&issued)))
}

pub(super) async fn login(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Argon, request).await?;
    let (username, password) = username_and_password(&exchange)?;
    let password = read_password(&password)?;
    let input = SignIn { login: LoginName::parse(&username), password, dialect: Dialect::Argon };
    let issued = sign_in(&app, input, &exchange.origin).await?;
    Ok(answer::json(StatusCode::OK, &wire::SignedIn::of(&issued)))
}

/// Both as typed; one sentence for every way in which either can be missing.
fn username_and_password(exchange: &Exchange) -> Result<(String, Secret), Failure> {
    let mut form = exchange.optional_json_form()?;
    let username = form.required("username", |text| Ok(text.to_owned()));
    let password = form.secret("password");
    form.finish((username, password)).map_err(|_| Failure::username_and_password_required())
}

fn read_password(typed: &Secret) -> Result<Password, Error> {
    Password::parse(typed.expose_secret()).map_err(|reason| Error::invalid("password", reason))
}

pub(super) async fn profile(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Argon, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    app.audit().note(&actor.event(Action::UsernameChanged), actor.caller.may_change_in(Dialect::Argon))?;
    let input = profile_change(&exchange)?;
    let profile = change_profile(&app, &actor, input, Dialect::Argon)
        .await
        .map_err(|error| Failure::worded(error, Wording::Profile))?;
    Ok(answer::json(StatusCode::OK, &wire::ProfileChanged::of(&profile)))
}

/// A new password counts only together with the current one, whether or not a name comes too.
fn profile_change(exchange: &Exchange) -> Result<ChangeProfile, Failure> {
    let mut form = exchange.optional_json_form()?;
    let new_username = form.optional("newUsername", Username::parse);
    let current = form.optional_password("currentPassword");
    let new = form.optional_password("newPassword");
    form.finish(())?;
    let new_password = match (new, current) {
        (Some(new), Some(current)) => Some((new, current)),
        (None, _) if new_username.is_some() => None,
        (Some(_), None) | (None, _) => return Err(Failure::nothing_to_change()),
    };
    Ok(ChangeProfile { new_username, new_password, password_field: "newPassword" })
}

pub(super) async fn logout(State(app): State<App>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let actor = actor(&app, &parts).await?;
    sessions::sign_out(&app, &actor).await?;
    Ok(answer::json(StatusCode::OK, &wire::Message { message: "Logged out successfully" }))
}

pub(super) async fn system() -> Response {
    answer::json(StatusCode::OK, &wire::System { name: "doorward", version: env!("CARGO_PKG_VERSION") })
}

async fn actor(app: &App, parts: &Parts) -> Result<Actor, Error> {
    let origin = origin::of(app, parts, Dialect::Argon);
    credentials::verify_actor(app, &token(parts)?, origin).await
}

fn token(parts: &Parts) -> Result<Cow<'_, str>, Error> {
    let presented = authorization(&parts.headers, &["Bearer"]).and(header(&parts.headers, &X_API_KEY));
    presented.token().map_err(Error::Unauthenticated)
}
