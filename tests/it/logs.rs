//! What the real program writes to its log, and what it never does.

mod program;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use self::program::Program;
use crate::harness::{ADMIN_PASSWORD, ADMIN_TOKEN};

/// In everything that a test's client chooses, and so in no line of the log.
const PLANTED: &str = "planted";

const USER_PASSWORD: &str = "planted pass phrase";

/// Requests that carry a secret in every place that a request has, with the templates of their routes.
const REQUESTS: [(&str, &str, &str); 17] = [
    ("POST", "/auth?oauth=planted&token=planted", "/auth"),
    ("POST", "/auth/login?planted=planted", "/auth/login"),
    ("POST", "/auth/reset-password?token=planted", "/auth/reset-password"),
    ("POST", "/auth/verify-email?token=planted", "/auth/verify-email"),
    ("POST", "/auth/refresh-tokens", "/auth/refresh-tokens"),
    ("POST", "/auth/forgot-password", "/auth/forgot-password"),
    ("POST", "/auth/planted", "unmatched"),
    ("GET", "/1/users/planted@example.com?oauth=planted", "/1/users/{user}"),
    ("DELETE", "/1/tokens/planted", "/1/tokens/{token}"),
    ("GET", "/1/authentication?project_id=planted&oauth=planted", "/1/authentication"),
    ("GET", "/users/me?token=planted", "/users/me"),
    ("POST", "/api/auth/login", "/api/auth/login"),
    ("PUT", "/api/auth/profile", "/api/auth/profile"),
    ("PLANTED", "/1/users/planted", "/1/users/{user}"),
    ("PLANTED", "/planted", "unmatched"),
    ("GET", "/healthz?planted", "/healthz"),
    ("GET", "/.well-known/jwks.json?planted", "/.well-known/jwks.json"),
];

async fn ask(program: &Program, method: &str, path: &str) -> Response {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = program.client.request(method, program.url(path));
    for name in ["X-Access-Token", "X-Api-Key", "Cookie", "User-Agent", "Referer", "X-Forwarded-For", "X-Request-Id"] {
        request = request.header(name, PLANTED);
    }
    let body = json!({
        "email": "planted@example.com", "username": PLANTED, "password": PLANTED, "refreshToken": PLANTED,
        "newPassword": PLANTED, "currentPassword": PLANTED, "token": PLANTED,
    });
    request.bearer_auth(PLANTED).json(&body).send().await.unwrap()
}

