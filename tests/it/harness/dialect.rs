//! How each dialect is signed in to, and what it answers there.

use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::Server;
use crate::rest::text;

/// A dialect, as its clients know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Iron,
    Rest,
    XAccessToken,
    Argon,
}

/// All of them.
pub(crate) const DIALECTS: [Dialect; 4] = [Dialect::Iron, Dialect::Rest, Dialect::XAccessToken, Dialect::Argon];

impl Dialect {
    /// The path of its login.
    pub(crate) const fn login_path(self) -> &'static str {
        match self {
            Self::Iron => "/1/authentication",
            Self::Rest => "/auth/login",
            Self::XAccessToken => "/users/login",
            Self::Argon => "/api/auth/login",
        }
    }

    /// The field in which its login takes a name.
    pub(crate) fn login_field(self) -> &'static str {
        if self == Self::Argon { "username" } else { "email" }
    }

    /// What its login is told.
    pub(crate) fn credentials(self, login: &str, password: &str) -> Value {
        json!({ self.login_field(): login, "password": password })
    }

    /// A login: status and body.
    pub(crate) async fn sign_in(self, server: &Server, login: &str, password: &str) -> (StatusCode, Value) {
        server.post_json(self.login_path(), &self.credentials(login, password)).await
    }

    /// What a refused login is answered with.
    pub(crate) fn wrong_credentials(self) -> StatusCode {
        if self == Self::Iron { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED }
    }

    /// The access token of a login's answer.
    pub(crate) fn access_token(self, body: &Value) -> String {
        let pointer = match self {
            Self::Iron => "/tokens/0",
            Self::Rest => "/accessToken",
            Self::XAccessToken | Self::Argon => "/token",
        };
        text(body, pointer).to_owned()
    }

    /// The access token of a login that succeeds.
    pub(crate) async fn session(self, server: &Server, login: &str, password: &str) -> String {
        let (status, body) = self.sign_in(server, login, password).await;
        assert_eq!(status, StatusCode::OK, "{self:?}: {body}");
        self.access_token(&body)
    }

    /// The question that a request with no more than a credential asks: whose is it?
    pub(crate) fn question(self, server: &Server) -> RequestBuilder {
        match self {
            Self::Iron => server.get("/1/authentication"),
            Self::Rest => server.post("/auth"),
            Self::XAccessToken => server.get("/users/me"),
            Self::Argon => server.get("/api/auth/state"),
        }
    }
}
