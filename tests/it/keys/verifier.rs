//! Another program than ours verifies our access tokens, with what is published and nothing else: `PyJWT`,
//! from Debian's packages.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{PATH, header_of, kid};
use crate::harness::process::{Launch, Process};
use crate::harness::{PASSWORD, answer};
use crate::rest::text;
use crate::source::root;

/// Debian's own, whatever else is in the PATH: the packages that `scripts/test` installs are for it.
const PYTHON: &str = "/usr/bin/python3";

const ISSUER: &str = "https://id.example.com";
const AUDIENCE: &str = "https://api.example.com";

struct Ground {
    // In this order: the server ends before its directory goes.
    server: Process,
    _folder: TempDir,
}

impl Ground {
    fn with(settings: &[(&str, &str)]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let launch = Launch::on(&folder.path().join("data"))
            .variable("DOORWARD_PUBLIC_URL", ISSUER)
            .variable("DOORWARD_TOKENS__AUDIENCE", AUDIENCE);
        let launch = settings.iter().fold(launch, |launch, (name, value)| launch.variable(name, value));
        Self { server: launch.serve(), _folder: folder }
    }

    /// The answer to a new user's registration.
    async fn register(&self) -> Value {
        let body = json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
        let (status, body) = answer(Client::new().post(self.server.url("/auth/register")).json(&body)).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    /// What `PyJWT` says of each token.
    fn verified(&self, tokens: &[&str]) -> Vec<Value> {
        self.verified_as(ISSUER, AUDIENCE, tokens)
    }

    fn verified_as(&self, issuer: &str, audience: &str, tokens: &[&str]) -> Vec<Value> {
        let mut python = Command::new(PYTHON)
            .arg(root().join("tests/support/verify.py"))
            .args([&self.server.url(PATH), issuer, audience])
            // A proxy that somebody has for the world outside is none for this machine.
            .env("no_proxy", "*")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The pipe takes this much at once, and is closed behind it.
        python.stdin.take().unwrap().write_all((tokens.join("\n") + "\n").as_bytes()).unwrap();
        let output = python.wait_with_output().unwrap();
        assert!(output.status.success(), "PyJWT is missing (scripts/test installs it), or cannot read the keys");
        let lines = String::from_utf8(output.stdout).unwrap();
        let answers: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answers.len(), tokens.len());
        answers
    }
}

fn refused(answer: &Value) -> &str {
    answer["refused"].as_str().unwrap_or_else(|| panic!("it was taken: {answer}"))
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// The token with one part in place of another.
fn with_part(token: &str, at: usize, part: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[at] = part;
    parts.join(".")
}

/// A token with this header and these claims, under a key that is not the server's.
fn forged(header: &Value, claims: &Value) -> String {
    let pair = Ed25519KeyPair::generate().unwrap();
    assert_eq!(pair.public_key().as_ref().len(), 32);
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes())))
}

async fn is_verified_elsewhere(algorithm: &str) {
    let ground = Ground::with(&[("DOORWARD_TOKENS__ALGORITHM", algorithm)]);
    let registered = ground.register().await;
    let token = text(&registered, "/accessToken");
    let header = header_of(token);
    assert_eq!(header["alg"], algorithm);
    let mut claims = claims_of(token);
    claims["sub"] = json!("0123456789abcdef01234567");
    let other_claims = with_part(token, 1, &encoded(&claims));
    let mut signature = URL_SAFE_NO_PAD.decode(token.split('.').nth(2).unwrap()).unwrap();
    signature[9] ^= 1;
    let other_signature = with_part(token, 2, &URL_SAFE_NO_PAD.encode(&signature));
    let unsigned =
        with_part(&with_part(token, 0, &encoded(&json!({"typ": "at+jwt", "alg": "none", "kid": kid(token)}))), 2, "");
    let our_name = forged(&json!({"typ": "at+jwt", "alg": algorithm, "kid": kid(token)}), &claims);
    let its_own_name = forged(&json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "0123456789abcdef"}), &claims);
    let told = ground.verified(&[token, &other_claims, &other_signature, &unsigned, &our_name, &its_own_name]);
    assert_eq!(told[0], json!({"claims": claims_of(token)}), "{algorithm}");
    assert_eq!(told[0]["claims"]["sub"], registered["user"]["id"]);
    assert_eq!((&told[0]["claims"]["iss"], &told[0]["claims"]["aud"]), (&json!(ISSUER), &json!(AUDIENCE)));
    let refusals: Vec<_> = told[1..].iter().map(refused).collect();
    let wrong = "InvalidSignatureError";
    assert_eq!(refusals, [wrong, wrong, "InvalidAlgorithmError", wrong, "PyJWKClientError"], "{algorithm}");
    let elsewhere = ground.verified_as(ISSUER, "https://other.example.com", &[token]);
    assert_eq!(refused(&elsewhere[0]), "InvalidAudienceError");
    let elsewhere = ground.verified_as("https://other.example.com", AUDIENCE, &[token]);
    assert_eq!(refused(&elsewhere[0]), "InvalidIssuerError");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_verifies_our_access_tokens_by_eddsa() {
    is_verified_elsewhere("EdDSA").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_verifies_our_access_tokens_by_es256() {
    is_verified_elsewhere("ES256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_verifies_our_access_tokens_by_rs256() {
    is_verified_elsewhere("RS256").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pyjwt_refuses_an_access_token_that_is_over_and_what_is_none() {
    let ground = Ground::with(&[("DOORWARD_REST__ACCESS_LIFETIME", "1s")]);
    let registered = ground.register().await;
    let (access, refresh) = (text(&registered, "/accessToken"), text(&registered, "/refreshToken"));
    thread::sleep(Duration::from_millis(2_500));
    let told = ground.verified(&[access, refresh, "", "a.b.c"]);
    let refusals: Vec<_> = told.iter().map(refused).collect();
    assert_eq!(refusals, ["ExpiredSignatureError", "DecodeError", "DecodeError", "DecodeError"]);
}
