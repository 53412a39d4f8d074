//! What is limited beside guesses of passwords: registrations, mails, and questions who or what there is.

use doorward::domain::token::{ApiTokenSecret, SingleUseSecret};
use doorward::secret::{ExposeSecret as _, random};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BEHIND_A_PROXY, ELSEWHERE, HERE, guesses, wait, with_ann};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};

async fn register(server: &Server, from: &str, email: &str) -> StatusCode {
    let body = json!({"name": "Ann", "email": email, "password": PASSWORD, "confirm": PASSWORD});
    server.post("/auth/register").header("X-Forwarded-For", from).json(&body).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_registers_thirty_users_an_hour() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    for _ in 0..40 {
        assert_eq!(register(&server, HERE, "no address").await, StatusCode::BAD_REQUEST);
    }
    for number in 0..29 {
        assert_eq!(register(&server, HERE, &format!("ann{number}@example.com")).await, StatusCode::CREATED);
    }
    assert_eq!(register(&server, HERE, "ann0@example.com").await, StatusCode::BAD_REQUEST, "it is taken, and counts");
    let body = json!({"username": "ann", "password": PASSWORD});
    let refused = server.post("/api/auth/register").header("X-Forwarded-For", HERE).json(&body).send().await.unwrap();
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()["retry-after"], "120");
    assert_eq!(register(&server, ELSEWHERE, "bob@example.com").await, StatusCode::CREATED);
    wait(&server, 120);
    assert_eq!(register(&server, HERE, "cleo@example.com").await, StatusCode::CREATED);
    assert_eq!(register(&server, HERE, "dan@example.com").await, StatusCode::TOO_MANY_REQUESTS);
    let admin = server.post("/1/users").header("Authorization", format!("OAuth {ADMIN_TOKEN}"));
    let admin = admin.header("X-Forwarded-For", HERE).json(&json!({"email": "eve@example.com", "password": PASSWORD}));
    assert_eq!(answer(admin).await.0, StatusCode::OK, "administrators are not limited");
}

