//! `POST /auth/register`.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{assert_failure, fields, login, text};
use crate::harness::{ADMIN_EMAIL, PASSWORD, Server, answer};

const REGISTER: &str = "/auth/register";

/// A registration that is in order, but for the fields of `other`, where null takes a field out.
fn registration(other: &Value) -> Value {
    let mut body =
        json!({"name": "Ann", "bio": "Reads.", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    for (field, value) in other.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registration_answers_as_a_login_and_the_token_is_welcome() {
    let server = Server::start().await;
    let body = server.register("Ann@Example.com").await;
    assert_eq!(body["user"]["email"], "Ann@Example.com");
    assert_eq!(body["user"]["id"].as_str().unwrap().len(), 24);
    let token = body["accessToken"].as_str().unwrap();
    let (status, welcome) = answer(server.post("/auth").bearer_auth(token)).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        welcome,
        json!({"message": "Welcome Ann", "user": {"name": "Ann", "bio": null, "email": "Ann@Example.com"}})
    );
    let (status, login) = login(&server, "ann@EXAMPLE.com", PASSWORD).await;
    assert_eq!(status, StatusCode::OK, "{login}");
    assert_eq!(login["user"], body["user"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_answer_has_the_fields_of_the_contract_and_no_others() {
    let server = Server::start().await;
    let (status, body) = server.post_json(REGISTER, &registration(&json!({}))).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let token = |kind: &str| json!({"token": body[format!("{kind}Token")], "expires": body["tokens"][kind]["expires"]});
    let expected = json!({
        "user": {"id": body["user"]["id"], "name": "Ann", "bio": "Reads.", "email": "ann@example.com"},
        "tokens": {"access": token("access"), "refresh": token("refresh")},
        "accessToken": body["accessToken"],
        "refreshToken": body["refreshToken"],
    });
    assert_eq!(body, expected);
    assert!(text(&body, "/refreshToken").starts_with("dwr_"));
    let minutes = |minutes| server.clock.now().plus(std::time::Duration::from_mins(minutes)).rfc3339();
    assert_eq!(body["tokens"]["access"]["expires"], minutes(15));
    assert_eq!(body["tokens"]["refresh"]["expires"], minutes(30 * 24 * 60));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_faults_are_told_at_once() {
    let server = Server::start().await;
    let empty = server.post_json(REGISTER, &json!({})).await;
    assert_eq!(fields(&empty), ["name", "email", "password", "confirm"]);
    let bad = json!({"name": "", "bio": 5, "email": "ann", "password": "short", "confirm": "other"});
    assert_eq!(fields(&server.post_json(REGISTER, &bad).await), ["name", "bio", "email", "confirm", "password"]);
    let types = json!({"name": 1, "bio": [], "email": {}, "password": true, "confirm": 1.5});
    assert_eq!(fields(&server.post_json(REGISTER, &types).await), ["name", "bio", "email", "password", "confirm"]);
    let nulls = json!({"name": null, "bio": null, "email": null, "password": null, "confirm": null});
    assert_eq!(fields(&server.post_json(REGISTER, &nulls).await), ["name", "email", "password", "confirm"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_confirmation_that_differs_is_a_fault_of_its_own() {
    let server = Server::start().await;
    let body = registration(&json!({"confirm": "correct horse batterY"}));
    assert_eq!(fields(&server.post_json(REGISTER, &body).await), ["confirm"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_password_typed_on_two_keyboards_is_confirmed() {
    let server = Server::start().await;
    let body = registration(&json!({"password": "p\u{e4}ssword of mine", "confirm": "pa\u{308}ssword of mine"}));
    let (status, body) = server.post_json(REGISTER, &body).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_taken_email_is_a_bad_request_in_every_spelling() {
    let server = Server::start().await;
    server.register("ann@b\u{fc}cher.example").await;
    for email in
        ["ann@b\u{fc}cher.example", "ANN@B\u{dc}CHER.example", "ann@xn--bcher-kva.example", "ann@bu\u{308}cher.example"]
    {
        let got = server.post_json(REGISTER, &registration(&json!({"email": email}))).await;
        assert_eq!(fields(&got), ["email"], "{email}");
    }
    let got = server.post_json(REGISTER, &registration(&json!({"email": ADMIN_EMAIL}))).await;
    assert_eq!(fields(&got), ["email"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_one_address_is_no_email() {
    let server = Server::start().await;
    let emails = [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example.com,eve@example.com",
        "ann@example.com;eve@example.com",
        "Ann <ann@example.com>",
        "<ann@example.com>",
        "ann@example.com\r\nBcc: eve@example.com",
        "ann@example.com\n",
        " ann@example.com",
        "\"ann\"@example.com",
        "ann@[127.0.0.1]",
        "ann\u{0}@example.com",
        "ann\u{202e}@example.com",
    ];
    for email in emails {
        let got = server.post_json(REGISTER, &registration(&json!({"email": email}))).await;
        assert_eq!(fields(&got), ["email"], "{email:?}");
    }
    let long = format!("{}@example.com", "a".repeat(300));
    assert_eq!(fields(&server.post_json(REGISTER, &registration(&json!({"email": long}))).await), ["email"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_bios_have_their_limits_in_characters() {
    let server = Server::start().await;
    for name in ["", " ", &"\u{e4}".repeat(101), "A\nnn", "A\u{0}nn"] {
        let got = server.post_json(REGISTER, &registration(&json!({"name": name}))).await;
        assert_eq!(fields(&got), ["name"], "{name:?}");
    }
    for bio in ["\u{e4}".repeat(2_001), "a\u{0}".to_owned()] {
        assert_eq!(fields(&server.post_json(REGISTER, &registration(&json!({"bio": bio}))).await), ["bio"]);
    }
    let longest = json!({"name": "\u{1f600}".repeat(100), "bio": "\u{1f600}".repeat(2_000)});
    let (status, body) = server.post_json(REGISTER, &registration(&longest)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_eq!(body["user"]["name"], longest["name"]);
    assert_eq!(body["user"]["bio"], longest["bio"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bio_may_be_null_or_absent() {
    let server = Server::start().await;
    let mut absent = registration(&json!({"email": "bob@example.com"}));
    absent.as_object_mut().unwrap().remove("bio");
    for body in [registration(&json!({"bio": null})), absent] {
        let (status, body) = server.post_json(REGISTER, &body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        assert_eq!(body["user"]["bio"], Value::Null);
    }
}

/// CVE-2026-27946.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_field_of_a_registration_gives_power() {
    let server = Server::start().await;
    let more = json!({
        "admin": true, "isAdmin": true, "role": "admin", "permissions": ["admin"], "flags": {"admin": true},
        "status": "admin", "user_id": "0123456789abcdef01234567", "id": "0123456789abcdef01234567",
        "email_verified": true, "email_verified_at": 1, "isEmailVerified": true, "plan_worker": {"a": 1},
    });
    let (status, body) = server.post_json(REGISTER, &registration(&more)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_ne!(body["user"]["id"], more["id"]);
    for (column, expected) in [
        ("permissions", "[\"user\"]"),
        ("case when admin then 'yes' else 'no' end", "no"),
        ("status", "active"),
        ("flags", "{}"),
        ("plan_worker", "{}"),
        ("case when email_verified_at is null then 'null' else 'set' end", "null"),
    ] {
        let query = format!("select {column} from users where email = 'ann@example.com'");
        assert_eq!(server.database().value(&query), expected, "{column}");
    }
    let users = answer(server.get("/1/users").bearer_auth(text(&body, "/accessToken"))).await;
    assert_eq!(users.0, StatusCode::FORBIDDEN, "{}", users.1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_registration_refuses_everybody() {
    let server = Server::start_with("registration = \"closed\"").await;
    for body in [registration(&json!({})), json!({})] {
        let got = server.post_json(REGISTER, &body).await;
        assert_failure(&got, StatusCode::FORBIDDEN);
        assert!(text(&got.1, "/message").contains("registration is closed"), "{}", got.1);
    }
    assert_eq!(server.database().value("select count(*) from users"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_registered_many_times_at_once_is_one_user() {
    let server = Server::start_with("[passwords]\nmax_wait = \"60s\"").await;
    let body = registration(&json!({}));
    let attempts = (0..16).map(|_| {
        let request = server.post(REGISTER).json(&body);
        tokio::spawn(answer(request))
    });
    let mut created = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        let got = attempt.await.unwrap();
        if got.0 == StatusCode::CREATED {
            created += 1;
        } else {
            assert_eq!(fields(&got), ["email"]);
        }
    }
    assert_eq!(created, 1);
}
