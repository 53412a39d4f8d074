//! What holds on every path: tolerances, and the form of errors.

use reqwest::Method;
use reqwest::header::{ALLOW, CONTENT_ENCODING, CONTENT_TYPE, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::{Iron, NOBODY};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD};

/// Every route that asks for a credential and refuses without one by 401.
const ROUTES: [(&str, &str); 16] = [
    ("GET", "/1/tokens"),
    ("POST", "/1/tokens"),
    ("DELETE", "/1/tokens/0123456789abcdef01234567"),
    ("GET", "/1/users"),
    ("POST", "/1/users"),
    ("GET", "/1/users/0123456789abcdef01234567"),
    ("PATCH", "/1/users/0123456789abcdef01234567"),
    ("DELETE", "/1/users/0123456789abcdef01234567"),
    ("GET", "/1/projects"),
    ("POST", "/1/projects"),
    ("GET", "/1/projects/0123456789abcdef01234567"),
    ("PATCH", "/1/projects/0123456789abcdef01234567"),
    ("DELETE", "/1/projects/0123456789abcdef01234567"),
    ("GET", "/1/projects/0123456789abcdef01234567/share"),
    ("PATCH", "/1/projects/0123456789abcdef01234567/unshare"),
    ("GET", "/1/clusters"),
];

/// The statuses of this dialect.
const STATUSES: [u16; 12] = [200, 400, 401, 403, 404, 405, 408, 409, 413, 429, 500, 503];

#[tokio::test]
async fn without_a_usable_credential_every_path_answers_401_with_a_challenge() {
    let iron = Iron::start().await;
    for (method, path) in ROUTES {
        for token in ["", "OAuth dwt_mistyped", "Basic eDp5", "OAuth eyJhbGciOiJub25lIn0.e30."] {
            let mut request = iron.0.request(Method::from_bytes(method.as_bytes()).unwrap(), path).body("[no JSON");
            if !token.is_empty() {
                request = request.header("authorization", token);
            }
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 401, "{method} {path}");
            assert_eq!(answer.headers()[WWW_AUTHENTICATE], "OAuth realm=\"doorward\"");
            assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(body["msg"].as_str().unwrap().starts_with("fail: "), method == "DELETE");
        }
    }
}

#[tokio::test]
async fn a_slash_at_the_end_is_the_same_path() {
    let iron = Iron::start().await;
    for (method, path) in ROUTES {
        let body = if method == "GET" { Value::Null } else { json!({}) };
        let plain = iron.call(method, path, ADMIN_TOKEN, body.clone()).await;
        let slashed = iron.call(method, &format!("{path}/"), ADMIN_TOKEN, body).await;
        assert_eq!(plain.0, slashed.0, "{method} {path}");
    }
    let login = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    iron.done("POST", "/1/authentication/", "", login).await;
    assert_eq!(iron.get("/1/authentication/", ADMIN_TOKEN).await, (200, json!({})));
    assert_eq!(iron.get(&format!("/1/authentication/?project_id={NOBODY}"), ADMIN_TOKEN).await.0, 403);
}

