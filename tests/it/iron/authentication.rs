//! `/1/authentication`: the check and the login.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Value, json};

use super::{Iron, NOBODY, is_flat_and_enveloped, text};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD};

#[tokio::test]
async fn a_live_token_is_admitted_with_an_empty_object() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    for token in [ann.token.as_str(), ADMIN_TOKEN, &iron.admin_session().await] {
        assert_eq!(iron.get("/1/authentication", token).await, (200, json!({})));
    }
}

#[tokio::test]
async fn a_project_admits_its_owner_those_it_is_shared_with_and_admin_tokens() {
    let iron = Iron::start().await;
    let (ann, bob, eve) = (iron.somebody("ann").await, iron.somebody("bob").await, iron.somebody("eve").await);
    let project = iron.project(&ann.token, "mail").await;
    iron.done("PATCH", &format!("/1/projects/{project}/share"), &ann.token, json!([bob.id])).await;
    for token in [&ann.token, &bob.token, &iron.login(&bob.email, PASSWORD).await, ADMIN_TOKEN] {
        assert_eq!(iron.check(token, &project).await, 200);
    }
    assert_eq!(iron.check(&eve.token, &project).await, 403);
    assert_eq!(iron.check(ADMIN_TOKEN, NOBODY).await, 403);
}

#[tokio::test]
async fn an_administrators_token_without_admin_is_nobody_special() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let project = iron.project(&ann.token, "mail").await;
    let plain = text(&iron.done("POST", "/1/tokens", ADMIN_TOKEN, json!({})).await["token"]["token"]);
    assert_eq!(iron.check(&plain, &project).await, 403);
    assert_eq!(iron.refused("GET", "/1/users", &plain, Value::Null).await, 403);
}

#[tokio::test]
async fn every_refusal_has_one_and_the_same_body_and_no_challenge() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let project = iron.project(&ann.token, "mail").await;
    let soon = iron.0.clock.now().plus(Duration::from_mins(1)).rfc3339();
    let expired = iron.done("POST", "/1/tokens", &ann.token, json!({"expires_at": soon})).await;
    let deleted = iron.done("POST", "/1/tokens", &ann.token, json!({})).await;
    iron.done("DELETE", &format!("/1/tokens/{}", text(&deleted["token"]["_id"])), &ann.token, Value::Null).await;
    let session = iron.login(&bob.email, PASSWORD).await;
    iron.done("PATCH", &format!("/1/users/{}", bob.id), ADMIN_TOKEN, json!({"status": "disabled"})).await;
    let (expired, deleted) = (text(&expired["token"]["token"]), text(&deleted["token"]["token"]));
    assert_eq!(iron.get("/1/authentication", &expired).await.0, 200);
    iron.0.clock.advance(Duration::from_mins(1));
    let cases = [
        ("", String::new()),
        ("dwt_mistyped", String::new()),
        ("eyJhbGciOiJub25lIn0.e30.", String::new()),
        (&expired, String::new()),
        (&deleted, String::new()),
        (&bob.token, String::new()),
        (&session, String::new()),
        (&ann.token, NOBODY.to_owned()),
        (&ann.token, "no-id".to_owned()),
        (&ann.token, "%FF".to_owned()),
        (&ann.token, format!("{project}&project_id={NOBODY}")),
        (ADMIN_TOKEN, NOBODY.to_owned()),
    ];
    let mut bodies = Vec::new();
    for (token, project) in cases {
        let query = if project.is_empty() { String::new() } else { format!("?project_id={project}") };
        let request = iron.0.get(&format!("/1/authentication{query}"));
        let request =
            if token.is_empty() { request } else { request.header("authorization", format!("OAuth {token}")) };
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403, "{query}");
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/json");
        assert!(!answer.headers().contains_key(WWW_AUTHENTICATE));
        bodies.push(answer.bytes().await.unwrap());
    }
    assert!(bodies.iter().all(|body| body == &bodies[0]));
    assert!(serde_json::from_slice::<Value>(&bodies[0]).unwrap()["msg"].is_string());
}

