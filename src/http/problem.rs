//! Problem details (RFC 9457), for routes that belong to no dialect.

use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::http::answer;

/// An `application/problem+json` answer: what kind of problem, and what this one is.
#[must_use]
pub fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({"type": "about:blank", "title": title, "status": status.as_u16(), "detail": detail});
    answer::with_type(status, "application/problem+json", body.to_string().into_bytes())
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
