//! The headers that every answer carries: not to be stored, not to be guessed at, not to be
//! told to other sites. An answer that says otherwise itself keeps what it says.

use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::response::Response;
use tower::util::MapResponseLayer;

static PROTECTION: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// The layer that adds them.
#[must_use]
pub fn layer() -> MapResponseLayer<fn(Response) -> Response> {
    MapResponseLayer::new(|mut answer| {
        protect(&mut answer);
        answer
    })
}

/// Adds them to one answer.
pub fn protect(answer: &mut Response) {
    for (name, value) in &PROTECTION {
        answer.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
}

/// The same as lines of a head, for what is answered below the routes.
#[must_use]
pub fn lines() -> Vec<u8> {
    let line = |(name, value): &(HeaderName, HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
    };
    PROTECTION.iter().flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn ask(path: &str) -> Response {
        let styles = get(|| async { [(CACHE_CONTROL, "max-age=60")] });
        let router = Router::new().route("/style.css", styles).layer(layer());
        router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn every_answer_is_protected_also_where_no_route_is() {
        let answer = ask("/nowhere").await;
        for (name, value) in &PROTECTION {
            assert_eq!(answer.headers().get(name), Some(value));
        }
    }

    #[tokio::test]
    async fn what_a_route_says_itself_stands() {
        let answer = ask("/style.css").await;
        assert_eq!(answer.headers()[CACHE_CONTROL], "max-age=60");
        assert_eq!(answer.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
    }
}
