//! The keys that vouch for tokens, as others see them: published, rotated, and verified with elsewhere.

mod document;
mod rotation;
mod sqlite;
mod verifier;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::actions::keys::{self, Rotation};
use doorward::domain::caller::Actor;
use reqwest::StatusCode;
use serde_json::Value;

use crate::harness::{PASSWORD, Server, answer};
use crate::rest::{login, text};

/// Where the keys are published.
pub(crate) const PATH: &str = "/.well-known/jwks.json";

/// The header of an access token.
pub(crate) fn header_of(access: &str) -> Value {
    let header = URL_SAFE_NO_PAD.decode(access.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&header).unwrap()
}

/// The name of the key that signed an access token.
pub(crate) fn kid(access: &str) -> String {
    text(&header_of(access), "/kid").to_owned()
}

/// The names of all keys in a published document.
pub(crate) fn kids(document: &Value) -> Vec<String> {
    document["keys"].as_array().unwrap().iter().map(|key| text(key, "/kid").to_owned()).collect()
}

/// The names of the keys that a server publishes.
async fn published(server: &Server) -> Vec<String> {
    let (status, document) = answer(server.get(PATH)).await;
    assert_eq!(status, StatusCode::OK, "{document}");
    kids(&document)
}

/// The access token of a new session.
async fn access(server: &Server) -> String {
    let (status, body) = login(server, "ann@example.com", PASSWORD).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    text(&body, "/accessToken").to_owned()
}

/// What `doorward keys rotate` does, in this process.
async fn rotate(server: &Server, rotation: Rotation) {
    keys::rotate(server.app(), &Actor::operator(), rotation).await.unwrap();
}
