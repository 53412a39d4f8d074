//! `POST /auth/send-verification-email` and `POST /auth/verify-email`.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::json;

use super::{
    assert_failure, create_api_token, fields, reset_token, text, verification_token, verified_at, verify, welcome,
    with_ann,
};
use crate::harness::{PASSWORD, Server, answer};

const SEND: &str = "/auth/send-verification-email";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mailed_token_proves_its_bearers_address_once() {
    let server = Server::start_with("public_url = \"https://id.example.com\"").await;
    let ann = server.register("Ann@example.com").await;
    let bearer = text(&ann, "/accessToken");
    assert_eq!(verified_at(&server, "Ann@example.com"), None);
    let token = verification_token(&server, bearer).await;
    let mail = server.mails().pop().unwrap();
    assert!(mail.contains("To: Ann@example.com\r\n"), "{mail}");
    assert!(mail.contains(&format!("https://id.example.com/verify-email?token={token}\r\n")), "{mail}");
    let (status, body) = verify(&server, bearer, &token).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert!(!text(&body, "/message").is_empty());
    assert_eq!(verified_at(&server, "Ann@example.com"), Some(server.clock.now().micros()));
    assert_failure(&verify(&server, bearer, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(welcome(&server, bearer).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_else_uses_or_spoils_a_token() {
    let server = Server::start().await;
    let ann = server.register("ann@example.com").await;
    let eve = server.register("eve@example.com").await;
    let (ann, eve) = (text(&ann, "/accessToken"), text(&eve, "/accessToken"));
    let token = verification_token(&server, ann).await;
    assert_failure(&verify(&server, eve, &token).await, StatusCode::UNAUTHORIZED);
    let anonymous = answer(server.post(&format!("/auth/verify-email?token={token}"))).await;
    assert_failure(&anonymous, StatusCode::UNAUTHORIZED);
    assert_eq!(verified_at(&server, "eve@example.com"), None);
    assert_eq!(verified_at(&server, "ann@example.com"), None);
    assert_eq!(verify(&server, ann, &token).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_a_verification_token_verifies() {
    let server = Server::start().await;
    let ann = server.register("ann@example.com").await;
    let bearer = text(&ann, "/accessToken");
    let reset = reset_token(&server, "ann@example.com").await;
    for bad in ["", "x", &reset, bearer, text(&ann, "/refreshToken")] {
        assert_failure(&verify(&server, bearer, bad).await, StatusCode::UNAUTHORIZED);
    }
    let missing = answer(server.post("/auth/verify-email").bearer_auth(bearer)).await;
    assert_failure(&missing, StatusCode::UNAUTHORIZED);
    assert_eq!(super::reset(&server, &reset, "another pass phrase").await.0, StatusCode::OK, "it was not spoilt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verification_token_lives_a_day() {
    let server = Server::start_with("[rest]\naccess_lifetime = \"3d\"").await;
    let ann = server.register("ann@example.com").await;
    let bearer = text(&ann, "/accessToken");
    let token = verification_token(&server, bearer).await;
    server.clock.advance(Duration::from_hours(24));
    assert_failure(&verify(&server, bearer, &token).await, StatusCode::UNAUTHORIZED);
    let token = verification_token(&server, bearer).await;
    server.clock.advance(Duration::from_hours(24) - Duration::from_micros(1));
    assert_eq!(verify(&server, bearer, &token).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_neither_asks_for_a_mail_nor_verifies() {
    let (server, bearer) = with_ann().await;
    let api_token = create_api_token(&server, &bearer).await;
    assert_failure(&answer(server.post(SEND).bearer_auth(&api_token)).await, StatusCode::FORBIDDEN);
    let token = verification_token(&server, &bearer).await;
    assert_failure(&verify(&server, &api_token, &token).await, StatusCode::FORBIDDEN);
    assert_eq!(verify(&server, &bearer, &token).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_needs_a_bearer_and_an_address() {
    let server = Server::start().await;
    assert_failure(&answer(server.post(SEND)).await, StatusCode::UNAUTHORIZED);
    let (_, registered) =
        server.post_json("/api/auth/register", &json!({"username": "ann", "password": PASSWORD})).await;
    let got = answer(server.post(SEND).bearer_auth(text(&registered, "/token"))).await;
    assert_eq!(fields(&got), ["email"]);
    assert!(server.mails().is_empty());
}

/// CVE-2020-5300.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_requests_with_one_token_one_succeeds() {
    let (server, bearer) = with_ann().await;
    let token = verification_token(&server, &bearer).await;
    let attempts = (0..64)
        .map(|_| tokio::spawn(answer(server.post(&format!("/auth/verify-email?token={token}")).bearer_auth(&bearer))));
    let mut succeeded = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let got = attempt.await.unwrap();
        if got.0 == StatusCode::OK {
            succeeded += 1;
        } else {
            assert_failure(&got, StatusCode::UNAUTHORIZED);
        }
    }
    assert_eq!(succeeded, 1);
}
