//! Row 22: every token that is given out in any dialect, taken apart.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Scan, tokens_in};
use crate::attacks::{DIALECTS, Dialect, iron_done, start, start_with, text};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, answer, token_in};
use crate::rest::{reset_token, verification_token};

/// What an access token says: what docs/rest.md lists, and no more. By `sid` and `cver` the server
/// knows whether the session is over.
const CLAIMS: [&str; 10] = ["aud", "auth_time", "client_id", "cver", "exp", "iat", "iss", "jti", "sid", "sub"];

const ISSUER: &str = "https://id.doorward.test";

/// Things that are a user's and stand in no token.
const NAME: &str = "Anneliese Longname-Recognisable";
const BIO: &str = "a biography that nobody else has written";
const EMAIL: &str = "anneliese.recognisable@mail.example.com";
const USERNAME: &str = "recognisable-anneliese";

/// Gathers every token of an answer, with where it came from.
struct Gathered<'s> {
    server: &'s Server,
    tokens: Vec<(String, String)>,
}

impl Gathered<'_> {
    fn take(&mut self, what: &str, body: &Value) {
        // One that stands in an envelope and beside it is one.
        let tokens = BTreeSet::from_iter(tokens_in(body));
        assert!(!tokens.is_empty(), "{what} gives no token: {body}");
        self.tokens.extend(tokens.into_iter().map(|token| (what.to_owned(), token)));
    }

    async fn post(&mut self, path: &str, bearer: &str, body: Value) -> Value {
        let (status, body) = answer(self.server.post(path).bearer_auth(bearer).json(&body)).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        self.take(path, &body);
        body
    }
}

/// Every token that there is a way to come by, for Anneliese, for a user by name, and for the
/// administrator.
async fn gather(server: &Server) -> Vec<(String, String)> {
    let mut all = Gathered { server, tokens: Vec::new() };
    let body = json!({"name": NAME, "bio": BIO, "email": EMAIL, "password": PASSWORD, "confirm": PASSWORD});
    let session = all.post("/auth/register", "", body).await;
    let access = text(&session, "/accessToken");
    all.post("/auth/refresh-tokens", "", json!({"refreshToken": session["refreshToken"]})).await;
    let by_name = all.post("/api/auth/register", "", json!({"username": USERNAME, "password": PASSWORD})).await;
    for dialect in DIALECTS {
        all.post(dialect.login_path(), "", dialect.credentials(EMAIL, PASSWORD)).await;
        all.post(dialect.login_path(), "", dialect.credentials(ADMIN_EMAIL, ADMIN_PASSWORD)).await;
    }
    for body in [
        json!({"newUsername": "recognisable-anneliese-2"}),
        json!({"newUsername": USERNAME}),
        json!({"currentPassword": PASSWORD, "newPassword": "another pass phrase"}),
    ] {
        let request =
            server.request(Method::PUT, "/api/auth/profile").bearer_auth(text(&by_name, "/token")).json(&body);
        let (status, body) = answer(request).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        all.take("/api/auth/profile", &body);
    }
    all.post("/1/tokens", &access, json!({"name": "test"})).await;
    all.post("/1/tokens", ADMIN_TOKEN, json!({"admin": true, "expires_at": "2099-01-01T00:00:00Z"})).await;
    all.post("/1/users", ADMIN_TOKEN, json!({"email": "bob@example.com", "password": PASSWORD})).await;
    let mut tokens = all.tokens;
    tokens.push(("a reset".to_owned(), reset_token(server, EMAIL).await));
    tokens.push(("a verification".to_owned(), verification_token(server, &access).await));
    tokens
}

/// What must be in no token: of everybody's, names and addresses, and of the store, the hashes.
fn nothing_of(server: &Server) -> Scan {
    let mut scan = Scan::default();
    for (what, text) in [
        ("the name", NAME),
        ("the bio", BIO),
        ("the email", EMAIL),
        ("the username", USERNAME),
        ("the password", PASSWORD),
        ("the administrator's password", ADMIN_PASSWORD),
        ("the administrator's token", ADMIN_TOKEN),
        ("a mark of Argon2", "$argon2id$v=19$m=19456,t=2,p=1$"),
        ("a list of permissions", "\"permissions\":[\"user\"]"),
    ] {
        scan.add(what, text);
    }
    for condition in [format!("email = '{EMAIL}'"), format!("email = '{ADMIN_EMAIL}'")] {
        let hash = server.database().value(&format!("select password from users where {condition}"));
        let parts: Vec<&str> = hash.split('$').collect();
        scan.add("a salt", parts[4]);
        scan.add("a hash", parts[5]);
    }
    scan
}

