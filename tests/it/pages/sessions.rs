//! How long a session in a browser lives, what it may do when it is old, and where its user sees it.

use std::time::Duration;

use reqwest::{Method, StatusCode};

use super::NO_LONGER_FRESH;
use crate::harness::pages::{Browser, SESSION};
use crate::harness::{PASSWORD, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_rests_is_over_after_an_hour_and_one_in_use_after_a_day() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    for _ in 0..35 {
        server.clock.advance(Duration::from_mins(40));
        assert_eq!(ann.get("/account").await.status, StatusCode::OK);
    }
    server.clock.advance(Duration::from_mins(41));
    assert_eq!(ann.get("/account").await.to(), "/sign-in", "a day is over");
    let mut ann = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    server.clock.advance(Duration::from_mins(59));
    assert_eq!(ann.get("/account").await.status, StatusCode::OK);
    server.clock.advance(Duration::from_hours(1));
    assert_eq!(ann.get("/account").await.to(), "/sign-in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_good_for_the_pages_alone_and_tokens_are_none() {
    let server = Server::start().await;
    let registered = server.register("bob@example.com").await;
    let ann = Browser::registered(&server, "ann@example.com").await;
    let cookie = ann.session().to_owned();
    let body = serde_json::json!({"refreshToken": cookie});
    assert_eq!(server.post_json("/auth/refresh-tokens", &body).await.0, StatusCode::UNAUTHORIZED);
    let asked = server.post("/auth").bearer_auth(&cookie).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::UNAUTHORIZED);
    for token in [crate::harness::ADMIN_TOKEN, registered["accessToken"].as_str().unwrap()] {
        let mut nobody = Browser::new(&server);
        let asked = nobody.request(Method::GET, "/account").bearer_auth(token);
        assert_eq!(nobody.take(asked).await.to(), "/sign-in", "no token opens a page");
    }
    for token in ["accessToken", "refreshToken"] {
        let mut bob = Browser::new(&server);
        bob.cookies.insert(SESSION.to_owned(), registered[token].as_str().unwrap().to_owned());
        assert_eq!(bob.get("/account").await.to(), "/sign-in", "{token}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_proof_of_the_password_gives_another_session_and_ends_the_one_before() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let first = ann.cookies.clone();
    server.clock.advance(NO_LONGER_FRESH);
    ann.get("/account/tokens").await;
    let answer = ann.send("/account/tokens", &[("name", "ci"), ("expires", "30")]).await;
    assert_eq!(answer.to(), "/account/confirm-password?next=/account/tokens");
    let page = ann.get(answer.to()).await;
    assert!(page.says("name=\"next\" value=\"/account/tokens\""));
    let wrong = ann.send("/account/confirm-password", &[("current_password", "wrong pass phrase")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.says("This is not your password."));
    let right = [("current_password", PASSWORD), ("next", "/account/tokens")];
    assert_eq!(ann.send("/account/confirm-password", &right).await.to(), "/account/tokens");
    assert_ne!(ann.cookies[SESSION], first[SESSION]);
    let made = ann.fill("/account/tokens", "/account/tokens", &[("name", "ci"), ("expires", "30")]).await;
    assert!(made.status == StatusCode::OK && made.says("dwt_"));
    let mut thief = Browser::new(&server);
    thief.cookies = first;
    assert_eq!(thief.get("/account").await.to(), "/sign-in");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_sees_where_they_are_signed_in_and_ends_what_they_do_not_know() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    let mut other = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let mut third = Browser::signed_in(&server, "ann@example.com", PASSWORD).await;
    let bob = Browser::registered(&server, "bob@example.com").await;
    let page = ann.get("/account/sessions").await;
    assert!(page.says("3 sessions") && page.says("This device") && page.says("Firefox") && page.says("127.0.0.1"));
    assert_eq!(page.html.matches("/end\"").count(), 2);
    let path = format!("/account/sessions/{}/end", page.between("/account/sessions/", "/end"));
    assert_eq!(ann.send(&path, &[]).await.to(), "/account/sessions?done=session_ended");
    let gone = [other.get("/account").await.status, third.get("/account").await.status];
    assert_eq!(gone.iter().filter(|status| **status == StatusCode::SEE_OTHER).count(), 1);
    assert_eq!(ann.send(&path, &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(ann.send("/account/sessions/end-others", &[]).await.to(), "/account/sessions?done=sessions_ended");
    for browser in [&mut other, &mut third] {
        assert_eq!(browser.get("/account").await.to(), "/sign-in");
    }
    assert!(ann.get("/account/sessions").await.says("1 session<"));
    assert!(bob.cookies.contains_key(SESSION));
    let mut bob = bob;
    assert_eq!(bob.get("/account").await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_sessions_elsewhere_ends_them_here() {
    let server = Server::start().await;
    let mut ann = Browser::registered(&server, "ann@example.com").await;
    crate::rest::set_status(&server, "ann@example.com", "disabled").await;
    assert_eq!(ann.get("/account").await.to(), "/sign-in");
    crate::rest::set_status(&server, "ann@example.com", "active").await;
    assert_eq!(ann.get("/account").await.to(), "/sign-in", "it stays over");
}
