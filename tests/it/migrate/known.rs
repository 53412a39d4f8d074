//! What clients were given in every dialect, and what it is worth on a server.

use std::path::Path;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::process::{Process, wait_for};
use crate::harness::{ADMIN_TOKEN, PASSWORD, token_in};

const ODD: &str = "Zoë \u{1f980} \"q\" \\ '; --";

/// Everything that was given out.
pub(super) struct Known {
    client: Client,
    ann: String,
    ann_id: String,
    access: String,
    refresh: String,
    disabled: String,
    zoe: String,
    project: String,
    /// Tokens of a session that a reused refresh token ended.
    ended: (String, String),
    reset: String,
}

impl Known {
    /// Fills a new server.
    pub(super) async fn made(server: &Process, outbox: &Path) -> Self {
        let mut known = Self {
            client: Client::new(),
            ann: String::new(),
            ann_id: String::new(),
            access: String::new(),
            refresh: String::new(),
            disabled: String::new(),
            zoe: String::new(),
            project: String::new(),
            ended: Default::default(),
            reset: String::new(),
        };
        known.sign_up(server).await;
        known.share(server).await;
        known.steal(server).await;
        known.forget(server, outbox).await;
        known
    }

    async fn sign_up(&mut self, server: &Process) {
        let body = json!({"name": ODD, "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
        let ann = self.done(server, Method::POST, "/auth/register", "", body).await;
        (self.access, self.refresh) = (text(&ann["accessToken"]), text(&ann["refreshToken"]));
        self.ann_id = text(&ann["user"]["id"]);
        let made = self.done(server, Method::POST, "/1/tokens", &self.access, json!({"name": "ci"})).await;
        self.ann = text(&made["token"]["token"]);
        let zoe = json!({"username": "Zoë", "password": PASSWORD});
        self.zoe = text(&self.done(server, Method::POST, "/api/auth/register", "", zoe).await["token"]);
        let bob = json!({"email": "bob@example.com", "password": PASSWORD});
        let bob = self.done(server, Method::POST, "/1/users", ADMIN_TOKEN, bob).await;
        self.disabled = text(&bob["tokens"][0]);
    }

    async fn share(&mut self, server: &Process) {
        let made = self.done(server, Method::POST, "/1/projects", &self.ann, json!({"name": "mail ✉"})).await;
        self.project = text(&made["id"]);
        let share = format!("/1/projects/{}/share", self.project);
        self.done(server, Method::PATCH, &share, &self.ann, json!(["bob@example.com"])).await;
        let bob = self.done(server, Method::GET, "/1/users/bob@example.com", ADMIN_TOKEN, Value::Null).await;
        let path = format!("/1/users/{}", text(&bob["user_id"]));
        self.done(server, Method::PATCH, &path, ADMIN_TOKEN, json!({"status": "disabled"})).await;
    }

    /// A refresh token that was used before ends its session, and leaves an event.
    async fn steal(&mut self, server: &Process) {
        let login = json!({"email": "ann@example.com", "password": PASSWORD});
        let first = self.done(server, Method::POST, "/auth/login", "", login).await;
        let used = text(&first["refreshToken"]);
        let mut refresh = used.clone();
        for _ in 0..2 {
            refresh = text(&self.refreshed(server, &refresh).await["refreshToken"]);
        }
        let (status, body) = self.ask(server, Method::POST, REFRESH, "", json!({"refreshToken": used})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
        self.ended = (text(&first["accessToken"]), refresh);
    }

    async fn forget(&mut self, server: &Process, outbox: &Path) {
        self.done(server, Method::POST, "/auth/forgot-password", "", json!({"email": "ann@example.com"})).await;
        let mail = wait_for("the mail", || {
            let mut files = std::fs::read_dir(outbox).ok()?.filter_map(|file| Some(file.ok()?.path()));
            let mail = files.find(|file| file.extension().is_some_and(|extension| extension == "eml"))?;
            std::fs::read_to_string(mail).ok()
        });
        self.reset = token_in(&mail);
    }

    /// What a server says to all of them, without a change.
    pub(super) async fn answers(&self, server: &Process) -> Vec<(StatusCode, Value)> {
        let mut answers = Vec::new();
        let project = format!("/1/authentication?project_id={}", self.project);
        let ann = format!("/1/users/{}", self.ann_id);
        for (path, token) in [
            ("/1/authentication", ADMIN_TOKEN),
            ("/1/authentication", &self.ann),
            ("/1/authentication", &self.access),
            ("/1/authentication", &self.zoe),
            ("/1/authentication", &self.disabled),
            ("/1/authentication", &self.ended.0),
            (&project, &self.ann),
            (&project, &self.zoe),
            (&ann, ADMIN_TOKEN),
            ("/1/users", ADMIN_TOKEN),
            ("/1/users/bob@example.com", ADMIN_TOKEN),
            ("/1/tokens", &self.ann),
            ("/1/projects", &self.ann),
            ("/api/auth/state", &self.zoe),
            ("/api/auth/state", &self.access),
            ("/users/me", &self.zoe),
            ("/users/me", &self.ann),
        ] {
            answers.push(self.ask(server, Method::GET, path, token, Value::Null).await);
        }
        let good = answers.iter().filter(|(status, _)| status.is_success()).count();
        assert!(good >= 12, "{answers:?}");
        answers
    }

    /// Refreshes the session, once more than before; one that ended stays so.
    pub(super) async fn go_on(&mut self, server: &Process) {
        let refreshed = self.refreshed(server, &self.refresh).await;
        (self.access, self.refresh) = (text(&refreshed["accessToken"]), text(&refreshed["refreshToken"]));
        let ended = json!({"refreshToken": self.ended.1});
        assert_eq!(self.ask(server, Method::POST, REFRESH, "", ended).await.0, StatusCode::UNAUTHORIZED);
        let login = json!({"username": "zoë", "password": PASSWORD});
        self.done(server, Method::POST, "/api/auth/login", "", login).await;
    }

    /// Uses the secret of a mail that was sent at the first place.
    pub(super) async fn reset(&self, server: &Process) {
        let path = format!("/auth/reset-password?token={}", self.reset);
        self.done(server, Method::POST, &path, "", json!({"password": "another pass phrase"})).await;
        let login = json!({"email": "ann@example.com", "password": "another pass phrase"});
        self.done(server, Method::POST, "/auth/login", "", login).await;
    }

    async fn refreshed(&self, server: &Process, token: &str) -> Value {
        self.done(server, Method::POST, REFRESH, "", json!({"refreshToken": token})).await
    }

    async fn done(&self, server: &Process, method: Method, path: &str, token: &str, body: Value) -> Value {
        let (status, answer) = self.ask(server, method, path, token, body).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    async fn ask(&self, server: &Process, method: Method, path: &str, token: &str, body: Value) -> (StatusCode, Value) {
        let mut request = self.client.request(method, server.url(path));
        if !token.is_empty() {
            request = request.bearer_auth(token).header("x-access-token", token);
        }
        if !body.is_null() {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}

const REFRESH: &str = "/auth/refresh-tokens";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}