fn opened(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn assert_says_no_more_than_it_must(what: &str, token: &str) {
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(parts.len(), 3, "{what}: {token}");
    let (header, claims) = (opened(parts[0]), opened(parts[1]));
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(names(&header), BTreeSet::from(["alg", "kid", "typ"].map(str::to_owned)), "{what}");
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("EdDSA")), "{what}");
    assert_eq!(names(&claims), BTreeSet::from(CLAIMS.map(str::to_owned)), "{what}");
    let is_hex = |value: &Value, length| {
        value.as_str().is_some_and(|text| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    assert!(is_hex(&claims["sub"], 24) && is_hex(&claims["sid"], 24) && is_hex(&header["kid"], 16), "{what}: {claims}");
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(ISSUER)), "{what}");
    let dialects = ["iron", "rest", "x_access_token", "argon"];
    assert!(dialects.contains(&claims["client_id"].as_str().unwrap()), "{what}: {claims}");
    assert_eq!(URL_SAFE_NO_PAD.decode(claims["jti"].as_str().unwrap()).unwrap().len(), 12, "{what}");
    for claim in ["iat", "exp", "auth_time", "cver"] {
        assert!(claims[claim].is_u64(), "{what}: {claim} of {claims}");
    }
    let life = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    let longest = if claims["client_id"] == "rest" { 15 * 60 } else { 24 * 3_600 };
    assert!((1..=longest).contains(&life), "{what}: {claims}");
}

/// Row 22: a token that holds the record of its user, the hash included, shows it to whoever reads the token.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_holds_a_hash_an_address_or_anything_of_a_record() {
    // Where no address is configured, the issuer is another one on each engine.
    let server = start_with(&format!("public_url = \"{ISSUER}\"")).await;
    let tokens = gather(&server).await;
    let scan = nothing_of(&server);
    let mut kinds = BTreeSet::new();
    let mut seen = BTreeSet::new();
    for (what, token) in &tokens {
        scan.assert_none_in(token.as_bytes(), what);
        for part in token.split(['.', '_']) {
            let bytes = URL_SAFE_NO_PAD.decode(part).unwrap_or_default();
            scan.assert_none_in(&bytes, what);
            let text = String::from_utf8_lossy(&bytes).to_lowercase();
            for word in ["recognisable", "argon2", "password", "admin", "permission", "example.com"] {
                assert!(!text.contains(word), "{what} says {word}: {text}");
            }
        }
        assert!(seen.insert(token.clone()), "{what}: no two tokens are alike");
        let kind = &token[..3];
        match kind {
            "eyJ" => assert_says_no_more_than_it_must(what, token),
            "dwr" => {
                let bytes = URL_SAFE_NO_PAD.decode(&token[4..]).unwrap();
                // Version, key, session and generation, and a MAC of 32 bytes: no room for a record.
                assert!((45..80).contains(&bytes.len()), "{what}: {} bytes", bytes.len());
            }
            "dwt" => {
                assert!(token.len() == 53 && token[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()), "{what}");
            }
            _ => {
                let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
                assert_eq!(bytes.len(), 32, "{what}");
            }
        }
        kinds.insert(if ["eyJ", "dwr", "dwt"].contains(&kind) { kind } else { "mail" }.to_owned());
    }
    assert_eq!(kinds.len(), 4, "{kinds:?}");
    assert!(tokens.len() > 18, "{tokens:?}");
}

/// Row 22 for what is beside the tokens: no answer of any dialect shows a hash, and who is shown to
/// others is shown without what is theirs alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_holds_a_hash_or_the_secret_of_a_token_that_was_shown_once() {
    let server = start().await;
    let tokens = gather(&server).await;
    let mut scan = Scan::default();
    for email in [EMAIL, ADMIN_EMAIL] {
        let hash = server.database().value(&format!("select password from users where email = '{email}'"));
        scan.add("a hash", hash.rsplit('$').next().unwrap());
    }
    for (what, token) in &tokens {
        scan.add(what, token);
    }
    let access = Dialect::Rest.session(&server, EMAIL, PASSWORD).await;
    let id = text(&iron_done(&server, "GET", &format!("/1/users/{EMAIL}"), ADMIN_TOKEN, Value::Null).await, "/user_id");
    for token in [access.as_str(), ADMIN_TOKEN] {
        for (method, path) in [
            (Method::GET, "/1/users?per_page=100".to_owned()),
            (Method::GET, format!("/1/users/{id}")),
            (Method::PATCH, format!("/1/users/{id}")),
            (Method::GET, "/1/tokens".to_owned()),
            (Method::GET, format!("/1/tokens?user_id={id}")),
            (Method::GET, "/1/projects".to_owned()),
            (Method::POST, "/auth".to_owned()),
            (Method::GET, "/users/me".to_owned()),
            (Method::GET, "/api/auth/state".to_owned()),
        ] {
            let answer = server.request(method, &path).bearer_auth(token).body("{}").send().await.unwrap();
            let text = answer.text().await.unwrap();
            scan.assert_none_in(text.as_bytes(), &format!("{path}: {text}"));
            assert!(!text.contains("argon2") && !text.contains("\"password\""), "{path}: {text}");
        }
    }
    for mail in server.mails() {
        let rest = mail.replace(&token_in(&mail), "");
        scan.assert_none_in(rest.as_bytes(), &rest);
    }
}
