//! How iron says that something went wrong: `{"msg":"reason"}`. No message holds the digits of
//! another status: clients look for them in the text.

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::domain::error::{Error, Fault, Unauthenticated};
use crate::http::answer;
use crate::http::body::BodyFault;
use crate::http::request_log::FailureCause;

/// After how long to come again where nothing better is known.
const LATER: Duration = Duration::from_secs(5);

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    cause: Option<String>,
}

impl Failure {
    pub(super) fn new(status: StatusCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { status, message: message.into(), retry_after: None, cause: None }
    }

    fn invalid(faults: &[Fault]) -> Self {
        let faults: Vec<_> = faults.iter().map(|fault| format!("{} {}", fault.field, fault.message)).collect();
        Self::new(StatusCode::BAD_REQUEST, faults.join("; "))
    }

    /// The refusal of `GET /1/authentication`: one for everything that is wrong with the request.
    /// What is wrong with the server stays what it is.
    pub(super) fn of_check(error: Error) -> Self {
        match error {
            Error::TooMany(_) | Error::Busy(_) | Error::Unavailable(_) | Error::Internal(_) => error.into(),
            Error::Invalid(_)
            | Error::Unauthenticated(_)
            | Error::WrongCredentials
            | Error::WrongCurrentPassword
            | Error::ReauthenticationRequired
            | Error::Forbidden(_)
            | Error::NotFound
            | Error::Taken(_)
            | Error::LastAdministrator
            | Error::BadToken => Self::new(StatusCode::FORBIDDEN, "not authorized"),
        }
    }

    fn later(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), ..self }
    }

    fn because(self, cause: String) -> Self {
        Self { cause: Some(cause), ..self }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid(faults) => Self::invalid(&faults),
            Error::Unauthenticated(reason) => Self::new(StatusCode::UNAUTHORIZED, explain(reason)),
            Error::BadToken => Self::new(StatusCode::UNAUTHORIZED, explain(Unauthenticated::Ended)),
            Error::WrongCredentials => Self::new(StatusCode::FORBIDDEN, "wrong email or password"),
            Error::WrongCurrentPassword => Self::new(StatusCode::FORBIDDEN, "current_password is wrong"),
            Error::ReauthenticationRequired => {
                Self::new(StatusCode::FORBIDDEN, "this change needs current_password, or a fresh login")
            }
            Error::Forbidden(reason) => Self::new(StatusCode::FORBIDDEN, reason),
            Error::NotFound => Self::new(StatusCode::NOT_FOUND, "not found"),
            Error::Taken(field) => Self::new(StatusCode::CONFLICT, format!("{field} is already taken")),
            Error::LastAdministrator => Self::new(StatusCode::CONFLICT, "the last administrator cannot go"),
            Error::TooMany(wait) => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too many attempts; wait as long as Retry-After says")
                    .later(wait)
            }
            Error::Busy(wait) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "the server is busy; try again").later(wait)
            }
            Error::Unavailable(cause) => {
                let message = "the server cannot do this now; try again";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, message).later(LATER).because(cause)
            }
            Error::Internal(cause) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server error").because(cause),
        }
    }
}

fn explain(reason: Unauthenticated) -> &'static str {
    match reason {
        Unauthenticated::Missing => "send Authorization: OAuth and a token",
        Unauthenticated::Expired => "the token has expired",
        Unauthenticated::Malformed | Unauthenticated::Ended | Unauthenticated::Disabled | Unauthenticated::UserGone => {
            "the token is not valid"
        }
    }
}

impl From<BodyFault> for Failure {
    fn from(fault: BodyFault) -> Self {
        Self::new(fault.status(), fault.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut answer = answer::json(self.status, &json!({ "msg": self.message }));
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("OAuth realm=\"doorward\""));
        }
        if let Some(wait) = self.retry_after {
            answer = answer::retry_after(answer, wait);
        }
        match self.cause {
            Some(cause) => FailureCause(cause).attach(answer),
            None => answer,
        }
    }
}

/// The failure of a `DELETE`: `{"msg":"fail: reason"}`.
#[derive(Debug)]
pub(super) struct FailedDeletion(pub(super) Failure);

impl<E: Into<Failure>> From<E> for FailedDeletion {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for FailedDeletion {
    fn into_response(self) -> Response {
        let message = format!("fail: {}", self.0.message).into();
        Failure { message, ..self.0 }.into_response()
    }
}
