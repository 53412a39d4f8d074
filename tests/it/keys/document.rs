//! The published document: its headers, its errors, and where it is.

use doorward::actions::keys::Rotation;
use reqwest::{Method, Response, StatusCode};
use serde_json::Value;

use super::{PATH, kids, published, rotate};
use crate::harness::{Server, answer};
use crate::rest::text;

fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().unwrap())
}

async fn get(server: &Server) -> Response {
    server.get(PATH).send().await.unwrap()
}

async fn if_none_match(server: &Server, tags: &str) -> Response {
    server.get(PATH).header("If-None-Match", tags).send().await.unwrap()
}

/// What lets an answer be kept, and by whom.
fn assert_kept(answer: &Response, tag: &str) {
    assert_eq!(header(answer, "etag"), Some(tag));
    assert_eq!(header(answer, "cache-control"), Some("public, max-age=300"));
    assert_eq!(header(answer, "access-control-allow-origin"), Some("*"));
    assert_eq!(header(answer, "access-control-allow-credentials"), None);
    assert_eq!(header(answer, "x-content-type-options"), Some("nosniff"));
    assert_eq!(header(answer, "referrer-policy"), Some("no-referrer"));
    assert!(header(answer, "x-request-id").is_some());
}

async fn tag(server: &Server) -> String {
    header(&get(server).await, "etag").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_are_published_with_their_public_parameters_alone() {
    let server = Server::start().await;
    let answered = get(&server).await;
    assert_eq!(answered.status(), StatusCode::OK);
    assert_eq!(header(&answered, "content-type"), Some("application/jwk-set+json"));
    let document: Value = answered.json().await.unwrap();
    assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
    let [key] = &document["keys"].as_array().unwrap()[..] else { panic!("not one key: {document}") };
    let mut names: Vec<_> = key.as_object().unwrap().keys().collect();
    names.sort_unstable();
    assert_eq!(names, ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(
        ["kty", "crv", "use", "alg"].map(|name| text(key, &format!("/{name}"))),
        ["OKP", "Ed25519", "sig", "EdDSA"]
    );
    let registered = server.register("ann@example.com").await;
    assert_eq!(text(key, "/kid"), super::kid(text(&registered, "/accessToken")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_may_be_kept_and_read_by_everybody() {
    let server = Server::start().await;
    let answered = server.get(PATH).header("Origin", "https://anybody.example").send().await.unwrap();
    let tag = header(&answered, "etag").unwrap().to_owned();
    assert!(tag.len() > 8 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    assert_kept(&answered, &tag);
    assert_eq!(answered.bytes().await.unwrap(), get(&server).await.bytes().await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_all_origins_read_it_also_where_some_are_listed() {
    let server = Server::start_with("[http]\ncors_origins = [\"https://app.example.com\"]\n").await;
    let mut allowed = Vec::new();
    for origin in ["https://app.example.com", "https://anybody.example"] {
        let answered = server.get(PATH).header("Origin", origin).send().await.unwrap();
        assert_eq!(answered.status(), StatusCode::OK);
        allowed.push(header(&answered, "access-control-allow-origin").map(str::to_owned));
        // One origin's answer must not be kept for another's.
        assert!(header(&answered, "vary").is_some_and(|vary| vary.contains("origin")), "{answered:?}");
    }
    assert_eq!(allowed, [Some("https://app.example.com".to_owned()), Some("*".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_that_has_the_keys_is_told_so_without_them() {
    let server = Server::start().await;
    let tag = tag(&server).await;
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answered = if_none_match(&server, &known).await;
        assert_eq!(answered.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_kept(&answered, &tag);
        assert_eq!(answered.bytes().await.unwrap().len(), 0);
    }
    for unknown in ["\"other\"", "", tag.trim_matches('"')] {
        assert_eq!(if_none_match(&server, unknown).await.status(), StatusCode::OK, "{unknown}");
    }
    rotate(&server, Rotation::Routine).await;
    let answered = if_none_match(&server, &tag).await;
    assert_eq!(answered.status(), StatusCode::OK, "there is another key");
    assert_ne!(header(&answered, "etag"), Some(&*tag));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_has_the_headers_alone() {
    let server = Server::start().await;
    let whole = get(&server).await;
    let head = server.request(Method::HEAD, PATH).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::OK);
    assert_kept(&head, header(&whole, "etag").unwrap());
    for name in ["content-type", "content-length"] {
        assert!(header(&head, name).is_some(), "{name}");
        assert_eq!(header(&head, name), header(&whole, name), "{name}");
    }
    assert_eq!(head.bytes().await.unwrap().len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_method_is_refused_and_that_is_not_kept() {
    let server = Server::start().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answered = server.request(method.clone(), PATH).send().await.unwrap();
        assert_eq!(answered.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(header(&answered, "allow"), Some("GET,HEAD"));
        assert_eq!(header(&answered, "content-type"), Some("application/problem+json"));
        assert_eq!(header(&answered, "cache-control"), Some("no-store"));
    }
    for path in ["/.well-known/jwks.json/", "/.well-known/jwks", "/.well-known", "/.well-known/JWKS.json"] {
        assert_eq!(server.get(path).send().await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_stays_where_it_is_wherever_the_dialects_are() {
    let prefixes =
        ["iron", "rest", "x_access_token", "argon"].map(|name| format!("[{name}]\nprefix = \"/.well-known\"\n"));
    let server = Server::start_with(&prefixes.concat()).await;
    assert_eq!(published(&server).await.len(), 1);
    assert_eq!(server.get("/.well-known/users/me").send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let switched_off = ["iron", "rest", "x_access_token", "argon"].map(|name| format!("[{name}]\nenabled = false\n"));
    let server = Server::start_with(&switched_off.concat()).await;
    let (status, document) = answer(server.get(&format!("{PATH}?a=b"))).await;
    assert_eq!((status, kids(&document).len()), (StatusCode::OK, 1));
}