#[tokio::test]
async fn a_token_is_refused_once_its_time_is_over() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let soon = iron.0.clock.now().plus(Duration::from_mins(1)).rfc3339();
    let token = text(&iron.done("POST", "/1/tokens", &ann.token, json!({"expires_at": soon})).await["token"]["token"]);
    let session = iron.login(&ann.email, PASSWORD).await;
    assert_eq!(iron.get("/1/authentication", &token).await.0, 200);
    iron.0.clock.advance(Duration::from_mins(1));
    assert_eq!(iron.get("/1/authentication", &token).await.0, 403);
    assert_eq!(iron.get("/1/authentication", &session).await.0, 200);
    iron.0.clock.advance(Duration::from_hours(24) + Duration::from_mins(2));
    assert_eq!(iron.get("/1/authentication", &session).await.0, 403);
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 200);
}

#[tokio::test]
async fn an_empty_project_id_is_an_unknown_project() {
    let iron = Iron::start().await;
    assert_eq!(iron.check(ADMIN_TOKEN, "").await, 403);
}

#[tokio::test]
async fn a_project_is_asked_about_in_either_spelling_of_its_id() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let id = iron.project(&ann.token, "mail").await;
    let uuid = format!("{}-{}-40{}-80{}-{}0000", &id[..8], &id[8..12], &id[12..14], &id[14..16], &id[16..]);
    assert_eq!(iron.check(&ann.token, &uuid).await, 200);
    assert_eq!(iron.check(&ann.token, &id.to_uppercase()).await, 200);
}

#[tokio::test]
async fn what_is_taken_away_is_refused_in_the_next_request() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let project = iron.project(&ann.token, "mail").await;
    let share = format!("/1/projects/{project}/share");
    iron.done("PATCH", &share, &ann.token, json!([bob.id])).await;
    assert_eq!(iron.check(&bob.token, &project).await, 200);
    iron.done("PATCH", &share.replace("share", "unshare"), &ann.token, json!([bob.id])).await;
    assert_eq!(iron.check(&bob.token, &project).await, 403);
    assert_eq!(iron.check(&ann.token, &project).await, 200);
    iron.done("DELETE", &format!("/1/projects/{project}"), &ann.token, Value::Null).await;
    assert_eq!(iron.check(&ann.token, &project).await, 403);
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 200);
    iron.done("DELETE", &format!("/1/users/{}", ann.id), ADMIN_TOKEN, Value::Null).await;
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 403);
}

#[tokio::test]
async fn the_token_stands_under_three_schemes_in_any_case_or_in_the_query() {
    let iron = Iron::start().await;
    for scheme in ["OAuth", "oauth", "OAUTH", "Bearer", "bearer", "Token", "tOKEN"] {
        let request = iron.0.get("/1/authentication").header("authorization", format!("{scheme} {ADMIN_TOKEN}"));
        assert_eq!(request.send().await.unwrap().status(), 200, "{scheme}");
    }
    for value in ["Basic YWRtaW46YWRtaW4=", "OAuth", "OAuth ", ADMIN_TOKEN, "OAuth two words"] {
        let request = iron.0.get("/1/authentication").header("authorization", value);
        assert_eq!(request.send().await.unwrap().status(), 403, "{value}");
    }
    let query = format!("/1/authentication?oauth={ADMIN_TOKEN}");
    assert_eq!(iron.get(&query, "").await.0, 200);
    assert_eq!(iron.get(&format!("/1/users?oauth={ADMIN_TOKEN}&per_page=1"), "").await.0, 200);
}

