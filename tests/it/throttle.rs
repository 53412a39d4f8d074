//! How often somebody may fail: rows 9 to 12 of docs/security.md (#faults-that-other-products-shipped), and
//! what else is counted. The servers believe what 127.0.0.1 says of a client's address, so that a test can come from
//! many networks.

mod guesses;
mod networks;
mod others;

use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::json;

use crate::harness::dialect::{DIALECTS, Dialect};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};

/// Behind a proxy that is trusted.
const BEHIND_A_PROXY: &str = "[http]\ntrusted_proxies = [\"127.0.0.1\"]\n";

const HERE: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

const WRONG: &str = "not the pass phrase";

/// A server behind a proxy, with a user who has an email, a username and a password.
async fn with_ann() -> Server {
    with_ann_and("").await
}

/// The same with these settings.
async fn with_ann_and(settings: &str) -> Server {
    let server = Server::start_with(&format!("{BEHIND_A_PROXY}{settings}")).await;
    server.register("ann@example.com").await;
    let body = json!({"username": "bob the builder", "password": PASSWORD});
    let (status, body) = server.post_json("/api/auth/register", &body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let hex = server.database().hex("id");
    let id = server.database().value(&format!("select {hex} from users where username = 'bob the builder'"));
    let request = server.request(Method::PATCH, &format!("/1/users/{id}"));
    let request = request.header("Authorization", format!("OAuth {ADMIN_TOKEN}"));
    let (status, body) = answer(request.json(&json!({"email": "bob@example.com"}))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    server
}

impl Dialect {
    /// A login from this address.
    fn request(self, server: &Server, from: &str, login: &str, password: &str) -> RequestBuilder {
        server.post(self.login_path()).header("X-Forwarded-For", from).json(&self.credentials(login, password))
    }

    async fn sign_in_from(self, server: &Server, from: &str, login: &str, password: &str) -> StatusCode {
        self.request(server, from, login, password).send().await.unwrap().status()
    }
}

/// How many of `count` wrong passwords are looked at at all.
async fn guesses(server: &Server, from: &str, login: &str, count: usize) -> usize {
    let mut looked_at = 0;
    for guess in 0..count {
        let dialect = DIALECTS[guess % DIALECTS.len()];
        match dialect.sign_in_from(server, from, login, WRONG).await {
            StatusCode::TOO_MANY_REQUESTS => {}
            status => {
                assert_eq!(status, dialect.wrong_credentials(), "{dialect:?}");
                looked_at += 1;
            }
        }
    }
    looked_at
}

fn wait(server: &Server, seconds: u64) {
    server.clock.advance(Duration::from_secs(seconds));
}