async fn forgot(server: &Server, from: &str, email: &str) -> (StatusCode, Value) {
    answer(server.post("/auth/forgot-password").header("X-Forwarded-For", from).json(&json!({"email": email}))).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_gets_three_mails_an_hour_whether_or_not_it_is_known() {
    let server = with_ann().await;
    let known = ["bob@example.com", "BOB@example.com", "bob@EXAMPLE.com", "bob@example.com"];
    let unknown = ["nobody@example.com"; 4];
    for (known, unknown) in known.into_iter().zip(unknown).take(3) {
        let answers = (forgot(&server, HERE, known).await, forgot(&server, HERE, unknown).await);
        assert_eq!(answers.0.0, StatusCode::OK);
        assert_eq!(answers.0, answers.1);
    }
    let answers = (forgot(&server, ELSEWHERE, known[3]).await, forgot(&server, ELSEWHERE, unknown[3]).await);
    assert_eq!(answers.0.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answers.0, answers.1);
    assert_eq!(server.wait_for_mails(3).await.len(), 3);
    wait(&server, 20 * 60);
    assert_eq!(forgot(&server, HERE, known[0]).await.0, StatusCode::OK);
    assert_eq!(forgot(&server, HERE, known[0]).await.0, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_asks_for_thirty_mails_an_hour() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    for number in 0..30 {
        assert_eq!(forgot(&server, HERE, &format!("nobody{number}@example.com")).await.0, StatusCode::OK);
    }
    assert_eq!(forgot(&server, HERE, "ann@example.com").await.0, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(forgot(&server, ELSEWHERE, "ann@example.com").await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mails_that_verify_an_address_are_counted_with_those_that_reset_a_password() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let registered = server.register("ann@example.com").await;
    let token = registered["accessToken"].as_str().unwrap().to_owned();
    let verify = || server.post("/auth/send-verification-email").bearer_auth(&token).header("X-Forwarded-For", HERE);
    assert_eq!(forgot(&server, HERE, "ann@example.com").await.0, StatusCode::OK);
    for status in [StatusCode::OK, StatusCode::OK, StatusCode::TOO_MANY_REQUESTS] {
        assert_eq!(answer(verify()).await.0, status);
    }
    assert_eq!(server.wait_for_mails(3).await.len(), 3);
}

/// A token of this server's form that nobody holds: the checksum is right.
fn unknown_token() -> String {
    ApiTokenSecret::generate(random).expose_secret().to_owned()
}

async fn check(server: &Server, from: &str, token: &str) -> StatusCode {
    let request = server.get("/1/authentication").header("Authorization", format!("OAuth {token}"));
    request.header("X-Forwarded-For", from).send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn looking_up_unknown_tokens_is_failing() {
    let server = with_ann().await;
    // Nobody looks up what has no right checksum, and a dead token that is shown again and again is one.
    let dead = unknown_token();
    for _ in 0..150 {
        assert_eq!(check(&server, HERE, &format!("dwt_{}", "a".repeat(49))).await, StatusCode::FORBIDDEN);
        assert_eq!(check(&server, HERE, &dead).await, StatusCode::FORBIDDEN);
    }
    assert_eq!(check(&server, HERE, ADMIN_TOKEN).await, StatusCode::OK);
    for number in 1..100 {
        assert_eq!(check(&server, HERE, &unknown_token()).await, StatusCode::FORBIDDEN, "{number}");
    }
    assert_eq!(check(&server, HERE, &unknown_token()).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guesses(&server, HERE, "bob@example.com", 4).await, 0, "failures of all kinds are one count");
    assert_eq!(check(&server, HERE, ADMIN_TOKEN).await, StatusCode::OK, "what is in memory is no guess");
    assert_eq!(check(&server, ELSEWHERE, &dead).await, StatusCode::FORBIDDEN);
    let recorded =
        "select count(*) from audit_log where action = 'token.shown' and reason = 'throttled' and via = 'iron'";
    for _ in 0..100 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        if server.database().value(recorded) != "0" {
            break;
        }
    }
    assert_ne!(server.database().value(recorded), "0");
    wait(&server, 6);
    assert_eq!(check(&server, HERE, &unknown_token()).await, StatusCode::FORBIDDEN);
    assert_eq!(check(&server, HERE, &unknown_token()).await, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_by_share_requests_who_there_is_is_failing() {
    let server = with_ann().await;
    let (_, login) =
        server.post_json("/1/authentication", &json!({"email": "bob@example.com", "password": PASSWORD})).await;
    let token = login["tokens"][0].as_str().unwrap().to_owned();
    let authorized = |request: reqwest::RequestBuilder, token: &str| {
        request.header("Authorization", format!("OAuth {token}")).header("X-Forwarded-For", HERE)
    };
    let (_, project) = answer(authorized(server.post("/1/projects"), &token).json(&json!({"name": "p"}))).await;
    let id = project["id"].as_str().or_else(|| project["project"]["id"].as_str()).unwrap().to_owned();
    let share = async |token: &str, email: &str| {
        let request = server.request(Method::PATCH, &format!("/1/projects/{id}/share"));
        answer(authorized(request, token).json(&json!([email]))).await.0
    };
    for number in 0..110 {
        let asked = share(ADMIN_TOKEN, &format!("nobody{number}@example.com")).await;
        assert_eq!(asked, StatusCode::NOT_FOUND, "administrators are not limited");
    }
    assert_eq!(share(&token, "ann@example.com").await, StatusCode::OK);
    for number in 0..100 {
        assert_eq!(share(&token, &format!("nobody{number}@example.com")).await, StatusCode::NOT_FOUND, "{number}");
    }
    assert_eq!(share(&token, "ann@example.com").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(share(ADMIN_TOKEN, "ann@example.com").await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trying_secrets_of_reset_mails_is_failing() {
    let server = with_ann().await;
    let reset = async |from: &str, secret: String| {
        let request = server.post(&format!("/auth/reset-password?token={secret}")).header("X-Forwarded-For", from);
        answer(request.json(&json!({"password": "another pass phrase"}))).await.0
    };
    let secret = |number: u8| SingleUseSecret::from_bytes([number; 32]).to_text().expose_secret().to_owned();
    for _ in 0..120 {
        assert_eq!(reset(HERE, "garbage".to_owned()).await, StatusCode::UNAUTHORIZED, "nobody looks that up");
    }
    for number in 0..100 {
        assert_eq!(reset(HERE, secret(number)).await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(reset(HERE, secret(100)).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(reset(ELSEWHERE, secret(100)).await, StatusCode::UNAUTHORIZED);
}