/// Signs a user up, in and out, with mails; the secrets that came up.
async fn live_through(program: &Program) -> Vec<String> {
    let register = json!({
        "name": "Planted", "email": "planted@example.com", "password": USER_PASSWORD, "confirm": USER_PASSWORD,
    });
    let request = program.client.post(program.url("/auth/register")).json(&register);
    let session: Value = request.send().await.unwrap().json().await.unwrap();
    let [access, refresh] = ["accessToken", "refreshToken"].map(|name| session[name].as_str().unwrap().to_owned());
    for (path, body) in [
        ("/auth/send-verification-email", json!({})),
        ("/auth/forgot-password", json!({"email": "planted@example.com"})),
        ("/auth/refresh-tokens", json!({"refreshToken": refresh})),
        ("/auth/logout", json!({"refreshToken": refresh})),
    ] {
        let request = program.client.post(program.url(path)).bearer_auth(&access).json(&body);
        assert_eq!(request.send().await.unwrap().status(), 200, "{path}");
    }
    let made = program.client.post(program.url("/1/tokens")).bearer_auth(ADMIN_TOKEN).json(&json!({"name": "x"}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let token = made["token"]["token"].as_str().unwrap().to_owned();
    vec![access, refresh, token, USER_PASSWORD.to_owned(), ADMIN_TOKEN.to_owned(), ADMIN_PASSWORD.to_owned()]
}

fn assert_holds_none(lines: &[String], secrets: &[String]) {
    for line in lines {
        assert!(!line.to_lowercase().contains(PLANTED), "{line}");
        for secret in secrets {
            assert!(!line.contains(secret.as_str()), "{secret} is in {line}");
            // The signature of a token is as good as the token.
            let tail = secret.rsplit('.').next().unwrap();
            assert!(!line.contains(tail), "{tail} is in {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_has_one_json_line_and_no_secret_of_it_is_written_at_any_level() {
    let program = Program::start(&["--log-format", "json"], "trace");
    let mut expected = HashMap::new();
    for (method, path, route) in REQUESTS {
        let answer = ask(&program, method, path).await;
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        let method = if method == "PLANTED" { "OTHER" } else { method };
        assert!(expected.insert(id, (method, route, answer.status().as_u16())).is_none());
    }
    let secrets = live_through(&program).await;
    program.terminate();
    let (status, lines) = tokio::task::spawn_blocking(|| program.ended()).await.unwrap();
    assert!(status.success(), "{status}");

    assert_holds_none(&lines, &secrets);
    for line in &lines {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(["timestamp", "level", "message", "target"].iter().all(|name| line[name].is_string()), "{line}");
        if line["target"] != "doorward::request" {
            continue;
        }
        let Some((method, route, status)) = expected.remove(line["request_id"].as_str().unwrap()) else { continue };
        assert_eq!((&line["method"], &line["route"], &line["status"]), (&json!(method), &json!(route), &json!(status)));
        assert!(line["micros"].as_u64().is_some_and(|micros| micros > 0), "{line}");
    }
    assert!(expected.is_empty(), "without a line: {expected:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_people_each_request_is_one_line_of_text() {
    let program = Program::start(&[], "debug");
    let mut ids = Vec::new();
    for (method, path, route) in REQUESTS {
        let answer = ask(&program, method, path).await;
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        ids.push((id, format!("route=\"{route}\" status={}", answer.status().as_u16())));
    }
    let secrets = live_through(&program).await;
    program.terminate();
    let (_, lines) = tokio::task::spawn_blocking(|| program.ended()).await.unwrap();
    assert_holds_none(&lines, &secrets);
    for (id, said) in ids {
        let of_it: Vec<_> = lines.iter().filter(|line| line.contains(&id)).collect();
        assert!(of_it.len() == 1 && of_it[0].contains(&said) && of_it[0].contains("micros="), "{id}: {of_it:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_terminated_program_answers_what_is_in_flight_and_ends_well() {
    let program = Program::start(&["--log-format", "json"], "info");
    let mut busy = TcpStream::connect(&program.address).await.unwrap();
    let head = "POST /auth/login HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut told = [0; 25];
    busy.read_exact(&mut told).await.unwrap();
    assert_eq!(&told, b"HTTP/1.1 100 Continue\r\n\r\n");
    program.terminate();
    // Until it has heard of it, it still takes connections.
    while TcpStream::connect(&program.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    busy.write_all(b"{}").await.unwrap();
    let mut answer = String::new();
    busy.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("email is required"), "{answer}");
    let (status, lines) = tokio::task::spawn_blocking(|| program.ended()).await.unwrap();
    assert!(status.success(), "{status}");
    assert!(lines.iter().any(|line| line.contains("SIGTERM")), "{lines:?}");
}

/// Runs in a process of its own, by the test below.
#[test]
#[ignore = "panics on purpose"]
fn panic_with_the_log_set_up() {
    doorward::telemetry::init("info", doorward::telemetry::Format::Json).unwrap();
    doorward::telemetry::log_panics();
    let panicking = std::thread::Builder::new().name("worker".to_owned()).spawn(|| panic!("out of luck"));
    assert!(panicking.unwrap().join().is_err());
}

#[test]
fn a_panic_is_one_line_of_the_log_like_any_other() {
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output =
        again.args(["--ignored", "--exact", "logs::panic_with_the_log_set_up", "--nocapture"]).output().unwrap();
    let written = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 1, "{written}");
    assert_eq!((&lines[0]["thread"], &lines[0]["cause"]), (&json!("worker"), &json!("out of luck")));
    assert!(lines[0]["place"].as_str().unwrap().contains("logs.rs"), "{written}");
}
