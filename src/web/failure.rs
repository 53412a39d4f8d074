//! How the pages say what went wrong.

use askama::Template;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::frame::{Frame, go_to};
use super::language::Language;
use super::links;
use super::status::{status, wait};
use crate::app::App;
use crate::domain::error::Error;
use crate::http::answer;
use crate::http::request_log::FailureCause;

#[derive(Template)]
#[template(path = "pages/failure.html")]
struct Failure<'p> {
    frame: &'p Frame,
    code: u16,
    heading: &'static str,
    text: String,
}

/// An error as a page of its own.
pub(super) fn page(frame: &Frame, error: &Error) -> Response {
    if matches!(error, Error::Unauthenticated(_)) {
        return go_to(links::SIGN_IN);
    }
    if matches!(error, Error::ReauthenticationRequired) {
        return go_to(&links::prove(&frame.here));
    }
    let status = status(error);
    let (heading, text) = frame.t.failure(error);
    let answer = frame.show(status, &Failure { frame, code: status.as_u16(), heading, text });
    finish(answer, error)
}

/// What belongs to an answer that tells of an error: when to come again, and the cause for the log.
pub(super) fn finish(answer: Response, error: &Error) -> Response {
    let answer = match wait(error) {
        Some(wait) => answer::retry_after(answer, wait),
        None => answer,
    };
    match error {
        Error::Internal(cause) | Error::Unavailable(cause) => FailureCause(cause.clone()).attach(answer),
        _ => answer,
    }
}

/// Where no page of ours was reached: whoever asks was not looked at.
pub(super) fn nowhere(app: &App, headers: &HeaderMap, status: StatusCode) -> Response {
    alone(&Frame::of_stranger(&app.settings().pages.title, Language::of(headers)), status, &Error::NotFound)
}

/// Where nothing is known at all.
pub(super) fn plain(status: StatusCode) -> Response {
    alone(&Frame::of_stranger("Doorward", Language::English), status, &Error::Internal(String::new()))
}

fn alone(frame: &Frame, status: StatusCode, error: &Error) -> Response {
    let (heading, text) = frame.t.failure(error);
    frame.show(status, &Failure { frame, code: status.as_u16(), heading, text })
}
