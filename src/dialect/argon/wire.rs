//! What argon looks like on the wire: its objects and its errors.

use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::actions::Issued;
use crate::actions::account::Profile;
use crate::domain::error::{Error, Fault, Unauthenticated};
use crate::domain::permission::Permissions;
use crate::domain::user::User;
use crate::http::answer;
use crate::http::body::BodyFault;
use crate::http::request_log::FailureCause;
use crate::secret::ExposeSecret;

/// The answer of `GET /api/auth/state` to somebody who is known.
#[derive(Serialize)]
pub(super) struct AuthState<'a> {
    authenticated: bool,
    username: &'a str,
    permissions: &'a Permissions,
}

impl<'a> AuthState<'a> {
    pub(super) fn of(user: &'a User) -> Self {
        Self { authenticated: true, username: user.login(), permissions: &user.permissions }
    }
}

/// The answer of registration and login.
#[derive(Serialize)]
pub(super) struct SignedIn<'a> {
    token: &'a str,
    permissions: &'a Permissions,
}

impl<'a> SignedIn<'a> {
    pub(super) fn of(issued: &'a Issued) -> Self {
        Self { token: issued.tokens.access.secret.expose_secret(), permissions: &issued.user.permissions }
    }
}

/// The answer of a change of one's profile.
#[derive(Serialize)]
pub(super) struct ProfileChanged<'a> {
    message: &'static str,
    #[serde(flatten)]
    signed_in: SignedIn<'a>,
}

impl<'a> ProfileChanged<'a> {
    pub(super) fn of(profile: &'a Profile) -> Self {
        let message = if profile.changed { "Profile updated successfully" } else { "No changes made to profile" };
        Self { message, signed_in: SignedIn::of(&profile.issued) }
    }
}

/// An answer that only says something.
#[derive(Serialize)]
pub(super) struct Message {
    pub(super) message: &'static str,
}

/// The answer of `GET /api/system`.
#[derive(Serialize)]
pub(super) struct System {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}

/// Where one meaning is said otherwise than elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wording {
    /// Everywhere else.
    Usual,
    /// The state of authentication: who is not known is told so in a field.
    State,
    /// A change of one's profile.
    Profile,
}

/// An error on its way out: `{"error":"…"}`. Boxed, since answers are larger than what succeeds.
#[derive(Debug)]
pub(super) struct Failure(Box<Response>);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated: Option<bool>,
    error: &'a str,
}

impl Failure {
    pub(super) fn new(status: StatusCode, error: &str) -> Self {
        Self(Box::new(answer::json(status, &Body { authenticated: None, error })))
    }

    pub(super) fn username_and_password_required() -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Username and password required")
    }

    pub(super) fn nothing_to_change() -> Self {
        let error = "At least one of newUsername or newPassword (with currentPassword) must be provided";
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    fn invalid(faults: &[Fault]) -> Self {
        let error: Vec<_> = faults.iter().map(|fault| format!("{} {}", subject(fault.field), fault.message)).collect();
        Self::new(StatusCode::BAD_REQUEST, &error.join("; "))
    }

    fn unauthorized(error: &str, wording: Wording) -> Self {
        let authenticated = (wording == Wording::State).then_some(false);
        let mut answer = answer::json(StatusCode::UNAUTHORIZED, &Body { authenticated, error });
        answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"doorward\""));
        Self(Box::new(answer))
    }

    fn unavailable(wait: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again").later(wait)
    }

    fn later(self, wait: Duration) -> Self {
        Self(Box::new(answer::retry_after(*self.0, wait)))
    }

    fn with_cause(self, cause: String) -> Self {
        Self(Box::new(FailureCause(cause).attach(*self.0)))
    }

    pub(super) fn worded(error: Error, wording: Wording) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(&faults),
            Error::Unauthenticated(reason) => Self::unauthorized(explain(reason), wording),
            Error::WrongCredentials => Self::unauthorized("Invalid credentials", wording),
            Error::WrongCurrentPassword => Self::unauthorized("Current password is incorrect", wording),
            Error::BadToken => Self::unauthorized("Invalid token format", wording),
            Error::ReauthenticationRequired => {
                Self::new(StatusCode::FORBIDDEN, "This change needs the current password or a fresh login")
            }
            Error::Forbidden(reason) => Self::new(StatusCode::FORBIDDEN, &capitalised(reason)),
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "Not found"),
            Error::Taken(field) => {
                let fate = if wording == Wording::Profile { "taken" } else { "exists" };
                Self::new(StatusCode::BAD_REQUEST, &format!("{} already {fate}", subject(field)))
            }
            Error::LastAdministrator => Self::new(StatusCode::CONFLICT, "The last administrator cannot go"),
            Error::TooMany(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait as long as Retry-After says")
                    .later(wait)
            }
            Error::Busy(wait) => Self::unavailable(wait),
            Error::Unavailable(cause) => Self::unavailable(Duration::from_secs(5)).with_cause(cause),
            Error::Internal(cause) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "Server error").with_cause(cause),
        }
    }
}

/// How a sentence about a field begins.
fn subject(field: &str) -> String {
    match field {
        "newUsername" => "Username".to_owned(),
        "newPassword" => "Password".to_owned(),
        "currentPassword" => "Current password".to_owned(),
        "body" => "The body".to_owned(),
        other => capitalised(other),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

/// A disabled user is told what a deleted one is told: neither can go on.
fn explain(reason: Unauthenticated) -> &'static str {
    match reason {
        Unauthenticated::Missing => "Authentication required",
        Unauthenticated::Malformed | Unauthenticated::Ended => "Invalid token format",
        Unauthenticated::Expired => "Token has expired",
        Unauthenticated::Disabled | Unauthenticated::UserGone => "User no longer exists",
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
        *self.0
    }
}
