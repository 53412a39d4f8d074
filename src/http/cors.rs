//! Which pages of other origins may call the API from a browser. No cookies are shared: whoever
//! calls brings a token. Origins come as plain text and are compared byte for byte.

use std::time::Duration;

use axum::http::Method;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, InvalidHeaderValue};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::request_log::X_REQUEST_ID;

const PREFLIGHT_LIFETIME: Duration = Duration::from_mins(10);

/// The layer that lets pages of `origins` call; none where there are no origins. `*` means every origin.
///
/// # Errors
///
/// Where an origin cannot be the value of a header.
pub fn layer(origins: &[String]) -> Result<Option<CorsLayer>, InvalidHeaderValue> {
    if origins.is_empty() {
        return Ok(None);
    }
    let layer = CorsLayer::new()
        .allow_origin(allowed(origins)?)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            HeaderName::from_static("x-access-token"),
            HeaderName::from_static("x-api-key"),
        ])
        .expose_headers([RETRY_AFTER, X_REQUEST_ID, WWW_AUTHENTICATE])
        .max_age(PREFLIGHT_LIFETIME);
    Ok(Some(layer))
}

fn allowed(origins: &[String]) -> Result<AllowOrigin, InvalidHeaderValue> {
    if origins.iter().any(|origin| origin == "*") {
        return Ok(AllowOrigin::any());
    }
    let values: Result<Vec<HeaderValue>, _> = origins.iter().map(|origin| HeaderValue::from_str(origin)).collect();
    values.map(AllowOrigin::list)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::Request;
    use axum::http::header::{ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN};
    use axum::routing::get;
    use tower::ServiceExt as _;

    use super::*;

    async fn allowed_for(origins: &[&str], origin: &str) -> Option<String> {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        let layer = layer(&origins).unwrap().unwrap();
        let router = Router::new().route("/", get(|| async {})).layer(layer);
        let request = Request::get("/").header(ORIGIN, origin).body(Body::empty()).unwrap();
        let answer = router.oneshot(request).await.unwrap();
        assert!(!answer.headers().contains_key(ACCESS_CONTROL_ALLOW_CREDENTIALS));
        answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN).map(|value| value.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn only_listed_origins_are_allowed() {
        let listed = ["https://a.example", "https://b.example"];
        assert_eq!(allowed_for(&listed, "https://b.example").await.as_deref(), Some("https://b.example"));
        assert_eq!(allowed_for(&listed, "https://b.example.evil").await, None);
        assert_eq!(allowed_for(&["*"], "https://b.example").await.as_deref(), Some("*"));
    }

    #[test]
    fn no_origins_mean_no_layer_and_an_impossible_one_is_told() {
        assert!(layer(&[]).unwrap().is_none());
        assert!(layer(&["https://a.example\n".to_owned()]).is_err());
    }
}
