//! The iron dialect, row by row of its page; here what its tests share.

mod authentication;
mod projects;
mod sharing;
mod tokens;
mod users;
mod wire;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, answer};

/// An id that nothing has.
const NOBODY: &str = "0123456789abcdef01234567";

/// A user that an administrator made, with the token that came with it.
struct Somebody {
    id: String,
    email: String,
    token: String,
}

/// A server that is spoken to in this dialect.
struct Iron(Server);

impl Iron {
    async fn start() -> Self {
        Self(Server::start().await)
    }

    async fn start_with(settings: &str) -> Self {
        Self(Server::start_with(settings).await)
    }

    /// Status and body of one request; a token that is empty is not sent, a body that is null neither.
    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.0.request(method, path);
        if !token.is_empty() {
            request = request.header("authorization", format!("OAuth {token}"));
        }
        if !body.is_null() {
            request = request.body(body.to_string());
        }
        let (status, body) = answer(request).await;
        (status.as_u16(), body)
    }

    /// The body of a request that must succeed.
    async fn done(&self, method: &str, path: &str, token: &str, body: Value) -> Value {
        let (status, body) = self.call(method, path, token, body).await;
        assert_eq!(status, 200, "{method} {path}: {body}");
        body
    }

    /// The status of a request that must be refused in this dialect's form.
    async fn refused(&self, method: &str, path: &str, token: &str, body: Value) -> u16 {
        let (status, body) = self.call(method, path, token, body).await;
        let message = body["msg"].as_str().unwrap_or_else(|| panic!("{method} {path} has no msg: {body}"));
        assert!(status >= 400, "{method} {path} is not refused: {body}");
        assert!(!message.is_empty() && body.as_object().unwrap().len() == 1, "{body}");
        assert_eq!(message.starts_with("fail: "), method == "DELETE", "{method} {path}: {message}");
        status
    }

    async fn get(&self, path: &str, token: &str) -> (u16, Value) {
        self.call("GET", path, token, Value::Null).await
    }

    /// A new user of this name at example.com.
    async fn somebody(&self, name: &str) -> Somebody {
        let email = format!("{name}@example.com");
        let body = self.done("POST", "/1/users", ADMIN_TOKEN, json!({"email": email, "password": PASSWORD})).await;
        Somebody { id: text(&body["user_id"]), email, token: text(&body["tokens"][0]) }
    }

    /// The access token of a new session.
    async fn login(&self, email: &str, password: &str) -> String {
        let body = self.done("POST", "/1/authentication", "", json!({"email": email, "password": password})).await;
        text(&body["tokens"][0])
    }

    /// The id of a new project of this token's owner.
    async fn project(&self, token: &str, name: &str) -> String {
        text(&self.done("POST", "/1/projects", token, json!({"name": name})).await["id"])
    }

    /// The administrator's id.
    async fn admin_id(&self) -> String {
        text(&self.done("GET", &format!("/1/users/{ADMIN_EMAIL}"), ADMIN_TOKEN, Value::Null).await["user_id"])
    }

    /// Whether a token may use a project: the status of the hottest path.
    async fn check(&self, token: &str, project: &str) -> u16 {
        self.get(&format!("/1/authentication?project_id={project}"), token).await.0
    }

    /// The administrator signed in.
    async fn admin_session(&self) -> String {
        self.login(ADMIN_EMAIL, ADMIN_PASSWORD).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// That the object's fields stand beside its envelope too.
fn is_flat_and_enveloped(body: &Value, envelope: &str) {
    for (field, value) in body[envelope].as_object().unwrap() {
        assert_eq!(&body[field], value, "{field} in {body}");
    }
}
