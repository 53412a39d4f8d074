//! Problem details (RFC 9457), for routes that belong to no dialect.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::http::answer;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// An `application/problem+json` answer: what kind of problem, and what this one is.
#[must_use]
pub fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    answer::with_type(status, MEDIA_TYPE, body(status.as_u16(), title, detail))
}

/// The body alone, for what is answered below the routes.
#[must_use]
pub fn body(status: u16, title: &str, detail: &str) -> Vec<u8> {
    json!({"type": "about:blank", "title": title, "status": status, "detail": detail}).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use axum::http::header::CONTENT_TYPE;
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_problem_names_its_status_in_header_and_body() {
        let answer = problem(StatusCode::NOT_FOUND, "Not found", "No such path.");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let expected = json!({"type": "about:blank", "title": "Not found", "status": 404, "detail": "No such path."});
        assert_eq!(body, expected);
    }
}