#[tokio::test]
async fn two_different_tokens_are_a_bad_one_and_the_same_twice_is_one() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let query = format!("/1/authentication?oauth={ADMIN_TOKEN}");
    assert_eq!(iron.get(&query, ADMIN_TOKEN).await.0, 200);
    assert_eq!(iron.get(&query, &ann.token).await.0, 403);
    assert_eq!(iron.get(&format!("/1/users?oauth={}", ann.token), ADMIN_TOKEN).await.0, 401);
    assert_eq!(iron.get("/1/authentication?oauth=", ADMIN_TOKEN).await.0, 200);
}

#[tokio::test]
async fn the_query_is_not_looked_at_where_the_operator_says_so() {
    let iron = Iron::start_with("[iron]\nquery_token = false\n").await;
    assert_eq!(iron.get(&format!("/1/authentication?oauth={ADMIN_TOKEN}"), "").await.0, 403);
    assert_eq!(iron.get("/1/authentication?oauth=another", ADMIN_TOKEN).await.0, 200);
}

#[tokio::test]
async fn a_login_shows_the_user_with_one_access_token_of_a_day() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let login = json!({"email": "Ann@EXAMPLE.com", "password": PASSWORD});
    let body = iron.done("POST", "/1/authentication", "", login).await;
    is_flat_and_enveloped(&body, "user");
    let token = text(&body["tokens"][0]);
    let expected = json!({
        "user_id": ann.id, "email": ann.email, "tokens": [token], "status": "active", "plan_worker": {}, "flags": {},
    });
    assert_eq!(body["user"], expected);
    iron.0.clock.advance(Duration::from_hours(23));
    assert_eq!(iron.get(&format!("/1/users/{}", ann.id), &token).await.0, 200);
    assert_eq!(iron.get(&format!("/1/users/{}", ann.id), &token).await.1["tokens"], json!([]));
}

#[tokio::test]
async fn a_login_does_not_look_at_credentials() {
    let iron = Iron::start().await;
    let login = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    let (status, _) = iron.call("POST", "/1/authentication?oauth=bad", "another-bad-one", login).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn every_wrong_login_has_one_and_the_same_answer() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    iron.done("PATCH", &format!("/1/users/{}", ann.id), ADMIN_TOKEN, json!({"status": "disabled"})).await;
    let mut answers = Vec::new();
    for (email, password) in [
        (ADMIN_EMAIL, "wrong"),
        (ADMIN_EMAIL, ""),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", PASSWORD),
        (ann.email.as_str(), PASSWORD),
    ] {
        let login = json!({"email": email, "password": password});
        answers.push(iron.call("POST", "/1/authentication", "", login).await);
    }
    assert_eq!(answers[0].0, 403);
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");
}

#[tokio::test]
async fn a_login_without_email_and_password_as_texts_is_malformed() {
    let iron = Iron::start().await;
    for body in [
        json!({}),
        json!({"email": ADMIN_EMAIL}),
        json!({"email": [ADMIN_EMAIL], "password": ADMIN_PASSWORD}),
        json!({"email": ADMIN_EMAIL, "password": 7}),
        json!({"email": ADMIN_EMAIL, "password": "x".repeat(1_025)}),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(iron.refused("POST", "/1/authentication", "", body).await, 400);
    }
}

#[tokio::test]
async fn a_login_that_would_wait_too_long_says_when_to_come_again() {
    let iron = Iron::start_with("[passwords]\nthreads = 1\nmax_wait = \"0s\"\n").await;
    let attempts: Vec<_> = (0..12)
        .map(|number| {
            let login = json!({"email": format!("nobody{number}@example.com"), "password": "wrong"});
            tokio::spawn(iron.0.request(Method::POST, "/1/authentication").body(login.to_string()).send())
        })
        .collect();
    let mut busy = 0;
    for attempt in attempts {
        let answer = attempt.await.unwrap().unwrap();
        if answer.status() == 503 {
            busy += 1;
            assert!(answer.headers()[RETRY_AFTER].to_str().unwrap().parse::<u64>().unwrap() >= 1);
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert!(body["msg"].is_string());
        } else {
            assert_eq!(answer.status(), 403);
        }
    }
    assert!(busy > 0);
}
