//! The rest dialect, row by row; and how its tests, and those of sessions, speak to it.

mod login;
mod passwords;
mod recovery;
mod registration;
mod shapes;
mod verification;

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

pub(crate) use self::recovery::all_mails;
use crate::harness::{ADMIN_TOKEN, Server, answer, token_in};

/// The paths of the dialect. All of them take POST and nothing else.
const PATHS: [&str; 9] = [
    "/auth",
    "/auth/register",
    "/auth/login",
    "/auth/logout",
    "/auth/refresh-tokens",
    "/auth/forgot-password",
    "/auth/reset-password",
    "/auth/send-verification-email",
    "/auth/verify-email",
];

/// A server on which Ann has signed up, and her access token.
async fn with_ann() -> (Server, String) {
    let server = Server::start().await;
    let ann = server.register("ann@example.com").await;
    (server, text(&ann, "/accessToken").to_owned())
}

pub(crate) async fn login(server: &Server, email: &str, password: &str) -> (StatusCode, Value) {
    server.post_json("/auth/login", &json!({"email": email, "password": password})).await
}

pub(crate) async fn refresh(server: &Server, token: &str) -> (StatusCode, Value) {
    server.post_json("/auth/refresh-tokens", &json!({"refreshToken": token})).await
}

pub(crate) async fn logout(server: &Server, token: &str) -> (StatusCode, Value) {
    server.post_json("/auth/logout", &json!({"refreshToken": token})).await
}

pub(crate) async fn reset(server: &Server, token: &str, password: &str) -> (StatusCode, Value) {
    server.post_json(&format!("/auth/reset-password?token={token}"), &json!({"password": password})).await
}

pub(crate) async fn verify(server: &Server, bearer: &str, token: &str) -> (StatusCode, Value) {
    answer(server.post(&format!("/auth/verify-email?token={token}")).bearer_auth(bearer)).await
}

/// What the server says to the bearer of a token.
pub(crate) async fn welcome(server: &Server, bearer: &str) -> StatusCode {
    answer(server.post("/auth").bearer_auth(bearer)).await.0
}

/// How many mails there are. The next one will be the last: mails are sorted by their time, and
/// the clock would stand still.
pub(crate) fn next_mail(server: &Server) -> usize {
    server.clock.advance(Duration::from_millis(1));
    server.mails().len()
}

/// The token of a fresh reset mail.
pub(crate) async fn reset_token(server: &Server, email: &str) -> String {
    let before = next_mail(server);
    let (status, body) = server.post_json("/auth/forgot-password", &json!({"email": email})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    token_in(server.wait_for_mails(before + 1).await.last().unwrap())
}

/// The token of a fresh verification mail.
pub(crate) async fn verification_token(server: &Server, bearer: &str) -> String {
    let before = next_mail(server);
    let (status, body) = answer(server.post("/auth/send-verification-email").bearer_auth(bearer)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    token_in(server.wait_for_mails(before + 1).await.last().unwrap())
}

/// A request of the iron dialect, where administrators work and API tokens are made.
pub(crate) async fn iron(server: &Server, bearer: &str, method: Method, path: &str, body: Value) -> Value {
    let (status, body) = answer(server.request(method, path).bearer_auth(bearer).json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

pub(crate) async fn set_status(server: &Server, email: &str, status: &str) {
    iron(server, ADMIN_TOKEN, Method::PATCH, &format!("/1/users/{email}"), json!({"status": status})).await;
}

pub(crate) async fn create_api_token(server: &Server, bearer: &str) -> String {
    let body = iron(server, bearer, Method::POST, "/1/tokens", json!({"name": "test"})).await;
    text(&body, "/token/token").to_owned()
}

/// The text at a JSON pointer.
pub(crate) fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer} of {value}"))
}

/// When a user's address was proven to be the user's, in microseconds.
fn verified_at(server: &Server, email: &str) -> Option<i64> {
    let query = format!("select coalesce(cast(email_verified_at as text), 'never') from users where email = '{email}'");
    let at = server.database().value(&query);
    (at != "never").then(|| at.parse().unwrap())
}

/// An error's body says what its status line says, and something to people.
pub(crate) fn assert_failure(got: &(StatusCode, Value), expected: StatusCode) {
    let (status, body) = got;
    assert_eq!(*status, expected, "{body}");
    assert_eq!(body["code"], expected.as_u16(), "{body}");
    assert_eq!(text(body, "/error"), expected.canonical_reason().unwrap(), "{body}");
    assert!(!text(body, "/message").is_empty(), "{body}");
}

/// The fields that a 400 complains of, in its order.
pub(crate) fn fields(got: &(StatusCode, Value)) -> Vec<&str> {
    assert_failure(got, StatusCode::BAD_REQUEST);
    let faults = got.1["errors"].as_array().unwrap_or_else(|| panic!("no list of errors in {}", got.1));
    assert!(faults.iter().all(|fault| !text(fault, "/message").is_empty()), "{}", got.1);
    faults.iter().map(|fault| text(fault, "/field")).collect()
}