#[tokio::test]
async fn a_json_body_is_json_whatever_its_content_type() {
    let iron = Iron::start().await;
    let login = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD}).to_string();
    for kind in ["", "application/json", "text/plain", "application/x-www-form-urlencoded", "nonsense"] {
        let mut request = iron.0.post("/1/authentication").body(login.clone());
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        assert_eq!(request.send().await.unwrap().status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn an_empty_object_on_get_and_delete_is_passed_over() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let project = iron.project(&ann.token, "mail").await;
    for path in [
        "/1/authentication".to_owned(),
        "/1/tokens".to_owned(),
        "/1/users?per_page=1".to_owned(),
        format!("/1/users/{}", ann.id),
        "/1/projects".to_owned(),
        format!("/1/projects/{project}"),
        format!("/1/projects/{project}/share"),
        "/1/clusters".to_owned(),
    ] {
        iron.done("GET", &path, ADMIN_TOKEN, json!({})).await;
    }
    iron.done("DELETE", &format!("/1/projects/{project}"), ADMIN_TOKEN, json!({})).await;
    iron.done("DELETE", &format!("/1/users/{}", ann.id), ADMIN_TOKEN, json!({})).await;
}

#[tokio::test]
async fn a_malformed_accept_encoding_means_no_encoding() {
    let iron = Iron::start().await;
    for value in ["gzip/deflate", "gzip, deflate, br", ";;;", "*"] {
        let request = iron.0.get(&format!("/1/users?oauth={ADMIN_TOKEN}")).header("accept-encoding", value);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{value}");
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
        assert!(answer.json::<Value>().await.unwrap()["users"].is_array());
    }
}

#[tokio::test]
async fn whatever_is_not_there_has_one_and_the_same_body() {
    let iron = Iron::start().await;
    let unknown = iron.get(&format!("/1/users/{NOBODY}"), ADMIN_TOKEN).await;
    assert_eq!(unknown.0, 404);
    for path in [
        "/1/users/nobody@example.com".to_owned(),
        "/1/users/%FF".to_owned(),
        format!("/1/projects/{NOBODY}"),
        format!("/1/projects/{NOBODY}/share"),
        "/1/projects/%FF/share".to_owned(),
        format!("/1/tokens?user_id={NOBODY}"),
        "/1".to_owned(),
        "/1/".to_owned(),
        "/1/nothing".to_owned(),
        "/1/users/a/b".to_owned(),
    ] {
        assert_eq!(iron.get(&path, ADMIN_TOKEN).await, unknown, "{path}");
    }
}

#[tokio::test]
async fn a_method_that_a_path_does_not_take_is_told_which_it_takes() {
    let iron = Iron::start().await;
    for (method, path, allowed) in [
        ("PUT", "/1/users", "GET,HEAD,POST"),
        ("DELETE", "/1/users/", "GET,HEAD,POST"),
        ("POST", "/1/clusters", "GET,HEAD"),
        ("GET", "/1/projects/0123456789abcdef01234567/unshare", "PATCH"),
    ] {
        assert_eq!(iron.refused(method, path, ADMIN_TOKEN, Value::Null).await, 405);
        let request = iron.0.request(Method::from_bytes(method.as_bytes()).unwrap(), path);
        assert_eq!(request.send().await.unwrap().headers()[ALLOW], allowed, "{method} {path}");
    }
}

#[tokio::test]
async fn hostile_bodies_are_malformed_or_too_large_and_nothing_else() {
    let iron = Iron::start().await;
    let deep = "[".repeat(10_000);
    let repeated = format!("{{\"email\":\"a@b.example\",\"email\":\"c@d.example\",\"password\":\"{PASSWORD}\"}}");
    for body in ["{", "{}{}", "\u{feff}{}", "null", "7", "{\"email\":\"\\ud800\"}", &deep, &repeated] {
        for path in ["/1/authentication", "/1/users"] {
            let request = iron.0.post(path).header("authorization", format!("OAuth {ADMIN_TOKEN}"));
            let answer = request.body(body.to_owned()).send().await.unwrap();
            assert_eq!(answer.status(), 400, "{path} {}", &body[..body.len().min(40)]);
            assert!(answer.json::<Value>().await.unwrap()["msg"].is_string());
        }
    }
    let large = json!({"email": ADMIN_EMAIL, "password": "x".repeat(1_100_000)});
    assert_eq!(iron.refused("POST", "/1/authentication", "", large).await, 413);
}

#[tokio::test]
async fn no_message_holds_a_number_that_clients_take_for_a_status() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let bodies =
        [json!([]), json!({}), json!({"name": "x".repeat(300), "email": "404", "password": "500", "user_id": 1})];
    for (method, path) in ROUTES {
        for token in ["", &ann.token, ADMIN_TOKEN] {
            for body in &bodies {
                let (status, body) = iron.call(method, path, token, body.clone()).await;
                let Some(message) = body["msg"].as_str() else { continue };
                let mut numbers = message.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok());
                let another = numbers.find(|number| STATUSES.contains(number) && *number != status);
                assert_eq!(another, None, "{method} {path}: {message}");
            }
        }
    }
}
