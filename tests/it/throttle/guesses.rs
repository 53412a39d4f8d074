//! Guesses of a password.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{BEHIND_A_PROXY, DIALECTS, Dialect, ELSEWHERE, HERE, WRONG, guesses, wait, with_ann, with_ann_and};
use crate::harness::{ARRIVAL, PASSWORD, SLOW_HASHES, Server};

/// Row 10: CVE-2025-24806, CVE-2026-47203, CVE-2026-9798.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_failures_of_an_account_add_up_over_dialects_and_spellings() {
    let server = with_ann().await;
    let spellings = [
        (Dialect::Iron, "bob@example.com"),
        (Dialect::Rest, "BOB@example.com"),
        (Dialect::XAccessToken, "Bob@EXAMPLE.COM"),
        (Dialect::Argon, "bob the builder"),
        (Dialect::Argon, "BOB The Builder"),
        (Dialect::Argon, "ｂｏｂ the builder"),
        (Dialect::Argon, "bob@example.com"),
    ];
    let mut looked_at = 0;
    for (dialect, login) in spellings.into_iter().cycle().take(50) {
        match dialect.sign_in_from(&server, HERE, login, WRONG).await {
            StatusCode::TOO_MANY_REQUESTS => {}
            status => {
                assert_eq!(status, dialect.wrong_credentials(), "{dialect:?} {login}");
                looked_at += 1;
            }
        }
    }
    assert_eq!(looked_at, 10);
    // The right password is not looked at either, in whatever dialect and spelling.
    for (dialect, login) in spellings {
        assert_eq!(
            dialect.sign_in_from(&server, HERE, login, PASSWORD).await,
            StatusCode::TOO_MANY_REQUESTS,
            "{login}"
        );
    }
    assert_eq!(guesses(&server, HERE, "ann@example.com", 4).await, 4, "another account has its own failures");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_says_when_to_come_again_in_the_shape_of_its_dialect() {
    let server = with_ann().await;
    assert_eq!(guesses(&server, HERE, "bob@example.com", 11).await, 10);
    wait(&server, 13);
    for dialect in DIALECTS {
        let answer = dialect.request(&server, HERE, "bob@example.com", PASSWORD).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS, "{dialect:?}");
        assert_eq!(answer.headers()["retry-after"], "47", "{dialect:?}");
        assert_eq!(answer.headers()["cache-control"], "no-store", "{dialect:?}");
        let body: Value = answer.json().await.unwrap();
        let message = "too many attempts; wait as long as retry-after says";
        let said = |text: &Value| text.as_str().unwrap().to_lowercase().trim_end_matches('.').to_owned();
        match dialect {
            Dialect::Iron => assert_eq!((body.as_object().unwrap().len(), said(&body["msg"])), (1, message.to_owned())),
            Dialect::Rest => {
                assert_eq!((&body["code"], &body["error"]), (&json!(429), &json!("Too Many Requests")), "{body}");
                assert_eq!(said(&body["message"]), message);
            }
            Dialect::XAccessToken => {
                assert_eq!((&body["success"], &body["error"]), (&json!(false), &json!("Too Many Requests")), "{body}");
                assert_eq!(said(&body["message"]), message);
            }
            Dialect::Argon => assert!(body.to_string().to_lowercase().contains(message), "{body}"),
        }
    }
    wait(&server, 47);
    assert_eq!(guesses(&server, HERE, "bob@example.com", 5).await, 1, "one a minute");
    wait(&server, 600);
    assert_eq!(Dialect::Rest.sign_in_from(&server, HERE, "bob@example.com", PASSWORD).await, StatusCode::OK);
}

/// Row 11: CVE-2024-4629.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_hundred_guesses_at_once_no_more_are_looked_at_than_one_after_the_other() {
    // A guess that finds no hashing is not looked at, and does not count.
    let server = with_ann_and("[passwords]\nmax_wait = \"60s\"\n").await;
    let guess = |number: usize| {
        let dialect = DIALECTS[number % DIALECTS.len()];
        let request = dialect.request(&server, HERE, "bob@example.com", &format!("{WRONG} {number}"));
        async move { (dialect, request.send().await.unwrap().status()) }
    };
    let answers = join_all((0..500).map(guess)).await;
    let looked_at = answers.iter().filter(|(dialect, status)| *status == dialect.wrong_credentials()).count();
    let refused = answers.iter().filter(|(_, status)| *status == StatusCode::TOO_MANY_REQUESTS).count();
    assert_eq!((looked_at, refused), (10, 490), "{answers:?}");
}

