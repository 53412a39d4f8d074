//! `POST /auth/login` and `POST /auth`.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::{assert_failure, fields, login, set_status, text, with_ann};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED, answer, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_tells_why_a_login_failed() {
    let server = Server::start().await;
    for name in ["ann", "disabled", "passwordless"] {
        server.register(&format!("{name}@example.com")).await;
    }
    set_status(&server, "disabled@example.com", "disabled").await;
    server.database().execute("update users set password = null where email = 'passwordless@example.com'");
    let attempt = |email: &str, password: &str| {
        whole(server.post("/auth/login").json(&json!({"email": email, "password": password})))
    };
    let wrong = attempt("ann@example.com", "not the password").await;
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    assert_eq!(wrong.1[WWW_AUTHENTICATE], "Bearer realm=\"doorward\"");
    assert_failure(&(wrong.0, serde_json::from_str(&wrong.2).unwrap()), StatusCode::UNAUTHORIZED);
    let others = [
        ("nobody@example.com", PASSWORD),
        ("disabled@example.com", PASSWORD),
        ("disabled@example.com", "not the password"),
        ("passwordless@example.com", PASSWORD),
        ("passwordless@example.com", ""),
        ("ann@example.com", ""),
        ("no address", PASSWORD),
        ("", PASSWORD),
        ("ann@example.com\u{0}", PASSWORD),
        ("ann@example.com'--", PASSWORD),
    ];
    for (email, password) in others {
        assert_eq!(attempt(email, password).await, wrong, "{email:?} {password:?}");
    }
    assert_eq!(login(&server, "ann@example.com", PASSWORD).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_login_is_a_bad_request() {
    let server = Server::start().await;
    let cases = [
        (json!({}), vec!["email", "password"]),
        (json!({"email": "ann@example.com"}), vec!["password"]),
        (json!({"email": null, "password": PASSWORD}), vec!["email"]),
        (json!({"email": ["ann@example.com"], "password": PASSWORD}), vec!["email"]),
        (json!({"email": {"$ne": null}, "password": {"$ne": null}}), vec!["email", "password"]),
        (json!({"email": 5, "password": 12_345_678}), vec!["email", "password"]),
    ];
    for (body, expected) in cases {
        assert_eq!(fields(&server.post_json("/auth/login", &body).await), expected, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_email_is_found_by_its_canonical_form_and_by_no_other() {
    let server = Server::start().await;
    server.register("mike@example.com").await;
    // The Kelvin sign is K by Unicode's own canonical form.
    for email in ["MIKE@EXAMPLE.COM", "mi\u{212a}e@example.com", "mike@\u{ff45}xample.com"] {
        assert_eq!(login(&server, email, PASSWORD).await.0, StatusCode::OK, "{email}");
    }
    for email in
        ["m\u{131}ke@example.com", "m\u{130}ke@example.com", "\u{ff4d}ike@example.com", "mi\u{301}ke@example.com"]
    {
        assert_eq!(login(&server, email, PASSWORD).await.0, StatusCode::UNAUTHORIZED, "{email}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_username_is_no_email() {
    let server = Server::start().await;
    let body = json!({"username": "ann", "password": PASSWORD});
    let (status, registered) = server.post_json("/api/auth/register", &body).await;
    assert!(status.is_success(), "{status} {registered}");
    assert_eq!(login(&server, "ann", PASSWORD).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_of_another_dialect_is_shown_by_username() {
    let server = Server::start().await;
    let (_, registered) =
        server.post_json("/api/auth/register", &json!({"username": "Ann", "password": PASSWORD})).await;
    let (status, welcome) = answer(server.post("/auth").bearer_auth(text(&registered, "/token"))).await;
    assert_eq!(status, StatusCode::OK, "{welcome}");
    assert_eq!(welcome, json!({"message": "Welcome Ann", "user": {"name": "Ann", "bio": null, "email": ""}}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_one_good_credential_is_welcome() {
    let (server, token) = with_ann().await;
    for value in [format!("Bearer {token}"), format!("bearer {token}"), format!("BEARER   {token}")] {
        assert_eq!(answer(server.post("/auth").header("Authorization", value)).await.0, StatusCode::OK);
    }
    let twice = server.post("/auth").bearer_auth(&token).bearer_auth(&token);
    assert_eq!(answer(twice).await.0, StatusCode::OK, "the same twice is one");
    let refused = [
        server.post("/auth"),
        server.post("/auth").header("Authorization", ""),
        server.post("/auth").header("Authorization", "Bearer"),
        server.post("/auth").header("Authorization", "Bearer "),
        server.post("/auth").header("Authorization", &token),
        server.post("/auth").header("Authorization", format!("Bearer {token} {token}")),
        server.post("/auth").header("Authorization", format!("OAuth {token}")),
        server.post("/auth").header("Authorization", format!("Basic {token}")),
        server.post("/auth").basic_auth("ann@example.com", Some(PASSWORD)),
        server.post("/auth").bearer_auth(&token).bearer_auth(ADMIN_TOKEN),
        server.post("/auth").bearer_auth(format!("{token}x")),
        server.post("/auth").bearer_auth("a.b.c"),
        server.post("/auth").bearer_auth("a".repeat(10_000)),
        server.post(&format!("/auth?access_token={token}")),
        server.post(&format!("/auth?oauth={token}")),
        server.post("/auth").header("x-access-token", &token),
    ];
    for request in refused {
        let sent = format!("{request:?}");
        let (status, headers, body) = whole(request).await;
        assert_failure(&(status, serde_json::from_str(&body).unwrap()), StatusCode::UNAUTHORIZED);
        assert_eq!(headers[WWW_AUTHENTICATE], "Bearer realm=\"doorward\"", "{sent}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_is_welcome_too() {
    let server = Server::start().await;
    let (status, welcome) = answer(server.post("/auth").bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(status, StatusCode::OK, "{welcome}");
    assert_eq!(text(&welcome, "/user/email"), ADMIN_EMAIL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_time_to_hash_says_when_to_come_again() {
    let settings = format!("{UNTHROTTLED}[passwords]\nthreads = 1\nmax_wait = \"1ms\"");
    let server = Server::start_with(&settings).await;
    let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let attempts = (0..24).map(|_| tokio::spawn(server.post("/auth/login").json(&body).send()));
    let mut busy = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let answer = attempt.await.unwrap().unwrap();
        if answer.status() == StatusCode::OK {
            continue;
        }
        busy += 1;
        let wait: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=60).contains(&wait), "{wait}");
        let got = (answer.status(), answer.json::<Value>().await.unwrap());
        assert_failure(&got, StatusCode::SERVICE_UNAVAILABLE);
    }
    assert!(busy > 0, "24 hashes at once on one thread");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(login(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await.0, StatusCode::OK);
}
