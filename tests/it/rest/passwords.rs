//! The policy for new passwords, and how passwords are compared, over HTTP.

use reqwest::StatusCode;
use serde_json::json;

use super::{assert_failure, fields, login};
use crate::harness::{ADMIN_EMAIL, Server, answer};

async fn register(server: &Server, email: &str, password: &str) -> (StatusCode, serde_json::Value) {
    let body = json!({"name": "Ann", "email": email, "password": password, "confirm": password});
    server.post_json("/auth/register", &body).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_refuses_what_is_short_long_common_or_the_login_name() {
    let server = Server::start().await;
    let refused = [
        String::new(),
        "7 chars".to_owned(),
        // Eight code points as typed, four once composed.
        "a\u{308}".repeat(4),
        "x".repeat(1_025),
        "\u{e4}".repeat(513),
        "x".repeat(500_000),
        "password".to_owned(),
        "PassWord".to_owned(),
        "12345678".to_owned(),
        "ann-lee@example.com".to_owned(),
        "ANN-LEE@example.COM".to_owned(),
    ];
    for password in refused {
        let got = register(&server, "Ann-Lee@example.com", &password).await;
        assert_eq!(fields(&got), ["password"], "{}", password.chars().take(40).collect::<String>());
        assert!(!got.1.to_string().contains("xxxx"), "an answer repeats a password");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_policy_asks_for_no_composition() {
    let server = Server::start().await;
    let taken =
        ["qzvjkwpx", "\u{1f600}\u{1f601}\u{1f602}\u{1f603}\u{1f604}\u{1f605}\u{1f606}\u{1f607}", "        a        "];
    for (number, password) in taken.into_iter().map(str::to_owned).chain(["x".repeat(1_024)]).enumerate() {
        let email = format!("user{number}@example.com");
        let (status, body) = register(&server, &email, &password).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert_eq!(login(&server, &email, &password).await.0, StatusCode::OK);
        assert_eq!(login(&server, &email, password.trim()).await.0 == StatusCode::OK, password.trim() == password);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_over_the_limit_is_refused_at_login_before_any_hash() {
    // One hash at a time and no queue: whatever is hashed keeps others from it.
    let server = Server::start_with("[passwords]\nthreads = 1\nmax_wait = \"1ms\"").await;
    let body = json!({"email": ADMIN_EMAIL, "password": "x".repeat(1_025)});
    let attempts = (0..32).map(|_| tokio::spawn(answer(server.post("/auth/login").json(&body))));
    for attempt in attempts.collect::<Vec<_>>() {
        assert_eq!(fields(&attempt.await.unwrap()), ["password"]);
    }
    let huge = login(&server, ADMIN_EMAIL, &"x".repeat(1_000_000)).await;
    assert_eq!(fields(&huge), ["password"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_password_typed_on_two_keyboards_is_one_password() {
    let server = Server::start().await;
    register(&server, "ann@example.com", "pa\u{308}ssword of mine").await;
    assert_eq!(login(&server, "ann@example.com", "p\u{e4}ssword of mine").await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann@example.com", "pa\u{308}ssword of mine").await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann@example.com", "password of mine").await.0, StatusCode::UNAUTHORIZED);
}

/// CVE-2021-3563.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_of_a_password_counts() {
    let server = Server::start().await;
    let start = "a long start ".repeat(6);
    assert!(start.len() > 72);
    for (email, password, others) in [
        ("long@example.com", format!("{start}1"), vec![format!("{start}2"), start.clone(), format!("{start}1 ")]),
        (
            "nul@example.com",
            "correct\0horse battery".to_owned(),
            vec!["correct".to_owned(), "correct\0horse batterY".to_owned(), "correct\0horse battery\0".to_owned()],
        ),
    ] {
        assert_eq!(register(&server, email, &password).await.0, StatusCode::CREATED);
        assert_eq!(login(&server, email, &password).await.0, StatusCode::OK);
        for other in others {
            assert_failure(&login(&server, email, &other).await, StatusCode::UNAUTHORIZED);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_letters_case_of_a_password_counts() {
    let server = Server::start().await;
    register(&server, "ann@example.com", "Correct Horse").await;
    assert_eq!(login(&server, "ann@example.com", "correct horse").await.0, StatusCode::UNAUTHORIZED);
}
