//! What is asked all the time is answered without the router: the answers are the router's own.

use std::collections::BTreeMap;

use reqwest::header::{AUTHORIZATION, ORIGIN};
use reqwest::{Method, RequestBuilder};

use crate::harness::{ADMIN_TOKEN, Server};

const ASKED: [(Method, &str); 4] = [
    (Method::GET, "/1/authentication"),
    (Method::POST, "/auth"),
    (Method::GET, "/users/me"),
    (Method::GET, "/api/auth/state"),
];

/// Status, headers but those that are another's each time, and body.
async fn seen(request: RequestBuilder) -> (u16, BTreeMap<String, String>, String) {
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

#[tokio::test]
async fn a_page_of_another_origin_is_told_that_it_may_read_the_answer() {
    let server = Server::start_with("[http]\ncors_origins = [\"https://app.example.com\"]\n").await;
    for (method, path) in ASKED {
        let asked = server.request(method, path).header(ORIGIN, "https://app.example.com").send().await.unwrap();
        assert_eq!(asked.headers()["access-control-allow-origin"], "https://app.example.com", "{path}");
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
    let changed = change.json(&serde_json::json!({"email": "ann.lee@example.com"})).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    let (status, _, body) = seen(me()).await;
    // Whether a new address ends the session or not, the old answer is gone.
    assert!(status == 401 || body.contains("ann.lee@example.com"), "{status} {body}");
    assert!(!body.contains("\"ann@example.com\""), "{body}");
}
