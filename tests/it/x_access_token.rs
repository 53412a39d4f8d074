//! The `x_access_token` dialect, row by row of its page.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, answer};

const LOGIN: &str = "/users/login";
const ME: &str = "/users/me";
const LOGOUT: &str = "/users/logout";
const HEADER: &str = "x-access-token";

/// Makes a user in the rest dialect and signs in here; the token.
async fn sign_in(server: &Server, email: &str) -> String {
    server.register(email).await;
    login(server, email).await
}

async fn login(server: &Server, email: &str) -> String {
    let (status, body) = server.post_json(LOGIN, &json!({"email": email, "password": PASSWORD})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body["token"].as_str().unwrap().to_owned()
}

async fn me(server: &Server, token: &str) -> (StatusCode, Value) {
    answer(server.get(ME).header(HEADER, token)).await
}

/// Status and body as they came, byte for byte.
async fn raw(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn failure(status: StatusCode, message: &str, error: &str) -> (StatusCode, Value) {
    (status, json!({"success": false, "message": message, "error": error}))
}

fn bad_request(message: &str) -> (StatusCode, Value) {
    failure(StatusCode::BAD_REQUEST, message, "Bad Request")
}

fn bad_token(message: &str, error: &str, token_error: &str) -> (StatusCode, Value) {
    let body = json!({"success": false, "message": message, "error": error, "tokenError": token_error});
    (StatusCode::UNAUTHORIZED, body)
}

fn no_token() -> (StatusCode, Value) {
    bad_token("No token provided.", "Missing token", "jwt error")
}

fn invalid_token() -> (StatusCode, Value) {
    bad_token("Failed to authenticate token.", "Invalid token", "jwt error")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_answers_with_the_id_as_a_uuid_and_a_token() {
    let server = Server::start().await;
    let made = server.register("Ann@Example.com").await;
    let hex = made["user"]["id"].as_str().unwrap();
    let uuid = format!("{}-{}-40{}-80{}-{}0000", &hex[..8], &hex[8..12], &hex[12..14], &hex[14..16], &hex[16..]);
    for path in [LOGIN, "/user/login"] {
        let body = json!({"email": "ann@EXAMPLE.com", "password": PASSWORD}).to_string();
        let (status, body) = answer(server.post(path).header(CONTENT_TYPE, "text/plain").body(body)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert_eq!(body, json!({"uid": uuid, "token": body["token"]}));
        assert_eq!(me(&server, body["token"].as_str().unwrap()).await.0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_administrators_are_told_that_they_may_administer() {
    let server = Server::start().await;
    let (status, body) = server.post_json(LOGIN, &json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})).await;
    assert_eq!((status, &body["canUseAdmin"]), (StatusCode::OK, &json!(true)));
    server.register("ann@example.com").await;
    let (_, body) = server.post_json(LOGIN, &json!({"email": "ann@example.com", "password": PASSWORD})).await;
    assert_eq!(body.get("canUseAdmin"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_username_is_no_email_but_its_token_is_known() {
    let server = Server::start().await;
    let (_, made) = server.post_json("/api/auth/register", &json!({"username": "Ann", "password": PASSWORD})).await;
    let (status, _) = server.post_json(LOGIN, &json!({"email": "ann", "password": PASSWORD})).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (_, body) = me(&server, made["token"].as_str().unwrap()).await;
    assert_eq!(body["username"], "Ann");
    assert_eq!(body["fullName"], "Ann");
    assert_eq!((&body["email"], &body["name"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failed_login_has_the_same_bytes() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let disabled = server.register("off@example.com").await;
    let path = format!("/1/users/{}", disabled["user"]["id"].as_str().unwrap());
    let disable = server.request(Method::PATCH, &path).bearer_auth(ADMIN_TOKEN).json(&json!({"status": "disabled"}));
    assert_eq!(answer(disable).await.0, StatusCode::OK);
    for (email, password) in [
        ("ann@example.com", "wrong password"),
        ("ann@example.com", ""),
        ("nobody@example.com", PASSWORD),
        ("not an address@", PASSWORD),
        ("", PASSWORD),
        ("off@example.com", PASSWORD),
    ] {
        let (status, text) = raw(server.post(LOGIN).json(&json!({"email": email, "password": password}))).await;
        let expected =
            r#"{"success":false,"message":"Authentication failed. Wrong password.","error":"Incorrect password"}"#;
        assert_eq!((status, text.as_str()), (StatusCode::UNAUTHORIZED, expected), "{email}");
    }
    let disabled = disabled["accessToken"].as_str().unwrap();
    assert_eq!(me(&server, disabled).await, invalid_token());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_login_is_a_bad_request_that_names_every_fault() {
    let server = Server::start().await;
    for (body, message) in [
        (json!({}), "email is required; password is required"),
        (json!({"email": null, "password": PASSWORD}), "email is required"),
        (json!({"email": ["ann@example.com"], "password": 7}), "email must be a string; password must be a string"),
        (json!({"email": "ann@example.com", "password": "x".repeat(1_025)}), "password must be at most 1,024 bytes"),
        (json!([]), "body must be a JSON object"),
    ] {
        assert_eq!(server.post_json(LOGIN, &body).await, bad_request(message), "{message}");
    }
    assert_eq!(answer(server.post(LOGIN)).await, bad_request("email is required; password is required"));
    assert_eq!(answer(server.post(LOGIN).body("{")).await, bad_request("body must be valid JSON in UTF-8"));
    let huge = server.post(LOGIN).body("x".repeat(1024 * 1024 + 1));
    let refusal = failure(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large", "Payload Too Large");
    assert_eq!(answer(huge).await, refusal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn me_is_the_whole_user_without_anything_secret() {
    let server = Server::start().await;
    let body = json!({
        "name": "Ann Lee", "bio": "Likes lamps", "email": "Ann@example.com", "password": PASSWORD, "confirm": PASSWORD,
    });
    assert_eq!(server.post_json("/auth/register", &body).await.0, StatusCode::CREATED);
    let token = login(&server, "ann@example.com").await;
    let (status, body) = me(&server, &token).await;
    assert_eq!(status, StatusCode::OK);
    let made = doorward::clock::Timestamp::parse_rfc3339(body["created_at"].as_str().unwrap()).unwrap();
    assert!(server.clock.now().since(made) < Duration::from_secs(1));
    let uid = body["uid"].as_str().unwrap();
    assert_eq!(uid.len(), 36);
    let expected = json!({
        "_id": uid, "uid": uid, "email": "Ann@example.com", "name": "Ann Lee", "fullName": "Ann Lee",
        "username": null, "bio": "Likes lamps", "roles": ["User"], "permissions": ["user"],
        "created_at": body["created_at"],
    });
    assert_eq!(body, expected);
    assert_eq!(answer(server.get("/user/me").header(HEADER, &token)).await, (StatusCode::OK, expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_has_the_admin_role_whatever_the_token() {
    let server = Server::start().await;
    let (status, body) = me(&server, ADMIN_TOKEN).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body["roles"], json!(["Admin"]));
    assert_eq!(body["permissions"], json!(["admin", "user"]));
    assert_eq!(body["fullName"], ADMIN_EMAIL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_may_stand_in_either_header_or_in_the_query() {
    let server = Server::start().await;
    let token = sign_in(&server, "ann@example.com").await;
    let other = login(&server, "ann@example.com").await;
    let everywhere = |query: &str| server.get(&format!("{ME}?token={query}"));
    for request in [
        server.get(ME).header(HEADER, &token),
        server.get(ME).bearer_auth(&token),
        everywhere(&token),
        everywhere(&token).header(HEADER, &token).bearer_auth(&token),
        everywhere("").header(HEADER, &token),
    ] {
        assert_eq!(answer(request).await.0, StatusCode::OK);
    }
    for request in [
        server.get(ME).header(HEADER, &token).bearer_auth(&other),
        everywhere(&token).header(HEADER, &other),
        everywhere(&token).bearer_auth(&other),
        everywhere(&format!("{token}&token={other}")),
        server.get(ME).header(HEADER, &token).bearer_auth("nonsense"),
    ] {
        assert_eq!(answer(request).await, invalid_token());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_query_is_not_looked_at_where_the_settings_say_so() {
    let server = Server::start_with("[x_access_token]\nquery_token = false").await;
    let token = sign_in(&server, "ann@example.com").await;
    let path = format!("{ME}?token={token}");
    assert_eq!(answer(server.get(&path)).await, no_token());
    assert_eq!(answer(server.get(&format!("{ME}?token=nonsense")).header(HEADER, &token)).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_token_says_whether_it_is_missing_wrong_or_late() {
    let server = Server::start().await;
    let token = sign_in(&server, "ann@example.com").await;
    let bare = server.get(ME).send().await.unwrap();
    assert_eq!(bare.headers()[WWW_AUTHENTICATE], "Bearer realm=\"doorward\"");
    let expected =
        r#"{"success":false,"message":"No token provided.","error":"Missing token","tokenError":"jwt error"}"#;
    assert_eq!(bare.text().await.unwrap(), expected);
    for request in [server.get("/user/me"), server.post(LOGOUT), server.get(&format!("{ME}?token="))] {
        assert_eq!(answer(request).await, no_token());
    }
    for request in [
        server.get(ME).header(HEADER, "nonsense"),
        server.get(ME).header(HEADER, format!("Bearer {token}")),
        server.get(ME).basic_auth("ann", Some(PASSWORD)),
        server.get(&format!("{ME}?token=%ff")),
        server.post(LOGOUT).header(HEADER, "nonsense"),
    ] {
        assert_eq!(answer(request).await, invalid_token());
    }
    server.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    assert_eq!(me(&server, &token).await.0, StatusCode::OK);
    server.clock.advance(Duration::from_mins(2));
    let late = bad_token("Failed to authenticate token.", "Expired token", "expired token");
    assert_eq!(me(&server, &token).await, late);
    assert_eq!(answer(server.post(LOGOUT).header(HEADER, &token)).await, late);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_user_is_not_authenticated() {
    let server = Server::start().await;
    let made = server.register("ann@example.com").await;
    let token = login(&server, "ann@example.com").await;
    let path = format!("/1/users/{}", made["user"]["id"].as_str().unwrap());
    assert_eq!(answer(server.request(Method::DELETE, &path).bearer_auth(ADMIN_TOKEN)).await.0, StatusCode::OK);
    assert_eq!(me(&server, &token).await, invalid_token());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_ends_its_session_and_no_other() {
    let server = Server::start().await;
    let first = sign_in(&server, "ann@example.com").await;
    let second = login(&server, "ann@example.com").await;
    let request = server.post(LOGOUT).header(HEADER, &first);
    assert_eq!(answer(request).await, (StatusCode::OK, json!({"success": true})));
    assert_eq!(me(&server, &first).await, invalid_token());
    assert_eq!(answer(server.post(LOGOUT).header(HEADER, &first)).await, invalid_token());
    assert_eq!(me(&server, &second).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_has_no_session_to_end() {
    let server = Server::start().await;
    let refusal = failure(StatusCode::FORBIDDEN, "An API token has no session to end.", "Forbidden");
    assert_eq!(answer(server.post(LOGOUT).header(HEADER, ADMIN_TOKEN)).await, refusal);
    assert_eq!(me(&server, ADMIN_TOKEN).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_holds_nothing_of_the_users_record() {
    let server = Server::start().await;
    let token = sign_in(&server, "ann@example.com").await;
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["client_id"], "x_access_token");
    let text = claims.to_string();
    for planted in ["ann", "@example", "$argon2", PASSWORD] {
        assert!(!text.contains(planted), "{planted} in {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_answers_everybody() {
    let server = Server::start().await;
    let (status, text) = raw(server.get("/status")).await;
    assert_eq!((status, text.as_str()), (StatusCode::OK, r#"{"installed":true,"env":"production"}"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_methods_that_are_not_there_are_refused_in_this_dialect() {
    let server = Server::start().await;
    let nothing = failure(StatusCode::NOT_FOUND, "There is nothing at this path.", "Not Found");
    for path in ["/users", "/users/", "/users/you", "/user", "/user/logout", "/status/x"] {
        assert_eq!(answer(server.get(path)).await, nothing, "{path}");
    }
    for (path, method, allowed) in [
        (LOGIN, Method::GET, "POST"),
        ("/user/login", Method::PUT, "POST"),
        (ME, Method::POST, "GET,HEAD"),
        ("/user/me", Method::DELETE, "GET,HEAD"),
        (LOGOUT, Method::GET, "POST"),
        ("/status", Method::POST, "GET,HEAD"),
    ] {
        let refusal = server.request(method, path).send().await.unwrap();
        assert_eq!(refusal.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(refusal.headers()[ALLOW], allowed, "{path}");
        let body: Value = refusal.json().await.unwrap();
        assert_eq!((&body["success"], &body["error"]), (&json!(false), &json!("Method Not Allowed")), "{path}");
        assert!(body["message"].is_string(), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_server_says_no_more_than_that() {
    let server = Server::start().await;
    server.database().execute("alter table sessions rename to lost");
    let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let refusal = failure(StatusCode::INTERNAL_SERVER_ERROR, "Server error.", "Internal Server Error");
    assert_eq!(server.post_json(LOGIN, &body).await, refusal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_says_when_to_come_again() {
    let server = Server::start_with("[passwords]\nthreads = 1\nmax_wait = \"0s\"").await;
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..16 {
        logins.spawn(server.post(LOGIN).json(&json!({"email": "nobody", "password": PASSWORD})).send());
    }
    let answers: Vec<_> = logins.join_all().await.into_iter().map(Result::unwrap).collect();
    let busy: Vec<_> = answers.into_iter().filter(|answer| answer.status() != StatusCode::UNAUTHORIZED).collect();
    assert!(!busy.is_empty(), "sixteen hashes at once fit into no wait at all");
    for answer in busy {
        assert!(answer.headers()[RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        let expected =
            failure(StatusCode::SERVICE_UNAVAILABLE, "The server is busy; try again.", "Service Unavailable");
        assert_eq!((answer.status(), answer.json::<Value>().await.unwrap()), expected);
    }
}
