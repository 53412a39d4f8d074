//! The keys that access tokens are verified with elsewhere (RFC 7517), on the one path that is meant
//! for everybody: it may be kept, and read by pages of every origin. Belongs to no dialect.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};

use super::health;
use super::mount::Routes;
use super::problem::problem;
use super::request_log::FailureCause;
use crate::actions::keys::{self, MAX_AGE};
use crate::app::App;

/// Where verifiers look for it.
pub const PATH: &str = "/.well-known/jwks.json";

/// The media type that RFC 7517 registers. Libraries read the document whatever it is called; the precise name
/// costs nobody anything, and with `nosniff` no browser takes it for something else.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/jwk-set+json");
const EVERYBODY: HeaderValue = HeaderValue::from_static("*");

/// The route.
#[must_use]
pub fn routes() -> Routes {
    let answer = async |State(app): State<App>, headers: HeaderMap| key_set(&app, &headers);
    Routes::default().get(PATH, answer).otherwise(health::wrong_method)
}

fn key_set(app: &App, headers: &HeaderMap) -> Response {
    let keys = match keys::published(app) {
        Ok(keys) => keys,
        Err(error) => {
            let answer = problem(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable", "the keys cannot be read");
            return FailureCause(error.to_string()).attach(answer);
        }
    };
    let named: [(HeaderName, String); 2] =
        [(ETAG, keys.tag.clone()), (CACHE_CONTROL, format!("public, max-age={}", MAX_AGE.as_secs()))];
    let open = [(ACCESS_CONTROL_ALLOW_ORIGIN, EVERYBODY)];
    if is_known(headers, &keys.tag) {
        return (StatusCode::NOT_MODIFIED, named, open).into_response();
    }
    (named, open, [(CONTENT_TYPE, MEDIA_TYPE)], Body::from(keys.document.clone())).into_response()
}

/// Whether the client has the document with this tag already (RFC 9110, 13.1.2: weak tags count).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let lines = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|line| line.to_str().ok());
    // A quote ends a tag, so none that holds a comma has ours between two commas.
    let mut tags = lines.flat_map(|line| line.split(',')).map(str::trim);
    tags.any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_in_every_form_that_says_so() {
        let known = |lines: &[&str]| {
            let lines = lines.iter().map(|line| (IF_NONE_MATCH, HeaderValue::from_bytes(line.as_bytes()).unwrap()));
            is_known(&lines.collect(), "\"ours\"")
        };
        for lines in [&["\"ours\""][..], &["W/\"ours\""], &["\"a\", W/\"ours\" ,\"b\""], &["\"a\"", "\"ours\""], &["*"]]
        {
            assert!(known(lines), "{lines:?}");
        }
        for lines in
            [&[][..], &[""], &["ours"], &["\"Ours\""], &["\"ours"], &["w/\"ours\""], &["\"\u{e4}\""], &["\"*\""]]
        {
            assert!(!known(lines), "{lines:?}");
        }
    }
}
