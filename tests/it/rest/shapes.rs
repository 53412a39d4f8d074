//! What holds for every route: the shape of refusals, what bodies are taken, the headers.

use std::time::Duration;

use reqwest::header::{ALLOW, CONTENT_TYPE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATHS, assert_failure, fields, login, reset_token, text, with_ann};
use crate::harness::{PASSWORD, Server, answer};

/// The paths that read a body.
const FORMS: [&str; 6] = [
    "/auth/register",
    "/auth/login",
    "/auth/logout",
    "/auth/refresh-tokens",
    "/auth/forgot-password",
    "/auth/reset-password",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_without_a_route_is_told_in_the_dialects_shape() {
    let server = Server::start().await;
    for path in ["/auth/", "/auth/nothing", "/auth/login/", "/auth/login/x", "/auth/%00", "/auth/LOGIN"] {
        for method in [Method::GET, Method::POST, Method::DELETE] {
            assert_failure(&answer(server.request(method, path)).await, StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_method_is_told_which_one_is_taken() {
    let server = Server::start().await;
    for path in PATHS {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
            let sent = server.request(method.clone(), path).send().await.unwrap();
            assert_eq!(sent.headers()[ALLOW], "POST", "{method} {path}");
            let got = (sent.status(), sent.json().await.unwrap());
            assert_failure(&got, StatusCode::METHOD_NOT_ALLOWED);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_moves_the_dialect_whole() {
    let server = Server::start_with("[rest]\nprefix = \"/v1\"").await;
    assert_failure(&answer(server.post("/v1/auth")).await, StatusCode::UNAUTHORIZED);
    assert_failure(&answer(server.post("/v1/auth/nothing")).await, StatusCode::NOT_FOUND);
    assert_failure(&answer(server.get("/v1/auth")).await, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer(server.post("/auth")).await.0, StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_json_object_is_a_bad_request() {
    let server = Server::start().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deeper_field = format!("{{\"email\":{deep}}}");
    let deep_objects = format!("{}1{}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    let bodies: [&[u8]; 16] = [
        b"",
        b" \n",
        b"{",
        b"{}x",
        b"{\"email\":}",
        b"[]",
        b"null",
        b"\"email\"",
        b"{\"email\":\"\xff\"}",
        b"{\"email\":\"\\ud800\"}",
        b"\xef\xbb\xbf{}",
        b"email=ann%40example.com&password=x",
        b"{\"email\":\"a@example.com\",\"email\":\"b@example.com\",\"password\":\"correct horse\"}",
        deep.as_bytes(),
        deeper_field.as_bytes(),
        deep_objects.as_bytes(),
    ];
    for path in FORMS {
        for body in bodies {
            let request = server.post(path).header(CONTENT_TYPE, "application/json").body(body.to_vec());
            let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            assert_eq!(fields(&answer(request).await), ["body"], "{path} {shown}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_is_json_whatever_its_type_says() {
    let (server, _) = with_ann().await;
    let body = json!({"email": "ann@example.com", "password": PASSWORD}).to_string();
    for kind in ["application/json; charset=utf-8", "text/plain", "multipart/form-data", "?"] {
        let request = server.post("/auth/login").header(CONTENT_TYPE, kind).body(body.clone());
        assert_eq!(answer(request).await.0, StatusCode::OK, "{kind}");
    }
    assert_eq!(answer(server.post("/auth/login").body(body)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forms_are_taken_wherever_json_is() {
    let server = Server::start().await;
    let email = ("email", "ann+test@example.com");
    let registration = [("name", "Ann Lee & Co"), email, ("password", PASSWORD), ("confirm", PASSWORD)];
    let (status, registered) = answer(server.post("/auth/register").form(&registration)).await;
    assert_eq!(status, StatusCode::CREATED, "{registered}");
    assert_eq!(registered["user"]["name"], "Ann Lee & Co");
    assert_eq!(registered["user"]["email"], email.1);
    let (status, body) = answer(server.post("/auth/login").form(&[email, ("password", PASSWORD)])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let token = text(&body, "/refreshToken").to_owned();
    let (status, body) = answer(server.post("/auth/refresh-tokens").form(&[("refreshToken", &token)])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let (status, body) = answer(server.post("/auth/logout").form(&[("refreshToken", &token)])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let reset = reset_token(&server, email.1).await;
    let reset = server.post("/auth/reset-password").query(&[("token", &reset)]);
    let (status, body) = answer(reset.form(&[("password", "another pass phrase")])).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(login(&server, email.1, "another pass phrase").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_form_is_a_bad_request() {
    let server = Server::start().await;
    for body in ["email=a%40example.com&email=b%40example.com", "email=%", "email=%ff", "a=1&%61=2"] {
        for path in FORMS {
            let request = server.post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
            assert_eq!(fields(&answer(request).await), ["body"], "{path} {body}");
        }
    }
    let empty = server.post("/auth/login").header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    assert_eq!(fields(&answer(empty).await), ["email", "password"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refresh_tokens_are_required_texts() {
    let server = Server::start().await;
    for path in ["/auth/logout", "/auth/refresh-tokens"] {
        for body in
            [json!({}), json!({"refreshToken": null}), json!({"refreshToken": 1}), json!({"refreshToken": ["a"]})]
        {
            assert_eq!(fields(&server.post_json(path, &body).await), ["refreshToken"], "{path} {body}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_over_the_limit_is_refused_in_shape() {
    let server = Server::start().await;
    for path in FORMS {
        let (at, over) = (vec![b' '; 1_048_576], vec![b' '; 1_048_577]);
        assert_eq!(fields(&answer(server.post(path).body(at)).await), ["body"]);
        assert_failure(&answer(server.post(path).body(over)).await, StatusCode::PAYLOAD_TOO_LARGE);
    }
}

/// Sends the start of a request, and reads what the server says to it.
async fn send_raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.base.trim_start_matches("http://")).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    let reading = async {
        while !String::from_utf8_lossy(&answer).trim_end().ends_with('}') {
            match stream.read(&mut buffer).await {
                Ok(read) if read > 0 => answer.extend_from_slice(&buffer[..read]),
                _ => break,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// CVE-2014-2828.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_as_huge_is_not_waited_for() {
    let server = Server::start().await;
    let announced = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n{";
    let answer = send_raw(&server, announced).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"code\":413"), "{answer}");
    let chunk = "x".repeat(1_048_577);
    let chunked = format!(
        "POST /auth/login HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{chunk}\r\n",
        chunk.len()
    );
    let answer = send_raw(&server, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("\"code\":413"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_is_refused_in_shape() {
    let server = Server::start_with("[http]\nbody_timeout = \"100ms\"").await;
    let stalled = "POST /auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{";
    let answer = send_raw(&server, stalled).await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"code\":408"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_common_headers_and_its_number() {
    let (server, bearer) = with_ann().await;
    let requests = [
        (server.post("/auth").bearer_auth(&bearer), StatusCode::OK),
        (server.post("/auth/login").json(&json!({})), StatusCode::BAD_REQUEST),
        (server.post("/auth"), StatusCode::UNAUTHORIZED),
        (server.get("/auth/nothing"), StatusCode::NOT_FOUND),
        (server.get("/auth"), StatusCode::METHOD_NOT_ALLOWED),
        (server.post("/auth/login").body(vec![b' '; 1_048_577]), StatusCode::PAYLOAD_TOO_LARGE),
    ];
    let mut numbers = Vec::new();
    for (request, status) in requests {
        let sent = request.header("X-Request-Id", "mine").send().await.unwrap();
        assert_eq!(sent.status(), status);
        assert_common(sent.headers());
        numbers.push(sent.headers()["x-request-id"].to_str().unwrap().to_owned());
        assert!(sent.json::<Value>().await.unwrap().is_object());
    }
    assert!(numbers.iter().all(|number| number.len() == 16 && number != "mine"), "{numbers:?}");
    let count = numbers.len();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), count);
}

fn assert_common(headers: &HeaderMap) {
    for (name, value) in [
        ("content-type", "application/json"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(headers[name], value, "{name}");
        assert_eq!(headers.get_all(name).iter().count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn json_that_is_announced_as_a_form_is_json_all_the_same() {
    let (server, _) = with_ann().await;
    let body = format!(r#" {{"email":"ann@example.com","password":"{PASSWORD}"}}"#);
    let request = server.post("/auth/login").header("Content-Type", "application/x-www-form-urlencoded").body(body);
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}
