//! One function a route: read, act, answer.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json;

use super::wire::{self, Failure, TokenTexts, Wording};
use crate::actions::credentials;
use crate::actions::policy;
use crate::actions::recovery;
use crate::actions::sessions;
use crate::actions::sign_in::{SignIn, sign_in};
use crate::actions::sign_up::{self, SignUp, sign_up};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::caller::Actor;
use crate::domain::error::Error;
use crate::domain::password::Password;
use crate::domain::session::Dialect;
use crate::domain::user::{Bio, DisplayName, Email, LoginName};
use crate::http::answer;
use crate::http::credential::authorization;
use crate::http::exchange::Exchange;
use crate::http::form::Form;
use crate::http::mount::Head;
use crate::secret::{ExposeSecret, Secret};

type Answer = Result<Response, Failure>;

pub(super) async fn welcome(app: App, head: Head) -> Answer {
    let user = credentials::verify_user(&app, &token(&head.parts)?, Dialect::Rest, head.client(&app)).await?;
    Ok(answer::kept_json(user.shown(Dialect::Rest), || wire::Welcome::of(&user)))
}

pub(super) async fn register(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    sign_up::require_open(&app, &exchange.origin)?;
    let mut form = exchange.any_form()?;
    let name = form.required("name", DisplayName::parse);
    let bio = form.optional("bio", Bio::parse);
    let email = form.required("email", Email::parse);
    let password = confirmed_password(&mut form, email.as_ref());
    let (name, email, password) = form.finish((name, email, password))?;
    let input = SignUp { email: Some(email), username: None, name: Some(name), bio, password, dialect: Dialect::Rest };
    let issued = sign_up(&app, input, &exchange.origin).await?;
    Ok(answer::json(StatusCode::CREATED, &wire::SignedIn::of(&issued.user, &TokenTexts::of(&issued.tokens)?)))
}

/// A new password, typed twice, that the policy takes.
fn confirmed_password(form: &mut Form, email: Option<&Email>) -> Option<Password> {
    let (typed, again) = (form.secret("password"), form.secret("confirm"));
    let password = form.check("password", Password::parse(typed?.expose_secret()))?;
    if let Some(again) = again
        && !Password::parse(again.expose_secret()).is_ok_and(|again| again.is(&password))
    {
        form.fault("confirm", "must be the same as password");
    }
    if let Err(Error::Invalid(faults)) = policy::check(password.clone(), email, None, "password") {
        for fault in faults {
            form.fault(fault.field, fault.message);
        }
    }
    Some(password)
}

pub(super) async fn login(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let mut form = exchange.any_form()?;
    let email = form.required("email", |text| Ok(LoginName::parse_email(text)));
    let password = form.password("password");
    let (login, password) = form.finish((email, password))?;
    let input = SignIn { login, password, dialect: Dialect::Rest };
    let issued = sign_in(&app, input, &exchange.origin).await?;
    Ok(answer::json(StatusCode::OK, &wire::SignedIn::of(&issued.user, &TokenTexts::of(&issued.tokens)?)))
}

pub(super) async fn logout(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let token = refresh_token(&exchange)?;
    let ended = sessions::sign_out_by_refresh_token(&app, token.expose_secret(), &exchange.origin).await;
    ended.map_err(|error| Failure::worded(error, Wording::Logout))?;
    Ok(message("You have been logged out."))
}

pub(super) async fn refresh_tokens(app: App, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let token = refresh_token(&exchange)?;
    let tokens = sessions::refresh(&app, token.expose_secret(), &exchange.origin).await?;
    Ok(answer::json(StatusCode::OK, &wire::Refreshed::of(&TokenTexts::of(&tokens)?)))
}

fn refresh_token(exchange: &Exchange) -> Result<Secret, Error> {
    let mut form = exchange.any_form()?;
    let token = form.secret("refreshToken");
    form.finish(token)
}

pub(super) async fn forgot_password(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let mut form = exchange.any_form()?;
    let email = form.required("email", Email::parse);
    recovery::forgot_password(&app, form.finish(email)?, &exchange.origin)?;
    Ok(message("If this address belongs to an account, a mail with a link is on its way."))
}

pub(super) async fn reset_password(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let mut form = exchange.any_form()?;
    let password = form.password("password");
    let password = form.finish(password)?;
    let token = query_token(&exchange)?;
    recovery::reset_password(&app, token.expose_secret(), password, &exchange.origin).await?;
    Ok(message("The password has been reset. Log in with the new one."))
}

pub(super) async fn send_verification_email(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let actor = actor(&app, &exchange).await?;
    may_change(&app, &actor, Action::VerificationRequested)?;
    recovery::send_verification(&app, &actor).await?;
    Ok(message("A mail with a link is on its way."))
}

pub(super) async fn verify_email(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::Rest, request).await?;
    let actor = actor(&app, &exchange).await?;
    may_change(&app, &actor, Action::EmailVerified)?;
    recovery::verify_email(&app, &actor, query_token(&exchange)?.expose_secret()).await?;
    Ok(message("The address is verified."))
}

/// The token of a mailed link. Without one there is nothing to act on: as bad as a wrong one.
fn query_token(exchange: &Exchange) -> Result<Secret, Error> {
    let mut form = exchange.query_form()?;
    let token = form.optional("token", |text| Ok(Secret::from(text)));
    form.finish(())?;
    token.ok_or(Error::BadToken)
}

fn may_change(app: &App, actor: &Actor, action: Action) -> Result<(), Error> {
    app.audit().note(&actor.event(action), actor.caller.may_change_in(Dialect::Rest))
}

async fn actor(app: &App, exchange: &Exchange) -> Result<Actor, Error> {
    credentials::verify_actor(app, &token(&exchange.parts)?, exchange.origin.clone()).await
}

fn token(parts: &Parts) -> Result<Cow<'_, str>, Error> {
    authorization(&parts.headers, &["Bearer"]).token().map_err(Error::Unauthenticated)
}

fn message(text: &str) -> Response {
    answer::json(StatusCode::OK, &json!({ "message": text }))
}