/// Row 12: a stranger must not lock the owner out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_of_an_account_that_strangers_fail_for_still_gets_in() {
    let server = Server::start_with(BEHIND_A_PROXY).await;
    let body = json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    let register = server.post("/auth/register").header("X-Forwarded-For", HERE).json(&body);
    assert_eq!(register.send().await.unwrap().status(), StatusCode::CREATED);
    // One stranger, a thousand times.
    assert_eq!(guesses(&server, ELSEWHERE, "ann@example.com", 1_000).await, 10);
    assert_eq!(Dialect::Rest.sign_in_from(&server, "203.0.113.1", "ann@example.com", PASSWORD).await, StatusCode::OK);
    // Strangers all over the world.
    let mut looked_at = 0;
    for host in 0..50 {
        looked_at += guesses(&server, &format!("198.51.100.{host}"), "ann@example.com", 4).await;
    }
    assert_eq!(looked_at, 90, "a hundred with those of the first");
    for known in [HERE, "203.0.113.1"] {
        assert_eq!(
            Dialect::Iron.sign_in_from(&server, known, "ann@example.com", PASSWORD).await,
            StatusCode::OK,
            "{known}"
        );
    }
    let unknown = Dialect::Rest.sign_in_from(&server, "203.0.113.2", "ann@example.com", PASSWORD).await;
    assert_eq!(unknown, StatusCode::TOO_MANY_REQUESTS, "nobody can tell that from a guess");
    assert_eq!(guesses(&server, HERE, "ann@example.com", 50).await, 10, "where it is known, too, ten are enough");
    // What is long ago is forgotten.
    wait(&server, 31 * 24 * 3_600);
    for host in 0..50 {
        guesses(&server, &format!("198.51.100.{host}"), "ann@example.com", 4).await;
    }
    let forgotten = Dialect::Rest.sign_in_from(&server, HERE, "ann@example.com", PASSWORD).await;
    assert_eq!(forgotten, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_in_is_forgiven_what_they_mistyped() {
    let server = with_ann().await;
    for _ in 0..5 {
        assert_eq!(guesses(&server, HERE, "bob@example.com", 9).await, 9);
        assert_eq!(Dialect::Argon.sign_in_from(&server, HERE, "bob@example.com", PASSWORD).await, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_validation_does_not_count() {
    let server = with_ann().await;
    for _ in 0..50 {
        for dialect in DIALECTS {
            let empty = server.post(dialect.login_path()).header("X-Forwarded-For", HERE).json(&json!({}));
            assert_eq!(empty.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{dialect:?}");
            let typed = json!({"email": 7, "username": [], "password": {}});
            let typed = server.post(dialect.login_path()).header("X-Forwarded-For", HERE).json(&typed);
            assert_eq!(typed.send().await.unwrap().status(), StatusCode::BAD_REQUEST, "{dialect:?}");
        }
    }
    assert_eq!(guesses(&server, HERE, "bob@example.com", 50).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_nobody_has_is_answered_like_one_that_somebody_has() {
    let server = with_ann().await;
    for login in ["nobody@example.com", "bob@example.com"] {
        assert_eq!(guesses(&server, HERE, login, 30).await, 10, "{login}");
    }
    let answers = ["nobody@example.com", "bob@example.com"].map(|login| async {
        let answer = Dialect::Rest.request(&server, HERE, login, PASSWORD).send().await.unwrap();
        (answer.status(), answer.headers()["retry-after"].clone(), answer.text().await.unwrap())
    });
    let [unknown, known] = <[_; 2]>::try_from(join_all(answers).await).unwrap();
    assert_eq!(unknown, known);
}

/// Whoever got hold of a session may not guess the password by it, neither beside sign-ins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_current_password_is_not_guessed_more_often_than_at_sign_in() {
    let server = with_ann().await;
    let (_, session) =
        server.post_json("/api/auth/login", &Dialect::Argon.credentials("bob the builder", PASSWORD)).await;
    let token = session["token"].as_str().unwrap().to_owned();
    let change = |current: &str| {
        let body = json!({"newPassword": "another pass phrase", "currentPassword": current});
        let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(&token);
        request.header("X-Forwarded-For", HERE).json(&body).send()
    };
    let mut looked_at = 0;
    for _ in 0..20 {
        let status = change(WRONG).await.unwrap().status();
        looked_at += usize::from(status != StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(looked_at, 10);
    assert_eq!(change(PASSWORD).await.unwrap().status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(
        Dialect::Iron.sign_in_from(&server, HERE, "bob@example.com", PASSWORD).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    wait(&server, 600);
    assert_eq!(change(PASSWORD).await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_whose_client_went_away_counts() {
    let server = with_ann_and(SLOW_HASHES).await;
    let before = server.hashes();
    let guess = |number: usize| {
        tokio::spawn(Dialect::Rest.request(&server, HERE, "bob@example.com", &format!("{WRONG} {number}")).send())
    };
    let clients: Vec<_> = (0..10).map(guess).collect();
    // All have arrived once each has its hash or waits for it, but for the one whose turn it is.
    let begun = Instant::now();
    while usize::try_from(server.hashes() - before).unwrap() + server.app().gate().readings().waiting < 9 {
        assert!(begun.elapsed() < Duration::from_secs(20), "the guesses do not arrive");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let answered = clients.iter().filter(|client| client.is_finished()).count();
    clients.iter().for_each(tokio::task::JoinHandle::abort);
    assert!(answered < 5, "{answered} of them had their answer already");
    tokio::time::sleep(ARRIVAL).await;
    assert!(guesses(&server, HERE, "bob@example.com", 10).await <= 1, "they were looked at and not counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_throttle_nothing_is_counted() {
    let server = Server::start_with("[throttle]\nenabled = false\n").await;
    server.register("ann@example.com").await;
    assert_eq!(guesses(&server, HERE, "ann@example.com", 120).await, 120);
    assert_eq!(Dialect::Rest.sign_in_from(&server, HERE, "ann@example.com", PASSWORD).await, StatusCode::OK);
}
