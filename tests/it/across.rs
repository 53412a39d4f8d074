//! One identity store: who signs up in one dialect is known in all, and what ends in one ends in
//! all, in the next request.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{ADMIN_TOKEN, ARRIVAL, PASSWORD, SLOW_HASHES, Server, answer};

/// Whether a session's access token identifies somebody, as each dialect sees it.
async fn known(server: &Server, token: &str) -> [bool; 4] {
    let iron = server.get("/1/authentication").header("Authorization", format!("OAuth {token}"));
    let rest = server.post("/auth").bearer_auth(token);
    let x_access_token = server.get("/users/me").header("x-access-token", token);
    let argon = server.get("/api/auth/state").bearer_auth(token);
    let mut known = [false; 4];
    for (request, known) in [iron, rest, x_access_token, argon].into_iter().zip(&mut known) {
        let (status, body) = answer(request).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN), "{status} {body}");
        *known = status == StatusCode::OK;
    }
    known
}

const EVERYWHERE: [bool; 4] = [true; 4];
const NOWHERE: [bool; 4] = [false; 4];

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// A session begun by signing in, in each dialect, by a user who is there.
async fn sign_in_everywhere(server: &Server, email: &str) -> [String; 4] {
    let pair = json!({"email": email, "password": PASSWORD});
    let (_, iron) = server.post_json("/1/authentication", &pair).await;
    let (_, rest) = server.post_json("/auth/login", &pair).await;
    let (_, x_access_token) = server.post_json("/users/login", &pair).await;
    let (_, argon) = server.post_json("/api/auth/login", &json!({"username": email, "password": PASSWORD})).await;
    [&iron["tokens"][0], &rest["accessToken"], &x_access_token["token"], &argon["token"]].map(text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_up_in_one_dialect_is_known_in_all() {
    let server = Server::start().await;
    let rest = server.register("rest@example.com").await;
    assert_eq!(known(&server, &text(&rest["accessToken"])).await, EVERYWHERE);

    let body = json!({"username": "argo", "password": PASSWORD});
    let (status, argon) = server.post_json("/api/auth/register", &body).await;
    assert_eq!(status, StatusCode::OK, "{argon}");
    assert_eq!(known(&server, &text(&argon["token"])).await, EVERYWHERE);

    let request = server.post("/1/users").header("Authorization", format!("OAuth {ADMIN_TOKEN}"));
    let (status, iron) = answer(request.json(&json!({"email": "iron@example.com", "password": PASSWORD}))).await;
    assert_eq!(status, StatusCode::OK, "{iron}");
    let api_token = text(&iron["tokens"][0]);
    assert!(api_token.starts_with("dwt_"));
    assert_eq!(known(&server, &api_token).await, EVERYWHERE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signed_up_anywhere_signs_in_everywhere() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    for token in sign_in_everywhere(&server, "Ann@EXAMPLE.com").await {
        assert_eq!(known(&server, &token).await, EVERYWHERE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_in_one_dialect_ends_that_session_in_all() {
    let server = Server::start().await;
    let signed_up = server.register("ann@example.com").await;
    let [iron, rest, x_access_token, argon] = sign_in_everywhere(&server, "ann@example.com").await;
    assert_eq!(known(&server, &x_access_token).await, EVERYWHERE);
    let (status, body) = answer(server.post("/users/logout").header("x-access-token", &x_access_token)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(known(&server, &x_access_token).await, NOWHERE);
    let (status, body) = answer(server.post("/api/auth/logout").bearer_auth(&argon)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(known(&server, &argon).await, NOWHERE);
    let logout = json!({"refreshToken": signed_up["refreshToken"]});
    let (status, body) = server.post_json("/auth/logout", &logout).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(known(&server, &text(&signed_up["accessToken"])).await, NOWHERE);
    assert_eq!(known(&server, &iron).await, EVERYWHERE, "another session of the user ended too");
    assert_eq!(known(&server, &rest).await, EVERYWHERE, "another session of the user ended too");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_changed_in_one_dialect_ends_every_session_in_all() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let tokens = sign_in_everywhere(&server, "ann@example.com").await;
    let change = json!({"currentPassword": PASSWORD, "newPassword": "another pass phrase"});
    let (status, body) =
        answer(server.request(Method::PUT, "/api/auth/profile").bearer_auth(&tokens[3]).json(&change)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    for token in &tokens {
        assert_eq!(known(&server, token).await, NOWHERE);
    }
    assert_eq!(known(&server, &text(&body["token"])).await, EVERYWHERE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_or_deleted_user_is_refused_everywhere_with_every_credential() {
    let server = Server::start().await;
    for (email, disable) in [("one@example.com", true), ("two@example.com", false)] {
        let user = server.register(email).await;
        let [iron, rest, x_access_token, argon] = sign_in_everywhere(&server, email).await;
        let request = server.post("/1/tokens").header("Authorization", format!("OAuth {iron}")).json(&json!({}));
        let (_, made) = answer(request).await;
        let api_token = text(&made["token"]["token"]);
        let id = text(&user["user"]["id"]);
        for token in [&iron, &rest, &x_access_token, &argon, &api_token] {
            assert_eq!(known(&server, token).await, EVERYWHERE);
        }
        let path = format!("/1/users/{id}");
        let request = if disable {
            server.request(Method::PATCH, &path).json(&json!({"status": "disabled"}))
        } else {
            server.request(Method::DELETE, &path)
        };
        let (status, body) = answer(request.header("Authorization", format!("OAuth {ADMIN_TOKEN}"))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        for token in [&iron, &rest, &x_access_token, &argon, &api_token] {
            assert_eq!(known(&server, token).await, NOWHERE);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_identifies_everywhere_and_changes_things_in_iron_only() {
    let server = Server::start().await;
    let user = server.register("ann@example.com").await;
    let session = text(&user["accessToken"]);
    let (_, made) = answer(server.post("/1/tokens").bearer_auth(&session).json(&json!({"name": "ci"}))).await;
    let token = text(&made["token"]["token"]);
    assert_eq!(known(&server, &token).await, EVERYWHERE);
    let (status, _) = answer(server.post("/1/projects").bearer_auth(&token).json(&json!({"name": "p"}))).await;
    assert_eq!(status, StatusCode::OK);
    let change = json!({"newUsername": "eve"});
    let requests = [
        server.request(Method::PUT, "/api/auth/profile").header("X-API-Key", &token).json(&change),
        server.post("/api/auth/logout").header("X-API-Key", &token),
        server.post("/users/logout").header("x-access-token", &token),
        server.post("/auth/send-verification-email").bearer_auth(&token),
    ];
    for request in requests {
        let (status, body) = answer(request).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_a_deleted_user_never_works_for_the_next_of_that_name() {
    let server = Server::start().await;
    let body = json!({"username": "argo", "password": PASSWORD});
    let (_, first) = server.post_json("/api/auth/register", &body).await;
    let old = text(&first["token"]);
    let (_, me) = answer(server.get("/users/me").header("x-access-token", &old)).await;
    let path = format!("/1/users/{}", text(&me["uid"]));
    let request = server.request(Method::DELETE, &path).bearer_auth(&old);
    let (status, body_of_delete) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{body_of_delete}");
    let (status, second) = server.post_json("/api/auth/register", &body).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    assert_eq!(known(&server, &old).await, NOWHERE);
    assert_eq!(known(&server, &text(&second["token"])).await, EVERYWHERE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_waits_for_its_hash_does_not_outlive_the_credential_it_came_with() {
    let server = Server::start_with(SLOW_HASHES).await;
    let user = server.register("ann@example.com").await;
    let session = text(&user["accessToken"]);
    let path = format!("/1/users/{}", text(&user["user"]["id"]));
    let change = json!({"email": "thief@example.com", "password": "the thief's pass phrase"});
    server.queue_hashes().await;
    let waiting = tokio::spawn(answer(server.request(Method::PATCH, &path).bearer_auth(&session).json(&change)));
    sleep(ARRIVAL).await;
    let status_of = async |status: &str| {
        let request = server.request(Method::PATCH, &path).json(&json!({"status": status}));
        answer(request.bearer_auth(ADMIN_TOKEN)).await.0
    };
    assert_eq!(status_of("disabled").await, StatusCode::OK);
    assert!(!waiting.is_finished(), "the hash was done too soon for this test");
    let (status, body) = waiting.await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    assert_eq!(status_of("active").await, StatusCode::OK);
    let (_, body) = answer(server.get(&path).bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(body["email"], "ann@example.com");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrators_act_that_waits_for_its_hash_does_not_outlive_the_token() {
    let server = Server::start_with(SLOW_HASHES).await;
    let body = json!({"name": "spare", "admin": true});
    let (_, made) = answer(server.post("/1/tokens").bearer_auth(ADMIN_TOKEN).json(&body)).await;
    let (spare, id) = (text(&made["token"]["token"]), text(&made["token"]["_id"]));
    let create = json!({"email": "eve@example.com", "password": PASSWORD});
    server.queue_hashes().await;
    let waiting = tokio::spawn(answer(server.post("/1/users").bearer_auth(&spare).json(&create)));
    sleep(ARRIVAL).await;
    let request = server.request(Method::DELETE, &format!("/1/tokens/{id}"));
    assert_eq!(answer(request.bearer_auth(ADMIN_TOKEN)).await.0, StatusCode::OK);
    assert!(!waiting.is_finished(), "the hash was done too soon for this test");
    let (status, body) = waiting.await.unwrap();
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    let (status, _) = answer(server.get("/1/users/eve@example.com").bearer_auth(ADMIN_TOKEN)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
