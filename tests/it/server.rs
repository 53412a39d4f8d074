//! The server around the dialects: what it answers where none of them does, what it puts around
//! all of their answers, and how it ends.

mod limits;
mod malformed;
mod oddities;
mod shortcuts;
mod tls;
pub(crate) mod wire;

use std::time::{Duration, Instant};

use reqwest::{Client, Method, Response, StatusCode, Version};
use serde_json::{Value, json};
use tokio::time::sleep;

use self::wire::Wire;
use crate::harness::{Server, answer};

/// Asserts that an answer carries what every answer does.
fn assert_protected(header: impl Fn(&str) -> Option<String>) {
    assert_not_kept(&header);
    let id = header("x-request-id").unwrap_or_default();
    assert!(id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "request id {id:?}");
}

/// The headers of every answer, also of one that no route gave.
fn assert_not_kept(header: impl Fn(&str) -> Option<String>) {
    assert_eq!(header("cache-control").as_deref(), Some("no-store"));
    assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"));
    assert_eq!(header("referrer-policy").as_deref(), Some("no-referrer"));
}

/// Whether a body is an error as the rest dialect writes one.
fn is_rest_error(body: &Value) -> bool {
    ["code", "message", "error"].iter().all(|field| body.get(field).is_some())
}

fn header(answer: &Response, name: &str) -> Option<String> {
    answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

async fn assert_problem(answer: Response, status: u16) {
    assert_eq!(answer.status().as_u16(), status, "{answer:?}");
    assert_eq!(header(&answer, "content-type").as_deref(), Some("application/problem+json"));
    assert_protected(|name| header(&answer, name));
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["type"], &body["status"]), (&json!("about:blank"), &json!(status)));
    assert!(
        ["title", "detail"].iter().all(|field| body[field].as_str().is_some_and(|text| !text.is_empty())),
        "{body}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_says_that_it_lives_and_that_it_is_ready() {
    let server = Server::start().await;
    assert_eq!(answer(server.get("/healthz")).await, (StatusCode::OK, json!({"status": "alive"})));
    assert_eq!(answer(server.get("/readyz")).await, (StatusCode::OK, json!({"status": "ready"})));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_not_ready_without_its_database() {
    let server = Server::start().await;
    server.database().vanish();
    let answered = server.get("/readyz").send().await.unwrap();
    assert_problem(answered, 503).await;
    assert_eq!(answer(server.get("/healthz")).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_belongs_to_no_dialect_is_answered_by_a_problem() {
    let server = Server::start().await;
    for path in ["/nowhere", "/authentic", "/2/users", "/apis", "/userss"] {
        assert_problem(server.get(path).send().await.unwrap(), 404).await;
    }
    let wrong = server.post("/healthz").send().await.unwrap();
    assert_eq!(header(&wrong, "allow").as_deref(), Some("GET,HEAD"));
    assert_problem(wrong, 405).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_of_a_dialect_are_refused_in_its_shape() {
    let server = Server::start().await;
    for (root, route, field, sentence) in [
        ("/auth", "/auth/login", "code", "message"),
        ("/1", "/1/clusters", "msg", "msg"),
        ("/users", "/users/login", "success", "message"),
        ("/api", "/api/auth/login", "error", "error"),
    ] {
        for (method, path, status) in
            [(Method::GET, format!("{root}/nowhere"), 404), (Method::PUT, route.to_owned(), 405)]
        {
            let answered = server.request(method, &path).send().await.unwrap();
            assert_eq!((answered.status().as_u16(), answered.headers().contains_key("allow")), (status, status == 405));
            assert_eq!(header(&answered, "content-type").as_deref(), Some("application/json"), "{path}");
            assert_protected(|name| header(&answered, name));
            let body: Value = answered.json().await.unwrap();
            assert!(!body[field].is_null() && body[sentence].is_string(), "{path}: {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialect_that_is_switched_off_is_not_there() {
    let server = Server::start_with("[rest]\nenabled = false\n[argon]\nenabled = false\n").await;
    for path in ["/auth", "/auth/login", "/auth/nowhere", "/api/auth/login"] {
        assert_problem(server.post(path).send().await.unwrap(), 404).await;
    }
    assert_eq!(server.post("/1/authentication").send().await.unwrap().status(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_moves_a_dialect_with_its_refusals() {
    let server = Server::start_with("[rest]\nprefix = \"/v1\"\n[iron]\nprefix = \"/iron\"\n").await;
    let (status, body) = server.post_json("/v1/auth/login", &json!({})).await;
    assert_eq!((status.as_u16(), is_rest_error(&body)), (400, true), "{body}");
    let (status, body) = answer(server.get("/v1/auth/nowhere")).await;
    assert_eq!((status.as_u16(), is_rest_error(&body)), (404, true), "{body}");
    let (status, body) = answer(server.get("/v1/auth/login")).await;
    assert_eq!((status.as_u16(), is_rest_error(&body)), (405, true), "{body}");
    for path in [
        "/auth/login",
        "/auth",
        "/v1",
        "/v1/",
        "/v1/nowhere",
        "/v1auth/login",
        "/v1/v1/auth/login",
        "/1/users",
        "/v1/1/users",
    ] {
        assert_problem(server.post(path).send().await.unwrap(), 404).await;
    }
    let (status, body) = answer(server.get("/iron/1/nowhere")).await;
    assert_eq!((status.as_u16(), body["msg"].is_string()), (404, true), "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_2_is_spoken_in_clear_to_those_who_know() {
    let server = Server::start().await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    for (path, status) in [("/healthz", 200), ("/auth/nowhere", 404), ("/1/users", 401)] {
        let answered = client.get(format!("{}{path}", server.base)).send().await.unwrap();
        assert_eq!((answered.version(), answered.status().as_u16()), (Version::HTTP_2, status));
        assert_protected(|name| header(&answered, name));
    }
    let large = client.post(format!("{}/auth/login", server.base)).body("a".repeat(1_048_577)).send().await.unwrap();
    assert_eq!((large.version(), large.status().as_u16()), (Version::HTTP_2, 413));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_connection_serves_many_requests() {
    let server = Server::start().await;
    let mut wire = Wire::to(&server).await;
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        wire.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 200);
        assert!(seen.insert(reply.header("x-request-id").unwrap().to_owned()), "a request's number came twice");
    }
}

async fn from_origin(server: &Server, method: Method, origin: &str) -> Response {
    let request = server.request(method, "/auth/login").header("Origin", origin);
    request.header("Access-Control-Request-Method", "POST").send().await.unwrap()
}

fn cors_headers(answer: &Response) -> Vec<&str> {
    answer
        .headers()
        .keys()
        .map(reqwest::header::HeaderName::as_str)
        .filter(|name| name.starts_with("access-control-"))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_of_another_origin_may_call_unless_told() {
    let server = Server::start().await;
    for method in [Method::OPTIONS, Method::POST, Method::GET] {
        let answered = from_origin(&server, method, "https://app.example.com").await;
        assert!(answered.status().is_client_error());
        assert_eq!(cors_headers(&answered), Vec::<&str>::new());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_of_listed_origins_may_call_and_no_others() {
    let server = Server::start_with("[http]\ncors_origins = [\"https://app.example.com\"]\n").await;
    let preflight = from_origin(&server, Method::OPTIONS, "https://app.example.com").await;
    assert_eq!(preflight.status(), 200);
    assert_eq!(header(&preflight, "access-control-allow-origin").as_deref(), Some("https://app.example.com"));
    assert!(header(&preflight, "access-control-allow-methods").unwrap().contains("PATCH"));
    assert!(header(&preflight, "access-control-allow-headers").unwrap().contains("x-access-token"));
    assert!(header(&preflight, "vary").unwrap().contains("origin"));
    assert_protected(|name| header(&preflight, name));

    let call = from_origin(&server, Method::POST, "https://app.example.com").await;
    assert_eq!(call.status(), 400);
    assert_eq!(header(&call, "access-control-allow-origin").as_deref(), Some("https://app.example.com"));
    assert!(header(&call, "access-control-expose-headers").unwrap().contains("x-request-id"));

    for origin in
        ["https://app.example.com.evil.example", "http://app.example.com", "https://APP.example.com:444", "null"]
    {
        for method in [Method::OPTIONS, Method::POST] {
            let answered = from_origin(&server, method, origin).await;
            assert_eq!(header(&answered, "access-control-allow-origin"), None, "{origin}");
            assert_eq!(header(&answered, "access-control-allow-credentials"), None, "{origin}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_answers_what_is_in_flight_and_takes_no_more() {
    let mut server = Server::start().await;
    let (mut busy, mut idle) = (Wire::to(&server).await, Wire::to(&server).await);
    idle.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(idle.reply().await.unwrap().status, 200);
    busy.send("POST /auth/login HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").await;
    // The handler waits for the body now.
    assert_eq!(busy.head().await.unwrap().status, 100);
    let base = server.base.clone();
    let client = server.client.clone();
    let stopping = tokio::spawn(async move { server.stop().await });
    assert!(idle.is_closed().await, "an idle connection was kept");
    assert!(client.get(format!("{base}/healthz")).send().await.is_err(), "a new connection was taken");
    assert!(!stopping.is_finished(), "it did not wait for what was in flight");
    busy.send("{}").await;
    let reply = busy.reply().await.expect("what was in flight is answered");
    assert_eq!((reply.status, is_rest_error(&reply.json())), (400, true));
    stopping.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopping_server_does_not_wait_for_ever() {
    let mut server = Server::start_with("[http]\nshutdown_grace = \"300ms\"\n").await;
    let mut stuck = Wire::to(&server).await;
    stuck.send("POST /auth/login HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n").await;
    sleep(Duration::from_millis(100)).await;
    let started = Instant::now();
    server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5), "it took {:?}", started.elapsed());
    assert!(stuck.is_closed().await);
}
