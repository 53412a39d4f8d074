//! What is asked all the time is answered without the router: the answers are the router's own.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, ORIGIN};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::harness::{ADMIN_TOKEN, Server};

/// What is asked with a head alone.
const ASKED: [(Method, &str); 4] = [
    (Method::GET, "/1/authentication"),
    (Method::POST, "/auth"),
    (Method::GET, "/users/me"),
    (Method::GET, "/api/auth/state"),
];
/// The one shortcut that reads a body.
const REFRESH: &str = "/auth/refresh-tokens";

const ORIGIN_OF_A_PAGE: &str = "https://app.example.com";
/// With it, what comes from a page takes the router.
const PAGES_MAY_ASK: &str = "[http]\ncors_origins = [\"https://app.example.com\"]\n";

type Seen = (u16, BTreeMap<String, String>, String);

/// Status, headers but those that are another's each time, and body.
async fn seen(request: RequestBuilder) -> Seen {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let own = |name: &str| name == "x-request-id" || name == "date";
    let headers = answer.headers().iter().filter(|(name, _)| !own(name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    assert!(answer.headers().contains_key("x-request-id"));
    (status, headers, answer.text().await.unwrap())
}

#[tokio::test]
async fn both_ways_to_an_answer_give_the_same() {
    let server = Server::start().await;
    let access = server.register("ann@example.com").await["accessToken"].as_str().unwrap().to_owned();
    for (method, path) in ASKED {
        for credential in [Some(access.as_str()), Some(ADMIN_TOKEN), Some("wrong"), None] {
            let ask = || {
                let request = server.request(method.clone(), path);
                credential
                    .iter()
                    .fold(request, |request, token| request.header(AUTHORIZATION, format!("Bearer {token}")))
            };
            // Twice the short way, because the second answer is one that was kept; a body takes the long way.
            let (first, second, long) = (seen(ask()).await, seen(ask()).await, seen(ask().body("{}")).await);
            assert_eq!(first, long, "{path}");
            assert_eq!(second, long, "{path}");
        }
    }
}

/// The same to a page of another origin, which takes the router: without what is for pages only.
async fn seen_by_a_page(request: RequestBuilder) -> Seen {
    let (status, mut headers, body) = seen(request.header(ORIGIN, ORIGIN_OF_A_PAGE)).await;
    assert_eq!(headers["access-control-allow-origin"], ORIGIN_OF_A_PAGE);
    headers.retain(|name, _| name != "vary" && !name.starts_with("access-control-"));
    (status, headers, body)
}

#[tokio::test]
async fn a_page_of_another_origin_gets_the_same_and_is_told_that_it_may_read_it() {
    let server = Server::start_with(PAGES_MAY_ASK).await;
    for (method, path) in ASKED {
        for token in [ADMIN_TOKEN, "wrong"] {
            let ask = || server.request(method.clone(), path).bearer_auth(token);
            assert_eq!(seen_by_a_page(ask()).await, seen(ask()).await, "{path}");
        }
    }
}

/// Without the access token, which is another each time.
fn refreshed((status, headers, body): Seen) -> Seen {
    let parsed: Value = serde_json::from_str(&body).unwrap();
    let token = parsed["accessToken"].as_str().unwrap_or_else(|| panic!("{status} {body}"));
    (status, headers, body.replace(token, ""))
}

#[tokio::test]
async fn both_ways_to_go_on_with_a_session_give_the_same() {
    let server = Server::start_with(PAGES_MAY_ASK).await;
    let signed_in = server.register("ann@example.com").await;
    let token = signed_in["refreshToken"].as_str().unwrap();
    // Shown twice at once, a refresh token has one successor.
    let ask = || server.post(REFRESH).json(&json!({"refreshToken": token}));
    let short = refreshed(seen(ask()).await);
    assert_eq!(short.0, 200);
    assert_eq!(short, refreshed(seen_by_a_page(ask()).await));

    let too_large = "a".repeat(1_048_577);
    for (body, status) in
        [("{\"refreshToken\":\"dwr_wrong\"}", 401), ("{}", 400), ("", 400), ("{", 400), (too_large.as_str(), 413)]
    {
        let ask = || server.post(REFRESH).body(body.to_owned());
        let short = seen(ask()).await;
        assert_eq!(short.0, status);
        assert_eq!(short, seen_by_a_page(ask()).await);
    }
}

#[tokio::test]
async fn what_is_kept_of_a_user_is_not_shown_once_the_user_changed() {
    let server = Server::start().await;
    let signed_in = server.register("ann@example.com").await;
    let (id, access) = (signed_in["user"]["id"].as_str().unwrap(), signed_in["accessToken"].as_str().unwrap());
    let me = || server.get("/users/me").header("x-access-token", access);
    assert!(seen(me()).await.2.contains("ann@example.com"));
    let change = server.request(Method::PATCH, &format!("/1/users/{id}")).bearer_auth(ADMIN_TOKEN);
    let changed = change.json(&json!({"email": "ann.lee@example.com"})).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let (status, _, body) = seen(me()).await;
    assert_eq!(status, 200, "a new address ends no session: {body}");
    assert!(body.contains("\"ann.lee@example.com\""), "{body}");
    assert!(!body.contains("\"ann@example.com\""), "{body}");
}
