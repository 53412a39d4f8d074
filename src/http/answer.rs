//! Answers with a JSON body, and when to come again. Knows no wire format: the caller gives the
//! shape and the status.

use std::sync::OnceLock;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use axum::response::Response;
use serde::Serialize;

use crate::http::request_log::FailureCause;

const JSON: &str = "application/json";

/// An answer with `body` as JSON.
///
/// A body that cannot be written is a fault of the server: an empty object under 500, and its
/// cause in the log.
#[must_use]
pub fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(bytes) => with_type(status, JSON, bytes),
        Err(error) => unwritten(&error),
    }
}

/// A good answer with what is kept, or else with `body` as JSON, which is kept from then on.
#[must_use]
pub fn kept_json<T: Serialize>(kept: &OnceLock<Bytes>, body: impl FnOnce() -> T) -> Response {
    if let Some(bytes) = kept.get() {
        return with_type(StatusCode::OK, JSON, bytes.clone());
    }
    match serde_json::to_vec(&body()) {
        Ok(bytes) => with_type(StatusCode::OK, JSON, kept.get_or_init(|| bytes.into()).clone()),
        Err(error) => unwritten(&error),
    }
}

fn unwritten(error: &serde_json::Error) -> Response {
    let answer = with_type(StatusCode::INTERNAL_SERVER_ERROR, JSON, "{}");
    FailureCause(format!("an answer could not be written: {error}")).attach(answer)
}

/// Says after how long to come again, in whole seconds, rounded up, at least one.
#[must_use]
pub fn retry_after(mut answer: Response, wait: Duration) -> Response {
    let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)).max(1);
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    answer
}

/// An answer that was written beforehand, in JSON.
#[must_use]
pub fn written(text: &'static str) -> Response {
    with_type(StatusCode::OK, JSON, text)
}

pub(super) fn with_type(status: StatusCode, content_type: &'static str, bytes: impl Into<Body>) -> Response {
    let mut answer = Response::new(bytes.into());
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use http_body_util::BodyExt as _;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn a_body_is_sent_as_json_under_its_status() {
        let answer = json(StatusCode::CREATED, &json!({"name": "Ann"}));
        assert_eq!(answer.status(), StatusCode::CREATED);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), r#"{"name":"Ann"}"#);
    }

    #[tokio::test]
    async fn what_is_kept_is_written_once() {
        let kept = OnceLock::new();
        for body in ["first", "second"] {
            let answer = kept_json(&kept, || json!({ "name": body }));
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), r#"{"name":"first"}"#);
        }
    }

    #[test]
    fn a_body_that_cannot_be_written_is_a_fault_of_the_server_with_its_cause() {
        let answer = json(StatusCode::OK, &BTreeMap::from([(vec![1], 1)]));
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(answer.extensions().get::<FailureCause>().is_some());
    }

    #[test]
    fn waits_are_rounded_up_to_whole_seconds() {
        let seconds = |wait| {
            let answer = retry_after(json(StatusCode::TOO_MANY_REQUESTS, &json!({})), wait);
            answer.headers()[RETRY_AFTER].to_str().unwrap().to_owned()
        };
        assert_eq!(seconds(Duration::ZERO), "1");
        assert_eq!(seconds(Duration::from_millis(1_001)), "2");
        assert_eq!(seconds(Duration::from_mins(1)), "60");
        assert_eq!(seconds(Duration::MAX), u64::MAX.to_string());
    }
}
