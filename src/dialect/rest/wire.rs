//! What rest looks like on the wire: its objects and its errors.

use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::actions::{Token, Tokens};
use crate::domain::error::{Error, Fault, Unauthenticated};
use crate::domain::user::User;
use crate::http::answer;
use crate::http::body::BodyFault;
use crate::http::request_log::FailureCause;
use crate::secret::ExposeSecret;

/// A user as this dialect shows one.
#[derive(Serialize)]
pub(super) struct UserView<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    name: &'a str,
    bio: Option<&'a str>,
    email: &'a str,
}

impl<'a> UserView<'a> {
    fn of(user: &'a User) -> Self {
        Self {
            id: None,
            name: user.shown_name(),
            bio: user.bio.as_deref(),
            email: user.email.as_deref().unwrap_or_default(),
        }
    }

    fn with_id(user: &'a User) -> Self {
        Self { id: Some(user.id.to_string()), ..Self::of(user) }
    }
}

/// The answer of `POST /auth`.
#[derive(Serialize)]
pub(super) struct Welcome<'a> {
    message: String,
    user: UserView<'a>,
}

impl<'a> Welcome<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        Self { message: format!("Welcome {}", user.shown_name()), user: UserView::of(user) }
    }
}

/// A session's tokens as JSON: made once, however often an answer repeats them.
pub(super) struct TokenTexts {
    access: Box<RawValue>,
    access_expires: String,
    refresh: Box<RawValue>,
    refresh_expires: String,
}

impl TokenTexts {
    pub(super) fn of(tokens: &Tokens) -> Result<Self, Error> {
        Ok(Self {
            access: text(&tokens.access)?,
            access_expires: tokens.access.expires_at.rfc3339(),
            refresh: text(&tokens.refresh)?,
            refresh_expires: tokens.refresh.expires_at.rfc3339(),
        })
    }
}

/// Its letters need no escapes, which is checked here faster than they could be looked for one by one.
fn text(token: &Token) -> Result<Box<RawValue>, Error> {
    RawValue::from_string(format!("\"{}\"", token.secret.expose_secret()))
        .map_err(|error| Error::Internal(format!("a token could not be written: {error}")))
}

#[derive(Clone, Copy, Serialize)]
struct TokenView<'a> {
    token: &'a RawValue,
    expires: &'a str,
}

#[derive(Clone, Copy, Serialize)]
struct Pair<'a> {
    access: TokenView<'a>,
    refresh: TokenView<'a>,
}

impl<'a> Pair<'a> {
    fn of(texts: &'a TokenTexts) -> Self {
        Self {
            access: TokenView { token: &texts.access, expires: &texts.access_expires },
            refresh: TokenView { token: &texts.refresh, expires: &texts.refresh_expires },
        }
    }
}

/// The answer of registration and login.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SignedIn<'a> {
    user: UserView<'a>,
    tokens: Pair<'a>,
    access_token: &'a RawValue,
    refresh_token: &'a RawValue,
}

impl<'a> SignedIn<'a> {
    pub(super) fn of(user: &'a User, texts: &'a TokenTexts) -> Self {
        Self {
            user: UserView::with_id(user),
            tokens: Pair::of(texts),
            access_token: &texts.access,
            refresh_token: &texts.refresh,
        }
    }
}

/// The answer of a refresh, in all the spellings that clients read.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refreshed<'a> {
    access: TokenView<'a>,
    refresh: TokenView<'a>,
    tokens: Pair<'a>,
    access_token: &'a RawValue,
    refresh_token: &'a RawValue,
}

impl<'a> Refreshed<'a> {
    pub(super) fn of(texts: &'a TokenTexts) -> Self {
        let tokens = Pair::of(texts);
        Self {
            access: tokens.access,
            refresh: tokens.refresh,
            tokens,
            access_token: &texts.access,
            refresh_token: &texts.refresh,
        }
    }
}

/// Where one meaning has another status than elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// Everywhere else.
    Usual,
    /// Logging out: a token that ends nothing is a bad request.
    Logout,
}

/// After how long to come again where nothing better is known.
const LATER: Duration = Duration::from_secs(5);

/// An error on its way out: `{"code":401,"message":"…","error":"…"}`.
#[derive(Debug)]
pub(super) struct Failure(Response);

impl Failure {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        Self(answer::json(status, &body(status, message)))
    }

    fn invalid(faults: &[Fault]) -> Self {
        let status = StatusCode::BAD_REQUEST;
        let message = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect::<Vec<_>>();
        let mut body = body(status, &message.join("; "));
        body["errors"] = faults.iter().map(|fault| json!({"field": fault.field, "message": fault.message})).collect();
        Self(answer::json(status, &body))
    }

    fn unauthorized(message: &str) -> Self {
        let mut failure = Self::new(StatusCode::UNAUTHORIZED, message);
        failure.0.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"doorward\""));
        failure
    }

    fn broken(status: StatusCode, message: &str, cause: String) -> Self {
        Self(FailureCause(cause).attach(Self::new(status, message).0))
    }

    fn later(self, wait: Duration) -> Self {
        Self(answer::retry_after(self.0, wait))
    }

    pub(super) fn worded(error: Error, wording: Wording) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(&faults),
            Error::Unauthenticated(reason) => Self::unauthorized(explain(reason)),
            Error::WrongCredentials => Self::unauthorized("Incorrect email or password"),
            Error::WrongCurrentPassword => Self::unauthorized("The current password is incorrect"),
            Error::BadToken if wording == Wording::Logout => {
                Self::new(StatusCode::BAD_REQUEST, "refreshToken is not a token of a session that lives")
            }
            Error::BadToken => Self::unauthorized("The token is invalid, used or expired"),
            Error::ReauthenticationRequired => {
                Self::new(StatusCode::FORBIDDEN, "This change needs the current password or a fresh login")
            }
            Error::Forbidden(reason) => Self::new(StatusCode::FORBIDDEN, reason),
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "Not found"),
            Error::Taken(field) => Self::invalid(&[Fault { field, message: "is already taken".to_owned() }]),
            Error::LastAdministrator => Self::new(StatusCode::CONFLICT, "The last administrator cannot go"),
            Error::TooMany(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait as long as Retry-After says")
                    .later(wait)
            }
            Error::Busy(wait) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again").later(wait)
            }
            Error::Unavailable(cause) => {
                let message = "The server cannot do this now; try again";
                Self::broken(StatusCode::SERVICE_UNAVAILABLE, message, cause).later(LATER)
            }
            Error::Internal(cause) => Self::broken(StatusCode::INTERNAL_SERVER_ERROR, "Server error", cause),
        }
    }
}

fn body(status: StatusCode, message: &str) -> Value {
    json!({
        "code": status.as_u16(),
        "message": message,
        "error": status.canonical_reason().unwrap_or_default(),
    })
}

fn explain(reason: Unauthenticated) -> &'static str {
    match reason {
        Unauthenticated::Missing => "Please authenticate: send Authorization: Bearer and an access token",
        Unauthenticated::Expired => "The access token has expired",
        Unauthenticated::Malformed | Unauthenticated::Ended | Unauthenticated::Disabled | Unauthenticated::UserGone => {
            "The access token is invalid"
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::worded(error, Wording::Usual)
    }
}

impl From<BodyFault> for Failure {
    fn from(fault: BodyFault) -> Self {
        Self::new(fault.status(), &fault.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.0
    }
}
