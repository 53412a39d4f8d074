//! What `x_access_token` looks like on the wire: its objects and its errors.

use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::actions::Issued;
use crate::domain::error::{Error, Fault, Unauthenticated};
use crate::domain::permission::Permissions;
use crate::domain::user::User;
use crate::http::answer;
use crate::http::body::BodyFault;
use crate::http::request_log::FailureCause;
use crate::secret::ExposeSecret;

/// The answer of a login.
#[derive(Serialize)]
pub(super) struct SignedIn<'a> {
    uid: String,
    token: &'a str,
    #[serde(rename = "canUseAdmin", skip_serializing_if = "Option::is_none")]
    can_use_admin: Option<bool>,
}

impl<'a> SignedIn<'a> {
    pub(super) fn of(issued: &'a Issued) -> Self {
        Self {
            uid: issued.user.id.to_uuid(),
            token: issued.tokens.access.secret.expose_secret(),
            can_use_admin: issued.user.is_admin().then_some(true),
        }
    }
}

/// The user's own object. The original's also held the hash of the password.
#[derive(Serialize)]
pub(super) struct Me<'a> {
    #[serde(rename = "_id")]
    id: String,
    uid: String,
    email: Option<&'a str>,
    name: Option<&'a str>,
    #[serde(rename = "fullName")]
    full_name: &'a str,
    username: Option<&'a str>,
    bio: Option<&'a str>,
    roles: [&'static str; 1],
    permissions: &'a Permissions,
    created_at: String,
}

impl<'a> Me<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        let id = user.id.to_uuid();
        Self {
            uid: id.clone(),
            id,
            email: user.email.as_deref(),
            name: user.name.as_deref(),
            full_name: user.shown_name(),
            username: user.username.as_deref(),
            bio: user.bio.as_deref(),
            roles: [if user.is_admin() { "Admin" } else { "User" }],
            permissions: &user.permissions,
            created_at: user.created_at.rfc3339(),
        }
    }
}

/// The answer of a logout.
#[derive(Serialize)]
pub(super) struct Done {
    pub(super) success: bool,
}

/// The answer of `GET /status`.
#[derive(Serialize)]
pub(super) struct Status {
    pub(super) installed: bool,
    pub(super) env: &'static str,
}

/// An error on its way out: `{"success":false,"message":"…","error":"…"}`.
#[derive(Debug)]
pub(super) struct Failure(Response);

#[derive(Serialize)]
struct Body<'a> {
    success: bool,
    message: &'a str,
    error: &'a str,
    #[serde(rename = "tokenError", skip_serializing_if = "Option::is_none")]
    token_error: Option<&'a str>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: &str) -> Self {
        let error = status.canonical_reason().unwrap_or_default();
        Self(answer::json(status, &Body { success: false, message, error, token_error: None }))
    }

    fn invalid(faults: &[Fault]) -> Self {
        let message: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
        Self::new(StatusCode::BAD_REQUEST, &message.join("; "))
    }

    fn unauthorized(message: &str, error: &str, token_error: Option<&str>) -> Self {
        let body = Body { success: false, message, error, token_error };
        let mut answer = answer::json(StatusCode::UNAUTHORIZED, &body);
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"doorward\""));
        Self(answer)
    }

    fn bad_token(reason: Unauthenticated) -> Self {
        const FAILED: &str = "Failed to authenticate token.";
        match reason {
            Unauthenticated::Missing => Self::unauthorized("No token provided.", "Missing token", Some("jwt error")),
            Unauthenticated::Expired => Self::unauthorized(FAILED, "Expired token", Some("expired token")),
            Unauthenticated::Malformed
            | Unauthenticated::Ended
            | Unauthenticated::Disabled
            | Unauthenticated::UserGone => Self::unauthorized(FAILED, "Invalid token", Some("jwt error")),
        }
    }

    fn unavailable(wait: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again.").later(wait)
    }

    fn later(self, wait: Duration) -> Self {
        Self(answer::retry_after(self.0, wait))
    }

    fn with_cause(self, cause: String) -> Self {
        Self(FailureCause(cause).attach(self.0))
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(&faults),
            Error::Unauthenticated(reason) => Self::bad_token(reason),
            Error::WrongCredentials | Error::WrongCurrentPassword => {
                Self::unauthorized("Authentication failed. Wrong password.", "Incorrect password", None)
            }
            Error::BadToken => Self::bad_token(Unauthenticated::Malformed),
            Error::ReauthenticationRequired => {
                Self::new(StatusCode::FORBIDDEN, "This change needs the current password or a fresh login.")
            }
            Error::Forbidden(reason) => Self::new(StatusCode::FORBIDDEN, &format!("{}.", capitalised(reason))),
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "Not found."),
            Error::Taken(field) => Self::invalid(&[Fault { field, message: "is already taken".to_owned() }]),
            Error::LastAdministrator => Self::new(StatusCode::CONFLICT, "The last administrator cannot go."),
            Error::TooMany(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait as long as Retry-After says.")
                    .later(wait)
            }
            Error::Busy(wait) => Self::unavailable(wait),
            Error::Unavailable(cause) => Self::unavailable(Duration::from_secs(5)).with_cause(cause),
            Error::Internal(cause) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server error.").with_cause(cause),
        }
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
