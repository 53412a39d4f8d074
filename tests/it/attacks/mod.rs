//! The attacks of which each was a fault of a real product once, tried over HTTP in every dialect
//! where they mean something. Each test names the row that it stands for in docs/security.md
//! (#faults-that-other-products-shipped); here is what they share: how each dialect is spoken to, and
//! where each takes a credential.

mod forged_tokens;
mod leaks;
mod mail_links;
mod mass_assignment;
mod oddities;
mod rights;
mod single_use;
mod timing;
mod what_ends;

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::harness::dialect::{DIALECTS, Dialect};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED, answer};

/// A server that is asked more often from one address than a stranger may.
async fn start() -> Server {
    start_with("").await
}

/// The same with these settings beside the defaults.
async fn start_with(settings: &str) -> Server {
    Server::start_with(&format!("{settings}\n{UNTHROTTLED}")).await
}

/// Where a request carries a credential.
#[derive(Clone, Copy, Debug)]
enum Carrier {
    /// In this header, after this word.
    Header(&'static str, &'static str),
    /// In this parameter of the query.
    Query(&'static str),
}

/// One of the places in which a dialect looks for a credential.
#[derive(Clone, Copy, Debug)]
struct Place(Dialect, Carrier);

/// All of them.
const PLACES: [Place; 10] = [
    Place(Dialect::Iron, Carrier::Header("Authorization", "OAuth ")),
    Place(Dialect::Iron, Carrier::Header("Authorization", "Bearer ")),
    Place(Dialect::Iron, Carrier::Header("Authorization", "Token ")),
    Place(Dialect::Iron, Carrier::Query("oauth")),
    Place(Dialect::Rest, Carrier::Header("Authorization", "Bearer ")),
    Place(Dialect::XAccessToken, Carrier::Header("X-Access-Token", "")),
    Place(Dialect::XAccessToken, Carrier::Query("token")),
    Place(Dialect::XAccessToken, Carrier::Header("Authorization", "Bearer ")),
    Place(Dialect::Argon, Carrier::Header("Authorization", "Bearer ")),
    Place(Dialect::Argon, Carrier::Header("X-Api-Key", "")),
];

impl Place {
    /// Puts a credential there.
    fn put(self, request: RequestBuilder, token: &str) -> RequestBuilder {
        match self.1 {
            Carrier::Header(name, word) => request.header(name, format!("{word}{token}")),
            Carrier::Query(name) => request.query(&[(name, token)]),
        }
    }

    /// What the dialect says to the bearer of a credential.
    async fn ask(self, server: &Server, token: &str) -> (StatusCode, Value) {
        answer(self.put(self.0.question(server), token)).await
    }

    /// Asserts that a credential is refused here, and that the answer says nothing of it.
    async fn assert_refused(self, server: &Server, token: &str, what: &str) {
        if matches!(self.1, Carrier::Header(..)) && token.contains(char::is_control) {
            // No header carries these.
            return;
        }
        let (status, body) = self.ask(server, token).await;
        let refused = if self.0 == Dialect::Iron { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
        assert_eq!(status, refused, "{what} by {self:?}: {body}");
        assert!(token.len() < 8 || !body.to_string().contains(token), "{what} by {self:?}: {body}");
    }

    async fn assert_taken(self, server: &Server, token: &str, what: &str) {
        let (status, body) = self.ask(server, token).await;
        assert_eq!(status, StatusCode::OK, "{what} by {self:?}: {body}");
    }
}

/// Asserts that a credential is refused in every place of every dialect.
async fn assert_refused_everywhere(server: &Server, token: &str, what: &str) {
    for place in PLACES {
        place.assert_refused(server, token, what).await;
    }
}

/// Asserts that a credential is taken in every place of every dialect.
async fn assert_taken_everywhere(server: &Server, token: &str, what: &str) {
    for place in PLACES {
        place.assert_taken(server, token, what).await;
    }
}

/// The text at a JSON pointer.
fn text(value: &Value, pointer: &str) -> String {
    crate::rest::text(value, pointer).to_owned()
}

/// A request of the iron dialect; status and body.
async fn iron(server: &Server, method: &str, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    answer(server.request(method, path).header("Authorization", format!("OAuth {token}")).json(&body)).await
}

/// One that must succeed.
async fn iron_done(server: &Server, method: &str, path: &str, token: &str, body: Value) -> Value {
    let (status, body) = iron(server, method, path, token, body).await;
    assert_eq!(status, StatusCode::OK, "{method} {path}: {body}");
    body
}

/// A user who signed up in the rest dialect, with everything that one has.
struct Member {
    id: String,
    email: String,
    access: String,
    refresh: String,
}

impl Member {
    /// A new one of this name at example.com.
    async fn register(server: &Server, name: &str) -> Self {
        let email = format!("{name}@example.com");
        let body = server.register(&email).await;
        Self {
            id: text(&body, "/user/id"),
            email,
            access: text(&body, "/accessToken"),
            refresh: text(&body, "/refreshToken"),
        }
    }

    /// A new API token of theirs: its id and its secret.
    async fn api_token(&self, server: &Server) -> (String, String) {
        let body = iron_done(server, "POST", "/1/tokens", &self.access, json!({"name": "test"})).await;
        (text(&body, "/token/_id"), text(&body, "/token/token"))
    }

    /// The id of a new project of theirs.
    async fn project(&self, server: &Server) -> String {
        text(&iron_done(server, "POST", "/1/projects", &self.access, json!({"name": "theirs"})).await, "/id")
    }
}

/// What an administrator sees of a user.
async fn seen_by_admin(server: &Server, user: &str) -> Value {
    iron_done(server, "GET", &format!("/1/users/{user}"), ADMIN_TOKEN, Value::Null).await
}

/// A user who signed up in the argon dialect; the access token.
async fn register_username(server: &Server, username: &str) -> (StatusCode, Value) {
    server.post_json("/api/auth/register", &json!({"username": username, "password": PASSWORD})).await
}

/// A text with every byte percent-encoded.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |encoded, byte| encoded + &format!("%{byte:02x}"))
}
