//! The argon dialect, row by row of its page.

use std::time::Duration;

use reqwest::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED, answer};

const OTHER_PASSWORD: &str = "four red chairs, 1 lamp";
const STATE: &str = "/api/auth/state";
const REGISTER: &str = "/api/auth/register";
const LOGIN: &str = "/api/auth/login";
const PROFILE: &str = "/api/auth/profile";
const LOGOUT: &str = "/api/auth/logout";
const REQUIRED: &str = "Username and password required";
const NOTHING_GIVEN: &str = "At least one of newUsername or newPassword (with currentPassword) must be provided";

/// Registers a user; the token.
async fn register(server: &Server, username: &str) -> String {
    let (status, body) = server.post_json(REGISTER, &json!({"username": username, "password": PASSWORD})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    token(&body)
}

async fn login(server: &Server, username: &str, password: &str) -> (StatusCode, Value) {
    server.post_json(LOGIN, &json!({"username": username, "password": password})).await
}

async fn state(server: &Server, token: &str) -> (StatusCode, Value) {
    answer(server.get(STATE).bearer_auth(token)).await
}

async fn change(server: &Server, token: &str, body: &Value) -> (StatusCode, Value) {
    answer(server.request(Method::PUT, PROFILE).bearer_auth(token).json(body)).await
}

/// Does something to a user as the administrator of the iron dialect.
async fn administer(server: &Server, method: Method, user: &str, body: &Value) {
    let request = server.request(method, &format!("/1/users/{user}")).bearer_auth(ADMIN_TOKEN).json(body);
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

fn token(body: &Value) -> String {
    body["token"].as_str().unwrap().to_owned()
}

/// Status and body as they came, byte for byte.
async fn raw(request: RequestBuilder) -> (StatusCode, String) {
    let answer = request.send().await.unwrap();
    (answer.status(), answer.text().await.unwrap())
}

fn error(status: StatusCode, text: &str) -> (StatusCode, Value) {
    (status, json!({ "error": text }))
}

fn bad_request(text: &str) -> (StatusCode, Value) {
    error(StatusCode::BAD_REQUEST, text)
}

fn unauthorized(text: &str) -> (StatusCode, Value) {
    error(StatusCode::UNAUTHORIZED, text)
}

fn not_authenticated(text: &str) -> (StatusCode, Value) {
    (StatusCode::UNAUTHORIZED, json!({"authenticated": false, "error": text}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_tells_name_and_permissions_to_whoever_is_known() {
    let server = Server::start().await;
    let ann = register(&server, "Ann").await;
    let (status, text) = raw(server.get(STATE).bearer_auth(&ann)).await;
    let expected = r#"{"authenticated":true,"username":"Ann","permissions":["user"]}"#;
    assert_eq!((status, text.as_str()), (StatusCode::OK, expected));
    let admin = json!({"authenticated": true, "username": ADMIN_EMAIL, "permissions": ["admin", "user"]});
    assert_eq!(state(&server, ADMIN_TOKEN).await, (StatusCode::OK, admin));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn either_header_takes_either_kind_of_token() {
    let server = Server::start().await;
    let ann = register(&server, "ann").await;
    for token in [ann.as_str(), ADMIN_TOKEN] {
        let headers = [
            vec![("authorization", format!("Bearer {token}"))],
            vec![("authorization", format!("bearer {token}"))],
            vec![("x-api-key", token.to_owned())],
            vec![("authorization", format!("Bearer {token}")), ("x-api-key", token.to_owned())],
        ];
        for headers in headers {
            let request = headers.iter().fold(server.get(STATE), |request, (name, value)| request.header(*name, value));
            assert_eq!(answer(request).await.0, StatusCode::OK, "{headers:?}");
        }
    }
    let rest = server.register("bob@example.com").await;
    let (status, body) = state(&server, rest["accessToken"].as_str().unwrap()).await;
    assert_eq!((status, &body["username"]), (StatusCode::OK, &json!("bob@example.com")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn state_says_why_somebody_is_not_known() {
    let server = Server::start().await;
    let ann = register(&server, "ann").await;
    let bare = server.get(STATE).send().await.unwrap();
    assert_eq!(bare.headers()[WWW_AUTHENTICATE], "Bearer realm=\"doorward\"");
    assert_eq!(bare.text().await.unwrap(), r#"{"authenticated":false,"error":"Authentication required"}"#);
    let unreadable = [
        server.get(STATE).bearer_auth("nonsense"),
        server.get(STATE).bearer_auth(format!("{ann}x")),
        server.get(STATE).header("authorization", "Bearer"),
        server.get(STATE).header("authorization", ann.as_str()),
        server.get(STATE).basic_auth("ann", Some(PASSWORD)),
        server.get(STATE).header("x-api-key", "nonsense"),
        server.get(STATE).header("x-api-key", "two tokens"),
        server.get(STATE).bearer_auth(&ann).header("x-api-key", ADMIN_TOKEN),
    ];
    for (at, request) in unreadable.into_iter().enumerate() {
        assert_eq!(answer(request).await, not_authenticated("Invalid token format"), "{at}");
    }
    server.clock.advance(Duration::from_hours(24) - Duration::from_secs(1));
    assert_eq!(state(&server, &ann).await.0, StatusCode::OK);
    server.clock.advance(Duration::from_mins(2));
    assert_eq!(state(&server, &ann).await, not_authenticated("Token has expired"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_deleted_or_disabled_no_longer_exists() {
    let server = Server::start().await;
    let mut tokens = Vec::new();
    for (email, method) in [("gone@example.com", Method::DELETE), ("off@example.com", Method::PATCH)] {
        let user = server.register(email).await;
        administer(&server, method, user["user"]["id"].as_str().unwrap(), &json!({"status": "disabled"})).await;
        tokens.push(user["accessToken"].as_str().unwrap().to_owned());
        assert_eq!(login(&server, email, PASSWORD).await, unauthorized("Invalid credentials"), "{email}");
    }
    for token in tokens {
        assert_eq!(state(&server, &token).await, not_authenticated("User no longer exists"));
        assert_eq!(change(&server, &token, &json!({})).await, unauthorized("User no longer exists"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_refuse_with_the_same_words_and_one_key() {
    let server = Server::start().await;
    let ann = register(&server, "ann").await;
    let requests = |token: Option<&str>| {
        let body = json!({"newUsername": "eve"});
        [server.request(Method::PUT, PROFILE).json(&body), server.post(LOGOUT)]
            .map(|request| token.into_iter().fold(request, RequestBuilder::bearer_auth))
    };
    for request in requests(None) {
        assert_eq!(answer(request).await, unauthorized("Authentication required"));
    }
    for request in requests(Some("nonsense")) {
        assert_eq!(answer(request).await, unauthorized("Invalid token format"));
    }
    for request in requests(Some(&ann)) {
        let request = request.header("x-api-key", ADMIN_TOKEN);
        assert_eq!(answer(request).await, unauthorized("Invalid token format"));
    }
    server.clock.advance(Duration::from_hours(25));
    for request in requests(Some(&ann)) {
        assert_eq!(answer(request).await, unauthorized("Token has expired"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_answers_with_a_token_and_permissions() {
    let server = Server::start().await;
    let body = json!({
        "username": "Ann", "password": PASSWORD, "permissions": ["admin"], "admin": true, "status": "disabled",
    });
    let request = server.post(REGISTER).header(CONTENT_TYPE, "text/plain").body(body.to_string());
    let (status, body) = answer(request).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
    assert_eq!(body["permissions"], json!(["user"]));
    let (status, body) = state(&server, &token(&body)).await;
    assert_eq!((status, &body["permissions"]), (StatusCode::OK, &json!(["user"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_without_both_words_is_refused_with_one_sentence() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({"username": "ann"}),
        json!({"password": PASSWORD}),
        json!({"username": null, "password": PASSWORD}),
        json!({"username": "ann", "password": null}),
        json!({"username": 7, "password": PASSWORD}),
        json!({"username": ["ann"], "password": PASSWORD}),
        json!({"username": "ann", "password": {"$ne": ""}}),
        json!({"username": "", "password": PASSWORD}),
        json!({"username": "ann", "password": ""}),
    ] {
        assert_eq!(server.post_json(REGISTER, &body).await, bad_request(REQUIRED), "{body}");
    }
    assert_eq!(answer(server.post(REGISTER)).await, bad_request(REQUIRED));
    assert_eq!(login(&server, "ann", PASSWORD).await.0, StatusCode::UNAUTHORIZED, "nobody was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_says_which_rule_a_name_or_password_breaks() {
    let server = Server::start().await;
    for (username, password, reason) in [
        ("ann@example.com", PASSWORD, "Username must not contain @"),
        ("0123456789abcdef01234567", PASSWORD, "Username must not look like an identifier"),
        (" ann", PASSWORD, "Username must not begin or end with a space"),
        ("a\u{202e}nn", PASSWORD, "Username must not contain control characters"),
        (&"x".repeat(129), PASSWORD, "Username must be 1 to 128 characters"),
        ("ann", "seven77", "Password must be at least 8 characters"),
        ("ann", "password123", "Password is among the most common passwords; choose another"),
        ("AnnLee1234", "annlee1234", "Password must not be the login name"),
        ("ann", &"x".repeat(1_025), "Password must be at most 1,024 bytes"),
    ] {
        let body = json!({"username": username, "password": password});
        assert_eq!(server.post_json(REGISTER, &body).await, bad_request(reason), "{username} {password}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_is_registered_once_whatever_its_letter_case() {
    let server = Server::start().await;
    register(&server, "Ann").await;
    for username in ["Ann", "ann", "ＡＮＮ"] {
        let body = json!({"username": username, "password": OTHER_PASSWORD});
        assert_eq!(server.post_json(REGISTER, &body).await, bad_request("Username already exists"), "{username}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_registration_refuses_before_it_looks_at_the_body() {
    let server = Server::start_with("registration = \"closed\"").await;
    let refusal = error(StatusCode::FORBIDDEN, "Registration is closed; ask an administrator");
    assert_eq!(server.post_json(REGISTER, &json!({"username": "ann", "password": PASSWORD})).await, refusal);
    assert_eq!(server.post_json(REGISTER, &json!({})).await, refusal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn login_takes_a_username_or_an_email() {
    let server = Server::start().await;
    register(&server, "Ann").await;
    server.register("Bob@Example.com").await;
    for (name, shown) in [("Ann", "Ann"), ("aNN", "Ann"), ("bob@example.COM", "Bob@Example.com")] {
        let (status, body) = login(&server, name, PASSWORD).await;
        assert_eq!((status, &body["permissions"]), (StatusCode::OK, &json!(["user"])), "{name}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(state(&server, &token(&body)).await.1["username"], shown);
    }
    let (status, body) = login(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
    assert_eq!((status, &body["permissions"]), (StatusCode::OK, &json!(["admin", "user"])));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_failed_login_has_the_same_bytes() {
    let server = Server::start().await;
    register(&server, "ann").await;
    for (username, password) in
        [("ann", "wrong password"), ("ann", ""), ("nobody", PASSWORD), ("", PASSWORD), ("n@b.example", PASSWORD)]
    {
        let body = json!({"username": username, "password": password});
        let (status, text) = raw(server.post(LOGIN).json(&body)).await;
        let expected = r#"{"error":"Invalid credentials"}"#;
        assert_eq!((status, text.as_str()), (StatusCode::UNAUTHORIZED, expected), "{username}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_malformed_login_is_a_bad_request() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({"username": "ann"}),
        json!({"password": PASSWORD}),
        json!({"username": 7, "password": PASSWORD}),
        json!({"username": "ann", "password": [PASSWORD]}),
    ] {
        assert_eq!(server.post_json(LOGIN, &body).await, bad_request(REQUIRED), "{body}");
    }
    let long = login(&server, "ann", &"x".repeat(1_025)).await;
    assert_eq!(long, bad_request("Password must be at most 1,024 bytes"));
    let repeated = r#"{"username":"ann","username":"bob","password":"x"}"#;
    for (text, reason) in [
        ("{", "The body must be valid JSON in UTF-8"),
        ("username=ann&password=x", "The body must be valid JSON in UTF-8"),
        ("[]", "The body must be a JSON object"),
        (repeated, "The body must not name a key twice in one object"),
    ] {
        assert_eq!(answer(server.post(LOGIN).body(text)).await, bad_request(reason), "{text}");
    }
    let huge = server.post(LOGIN).body("x".repeat(1024 * 1024 + 1));
    assert_eq!(answer(huge).await, error(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_name_alone_ends_nothing() {
    let server = Server::start().await;
    let old = register(&server, "ann").await;
    let (status, body) = change(&server, &old, &json!({"newUsername": "Anna"})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let fresh = token(&body);
    let expected = json!({"message": "Profile updated successfully", "token": fresh, "permissions": ["user"]});
    assert_eq!(body, expected);
    assert_ne!(fresh, old);
    for token in [&old, &fresh] {
        assert_eq!(state(&server, token).await.1["username"], "Anna");
    }
    assert_eq!(login(&server, "anna", PASSWORD).await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann", PASSWORD).await, unauthorized("Invalid credentials"));
    let newcomer = register(&server, "ann").await;
    assert_eq!(state(&server, &newcomer).await.1["username"], "ann");
    assert_eq!(state(&server, &old).await.1["username"], "Anna", "the freed name takes nobody along");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_name_is_no_proof_of_the_password_and_lengthens_no_session() {
    let server = Server::start().await;
    let old = register(&server, "ann").await;
    server.clock.advance(Duration::from_mins(11));
    for name in ["anna", "anna"] {
        let (_, body) = change(&server, &old, &json!({"newUsername": name})).await;
        let fresh = token(&body);
        let (_, me) = answer(server.get("/users/me").bearer_auth(&fresh)).await;
        let path = format!("/1/users/{}", me["uid"].as_str().unwrap());
        let takeover =
            server.request(Method::PATCH, &path).bearer_auth(&fresh).json(&json!({"password": OTHER_PASSWORD}));
        assert_eq!(answer(takeover).await.0, StatusCode::FORBIDDEN, "{name}");
    }
    let (_, body) = change(&server, &old, &json!({"newUsername": "ann"})).await;
    let fresh = token(&body);
    assert_eq!(answer(server.post(LOGOUT).bearer_auth(&old)).await.0, StatusCode::OK);
    assert_eq!(state(&server, &fresh).await, not_authenticated("Invalid token format"), "one session, one end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_letter_case_is_another_name_for_the_same_user() {
    let server = Server::start().await;
    let ann = register(&server, "ann").await;
    let (status, body) = change(&server, &ann, &json!({"newUsername": "ANN"})).await;
    assert_eq!((status, &body["message"]), (StatusCode::OK, &json!("Profile updated successfully")));
    assert_eq!(state(&server, &ann).await.1["username"], "ANN");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_every_session_and_begins_one() {
    let server = Server::start().await;
    let first = register(&server, "ann").await;
    let second = token(&login(&server, "ann", PASSWORD).await.1);
    let body = json!({"currentPassword": PASSWORD, "newPassword": OTHER_PASSWORD});
    let (status, body) = change(&server, &first, &body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["message"], "Profile updated successfully");
    assert_eq!(body["permissions"], json!(["user"]));
    for old in [first, second] {
        assert_eq!(state(&server, &old).await, not_authenticated("Invalid token format"));
    }
    assert_eq!(state(&server, &token(&body)).await.0, StatusCode::OK);
    assert_eq!(login(&server, "ann", PASSWORD).await, unauthorized("Invalid credentials"));
    assert_eq!(login(&server, "ann", OTHER_PASSWORD).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_the_sessions_of_other_dialects_but_no_api_token() {
    let server = Server::start().await;
    let (_, rest) = server.post_json("/auth/login", &json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})).await;
    let panel = token(&login(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await.1);
    let body = json!({"currentPassword": ADMIN_PASSWORD, "newPassword": OTHER_PASSWORD});
    assert_eq!(change(&server, &panel, &body).await.0, StatusCode::OK);
    let refresh = json!({"refreshToken": rest["refreshToken"]});
    assert_eq!(server.post_json("/auth/refresh-tokens", &refresh).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(answer(server.post("/auth").bearer_auth(rest["accessToken"].as_str().unwrap())).await.0, 401);
    assert_eq!(state(&server, ADMIN_TOKEN).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn name_and_password_change_together_or_not_at_all() {
    let server = Server::start().await;
    register(&server, "Bob").await;
    let ann = register(&server, "ann").await;
    let name_to = |name: &str, current: &str, new: &str| json!({"newUsername": name, "currentPassword": current, "newPassword": new});
    for (body, refusal) in [
        (name_to("bob", PASSWORD, OTHER_PASSWORD), bad_request("Username already taken")),
        (name_to("anna", "wrong", OTHER_PASSWORD), unauthorized("Current password is incorrect")),
        (name_to("anna", "", OTHER_PASSWORD), unauthorized("Current password is incorrect")),
        (name_to("anna", PASSWORD, "seven77"), bad_request("Password must be at least 8 characters")),
        (
            name_to("three green lamps", PASSWORD, "Three Green Lamps"),
            bad_request("Password must not be the login name"),
        ),
        (json!({"newUsername": "anna", "newPassword": OTHER_PASSWORD}), bad_request(NOTHING_GIVEN)),
    ] {
        assert_eq!(change(&server, &ann, &body).await, refusal, "{body}");
    }
    let before = json!({"authenticated": true, "username": "ann", "permissions": ["user"]});
    assert_eq!(state(&server, &ann).await, (StatusCode::OK, before));
    assert_eq!(login(&server, "ann", PASSWORD).await.0, StatusCode::OK);
    let (status, body) = change(&server, &ann, &name_to("anna", PASSWORD, OTHER_PASSWORD)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(state(&server, &token(&body)).await.1["username"], "anna");
    assert_eq!(login(&server, "anna", OTHER_PASSWORD).await.0, StatusCode::OK);
    assert_eq!(state(&server, &ann).await, not_authenticated("Invalid token format"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_request_without_a_change_in_it_is_refused() {
    let server = Server::start().await;
    let ann = register(&server, "ann").await;
    for body in [
        json!({}),
        json!({"newUsername": null, "newPassword": null}),
        json!({"currentPassword": PASSWORD}),
        json!({"newPassword": OTHER_PASSWORD}),
        json!({"newPassword": OTHER_PASSWORD, "currentPassword": null}),
    ] {
        assert_eq!(change(&server, &ann, &body).await, bad_request(NOTHING_GIVEN), "{body}");
    }
    let empty = server.request(Method::PUT, PROFILE).bearer_auth(&ann);
    assert_eq!(answer(empty).await, bad_request(NOTHING_GIVEN));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_profile_request_with_faults_names_them_all() {
    let server = Server::start().await;
    register(&server, "Bob").await;
    let ann = register(&server, "ann").await;
    for (body, reason) in [
        (json!({"newUsername": ""}), "Username must be 1 to 128 characters"),
        (json!({"newUsername": "a@b.example"}), "Username must not contain @"),
        (json!({"newUsername": "bob"}), "Username already taken"),
        (json!({"newUsername": 7, "newPassword": []}), "Username must be a string; Password must be a string"),
        (json!({"newPassword": OTHER_PASSWORD, "currentPassword": 7}), "Current password must be a string"),
        (json!({"newPassword": "", "currentPassword": PASSWORD}), "Password must be at least 8 characters"),
        (json!([]), "The body must be a JSON object"),
    ] {
        assert_eq!(change(&server, &ann, &body).await, bad_request(reason), "{body}");
    }
    assert_eq!(state(&server, &ann).await.1["username"], "ann");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_present_name_is_no_change_and_answers_with_a_token_all_the_same() {
    let server = Server::start().await;
    let ann = register(&server, "Ann").await;
    let (status, body) = change(&server, &ann, &json!({"newUsername": "Ann", "currentPassword": "unread"})).await;
    assert_eq!(status, StatusCode::OK);
    let expected = json!({"message": "No changes made to profile", "token": token(&body), "permissions": ["user"]});
    assert_eq!(body, expected);
    for token in [&ann, &token(&body)] {
        assert_eq!(state(&server, token).await.0, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_reads_and_changes_nothing() {
    let server = Server::start().await;
    let body = json!({"newUsername": "root", "currentPassword": ADMIN_PASSWORD, "newPassword": OTHER_PASSWORD});
    let by_key = server.request(Method::PUT, PROFILE).header("x-api-key", ADMIN_TOKEN).json(&body);
    let refusal = error(StatusCode::FORBIDDEN, "An API token reads here; changes need a session token");
    assert_eq!(answer(by_key).await, refusal);
    assert_eq!(change(&server, ADMIN_TOKEN, &body).await, refusal);
    assert_eq!(state(&server, ADMIN_TOKEN).await.1["username"], ADMIN_EMAIL);
    assert_eq!(login(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await.0, StatusCode::OK);
    let refusal = error(StatusCode::FORBIDDEN, "An API token has no session to end");
    assert_eq!(answer(server.post(LOGOUT).bearer_auth(ADMIN_TOKEN)).await, refusal);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logout_ends_its_session_and_no_other() {
    let server = Server::start().await;
    let first = register(&server, "ann").await;
    let second = token(&login(&server, "ann", PASSWORD).await.1);
    let expected = (StatusCode::OK, json!({"message": "Logged out successfully"}));
    assert_eq!(answer(server.post(LOGOUT).header("x-api-key", &first)).await, expected);
    assert_eq!(state(&server, &first).await, not_authenticated("Invalid token format"));
    assert_eq!(answer(server.post(LOGOUT).bearer_auth(&first)).await, unauthorized("Invalid token format"));
    assert_eq!(state(&server, &second).await.0, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn system_answers_everybody() {
    let server = Server::start().await;
    let expected = json!({"name": "doorward", "version": env!("CARGO_PKG_VERSION")});
    assert_eq!(answer(server.get("/api/system")).await, (StatusCode::OK, expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_methods_that_are_not_there_are_refused_in_this_dialect() {
    let server = Server::start().await;
    for path in ["/api", "/api/", "/api/auth", "/api/auth/state/", "/api/nodes", "/api/auth/login/x"] {
        assert_eq!(answer(server.get(path)).await, error(StatusCode::NOT_FOUND, "Not found"), "{path}");
    }
    for (path, method, allowed) in [
        (STATE, Method::POST, "GET,HEAD"),
        (REGISTER, Method::GET, "POST"),
        (LOGIN, Method::GET, "POST"),
        (PROFILE, Method::POST, "PUT"),
        (LOGOUT, Method::DELETE, "POST"),
        ("/api/system", Method::PUT, "GET,HEAD"),
    ] {
        let refusal = server.request(method, path).send().await.unwrap();
        assert_eq!(refusal.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(refusal.headers()[ALLOW], allowed, "{path}");
        assert_eq!(refusal.json::<Value>().await.unwrap(), json!({"error": "Method not allowed"}), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_moves_the_whole_dialect() {
    let server = Server::start_with("[argon]\nprefix = \"/panel\"").await;
    assert_eq!(answer(server.get("/panel/api/system")).await.0, StatusCode::OK);
    assert_eq!(answer(server.get("/panel/api/x")).await, error(StatusCode::NOT_FOUND, "Not found"));
    assert_ne!(answer(server.get("/api/system")).await.1, json!({"error": "Not found"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_server_says_no_more_than_that() {
    let server = Server::start().await;
    server.database().execute("alter table sessions rename to lost");
    let body = json!({"username": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let (status, text) = raw(server.post(LOGIN).json(&body)).await;
    assert_eq!((status, text.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, r#"{"error":"Server error"}"#));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_server_says_when_to_come_again() {
    let settings = format!("{UNTHROTTLED}[passwords]\nthreads = 1\nmax_wait = \"0s\"");
    let server = Server::start_with(&settings).await;
    let mut logins = tokio::task::JoinSet::new();
    for _ in 0..16 {
        logins.spawn(server.post(LOGIN).json(&json!({"username": "nobody", "password": PASSWORD})).send());
    }
    let answers: Vec<_> = logins.join_all().await.into_iter().map(Result::unwrap).collect();
    let busy: Vec<_> = answers.into_iter().filter(|answer| answer.status() != StatusCode::UNAUTHORIZED).collect();
    assert!(!busy.is_empty(), "sixteen hashes at once fit into no wait at all");
    for answer in busy {
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.headers()[RETRY_AFTER].to_str().unwrap().parse::<u32>().unwrap() >= 1);
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({"error": "The server is busy; try again"}));
    }
}
