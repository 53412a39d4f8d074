//! Which status the pages give each error: the one place that knows.

use std::time::Duration;

use axum::http::StatusCode;

use crate::domain::error::Error;

/// Why a form of a browser without any cookie of ours is not taken.
pub(super) const NO_COOKIE: &str = "the browser keeps no cookie";

/// The status of an error.
pub(super) const fn status(error: &Error) -> StatusCode {
    match error {
        Error::Invalid(_) | Error::WrongCurrentPassword | Error::BadToken => StatusCode::UNPROCESSABLE_ENTITY,
        Error::Unauthenticated(_) | Error::WrongCredentials => StatusCode::UNAUTHORIZED,
        Error::ReauthenticationRequired | Error::Forbidden(_) => StatusCode::FORBIDDEN,
        Error::NotFound => StatusCode::NOT_FOUND,
        Error::Taken(_) | Error::LastAdministrator => StatusCode::CONFLICT,
        Error::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
        Error::Busy(_) | Error::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Error::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// How long to wait before another attempt, where that is known.
pub(super) const fn wait(error: &Error) -> Option<Duration> {
    match error {
        Error::TooMany(wait) | Error::Busy(wait) => Some(*wait),
        _ => None,
    }
}
