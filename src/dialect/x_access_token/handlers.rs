//! One function a route: read, act, answer.

use std::borrow::Cow;

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use axum::response::Response;

use super::wire::{self, Failure};
use crate::actions::credentials;
use crate::actions::sessions;
use crate::actions::sign_in::{SignIn, sign_in};
use crate::app::App;
use crate::domain::error::Error;
use crate::domain::session::Dialect;
use crate::domain::user::LoginName;
use crate::http::answer;
use crate::http::credential::{Presented, authorization, header, query};
use crate::http::exchange::Exchange;
use crate::http::mount::Head;
use crate::http::origin;

const X_ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-access-token");

type Answer = Result<Response, Failure>;

pub(super) async fn login(State(app): State<App>, request: Request) -> Answer {
    let exchange = Exchange::read(&app, Dialect::XAccessToken, request).await?;
    let mut form = exchange.optional_json_form()?;
    let email = form.required("email", |text| Ok(LoginName::parse_email(text)));
    let password = form.password("password");
    let (login, password) = form.finish((email, password))?;
    let input = SignIn { login, password, dialect: Dialect::XAccessToken };
    let issued = sign_in(&app, input, &exchange.origin).await?;
    Ok(answer::json(StatusCode::OK, &wire::SignedIn::of(&issued)))
}

pub(super) async fn me(app: App, head: Head) -> Answer {
    let user =
        credentials::verify_user(&app, &token(&app, &head.parts)?, Dialect::XAccessToken, head.client(&app)).await?;
    Ok(answer::kept_json(user.shown(Dialect::XAccessToken), || wire::Me::of(&user)))
}

pub(super) async fn logout(State(app): State<App>, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let origin = origin::of(&app, &parts, Dialect::XAccessToken);
    let actor = credentials::verify_actor(&app, &token(&app, &parts)?, origin).await?;
    sessions::sign_out(&app, &actor).await?;
    Ok(answer::json(StatusCode::OK, &wire::Done { success: true }))
}

pub(super) async fn status() -> Response {
    answer::json(StatusCode::OK, &wire::Status { installed: true, env: "production" })
}

fn token<'a>(app: &App, parts: &'a Parts) -> Result<Cow<'a, str>, Error> {
    let in_query =
        if app.settings().x_access_token.query_token { query(parts.uri.query(), "token") } else { Presented::None };
    let presented =
        header(&parts.headers, &X_ACCESS_TOKEN).and(in_query).and(authorization(&parts.headers, &["Bearer"]));
    presented.token().map_err(Error::Unauthenticated)
}
