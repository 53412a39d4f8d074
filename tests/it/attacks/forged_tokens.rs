//! Rows 1 to 3: access tokens that the server did not sign, that say odd things under its own
//! signature, or that are tokens of another kind.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use doorward::domain::token::Algorithm;
use doorward::store::key_material::{KeyMaterial, SigningKey};
use doorward::store::{key_file, key_seal};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{Member, PLACES, assert_refused_everywhere, assert_taken_everywhere, iron_done, start, start_with, text};
use crate::harness::database::Database;
use crate::harness::{ADMIN_TOKEN, PASSWORD, SECRET, Server, answer};
use crate::rest::{logout, refresh, reset, reset_token, verification_token, verify};

/// A pair of keys that signs as the server does: its own, or an attacker's.
struct Signing {
    key: SigningKey,
}

impl Signing {
    /// The one that the server signs with.
    fn of(server: &Server) -> Self {
        let keys = match server.database() {
            Database::Sqlite(_) => key_file::read(&server.data_dir().join("keys")).unwrap().unwrap(),
            database @ Database::Postgres(_) => {
                key_seal::open(&database.value("select value from meta where name = 'keys'"), SECRET).unwrap()
            }
        };
        Self { key: keys.signing_keys.last().unwrap().clone() }
    }

    /// A fresh one, which the server does not know.
    fn foreign(algorithm: Algorithm, server: &Server) -> Self {
        Self { key: KeyMaterial::generate(algorithm, server.clock.now()).unwrap().signing_keys.remove(0) }
    }

    fn header(&self) -> Value {
        json!({"typ": "at+jwt", "alg": self.key.algorithm.as_str(), "kid": self.key.kid})
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let (pkcs8, random) = (self.key.pkcs8.expose(), SystemRandom::new());
        match self.key.algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).unwrap().sign(message).as_ref().to_vec(),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
                pair.sign(&random, message).unwrap().as_ref().to_vec()
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// A token of these texts, signed.
    fn token(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes())))
    }

    fn public_key(&self) -> (Vec<u8>, ParsedPublicKey) {
        let pkcs8 = self.key.pkcs8.expose();
        let (kind, bytes): (&'static dyn aws_lc_rs::signature::VerificationAlgorithm, _) = match self.key.algorithm {
            Algorithm::EdDsa => (&ED25519, Ed25519KeyPair::from_pkcs8(pkcs8).unwrap().public_key().as_ref().to_vec()),
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).unwrap();
                (&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref().to_vec())
            }
            Algorithm::Rs256 => {
                let pair = rsa::KeyPair::from_pkcs8(pkcs8).unwrap();
                (&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref().to_vec())
            }
        };
        let parsed = ParsedPublicKey::new(kind, &bytes).unwrap();
        (bytes, parsed)
    }

    /// The public key as a JSON Web Key.
    fn jwk(&self) -> Value {
        let (bytes, _) = self.public_key();
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self.key.algorithm {
            Algorithm::EdDsa => json!({"kty": "OKP", "crv": "Ed25519", "x": encode(&bytes)}),
            Algorithm::Es256 => {
                json!({"kty": "EC", "crv": "P-256", "x": encode(&bytes[1..33]), "y": encode(&bytes[33..])})
            }
            // The whole structure in the modulus' place: near enough for who would believe it.
            Algorithm::Rs256 => json!({"kty": "RSA", "e": "AQAB", "n": encode(&bytes)}),
        }
    }

    /// Every text and all bytes that somebody may take for the secret of an HMAC.
    fn public_texts(&self) -> Vec<Vec<u8>> {
        let (bytes, parsed) = self.public_key();
        let der: PublicKeyX509Der<'_> = parsed.as_der().unwrap();
        let der = der.as_ref().to_vec();
        let mut texts = vec![bytes.clone(), der.clone(), STANDARD.encode(&der).into_bytes()];
        for (label, bytes) in [("PUBLIC KEY", &der), ("RSA PUBLIC KEY", &bytes)] {
            let digits = STANDARD.encode(bytes);
            for end in ["\n", "\r\n"] {
                let lines = digits.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
                let lines = lines.collect::<Vec<_>>().join(end);
                let pem = format!("-----BEGIN {label}-----{end}{lines}{end}-----END {label}-----");
                texts.extend([pem.clone().into_bytes(), format!("{pem}{end}").into_bytes()]);
            }
        }
        let mut jwk = self.jwk();
        texts.push(jwk.to_string().into_bytes());
        texts.push(serde_json::to_vec_pretty(&jwk).unwrap());
        texts.push(json!({"keys": [jwk.clone()]}).to_string().into_bytes());
        texts.push(text(&jwk, if self.key.algorithm == Algorithm::Rs256 { "/n" } else { "/x" }).into_bytes());
        (jwk["kid"], jwk["alg"]) = (json!(self.key.kid), json!(self.key.algorithm.as_str()));
        texts.push(jwk.to_string().into_bytes());
        texts.extend([Vec::new(), vec![0], self.key.kid.clone().into_bytes(), b"null".to_vec(), b"secret".to_vec()]);
        texts
    }
}

/// Header and payload of a token, as texts.
fn opened(token: &str) -> [String; 2] {
    let parts: Vec<&str> = token.split('.').collect();
    [0, 1].map(|part| String::from_utf8(URL_SAFE_NO_PAD.decode(parts[part]).unwrap()).unwrap())
}

/// A server that signs by this algorithm, a user's token, and the server's key.
async fn ground(algorithm: Algorithm) -> (Server, Member, Signing) {
    let server = start_with(&format!("[tokens]\nalgorithm = \"{}\"", algorithm.as_str())).await;
    let ann = Member::register(&server, "ann").await;
    let signing = Signing::of(&server);
    (server, ann, signing)
}

/// Row 1 (CVE-2015-9235, CVE-2022-29217): the public key as the secret of an HMAC.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_public_key_is_taken_for_the_secret_of_an_hmac() {
    for algorithm in Algorithm::ALL {
        let (server, ann, signing) = ground(algorithm).await;
        let [_, payload] = opened(&ann.access);
        let kinds = [("HS256", hmac::HMAC_SHA256), ("HS384", hmac::HMAC_SHA384), ("HS512", hmac::HMAC_SHA512)];
        for (number, secret) in signing.public_texts().into_iter().enumerate() {
            for (name, kind) in kinds {
                // Also under the name of the true algorithm: who looks at the key alone may be misled.
                for claimed in [name, algorithm.as_str()] {
                    let mut header = signing.header();
                    header["alg"] = json!(claimed);
                    let header = URL_SAFE_NO_PAD.encode(header.to_string());
                    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&payload));
                    let tag = hmac::sign(&hmac::Key::new(kind, &secret), signed.as_bytes());
                    let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag));
                    let place = PLACES[number % PLACES.len()];
                    place
                        .assert_refused(&server, &token, &format!("{claimed} by text {number} of {algorithm:?}"))
                        .await;
                    if name == "HS256" {
                        assert_refused_everywhere(&server, &token, &format!("text {number} of {algorithm:?}")).await;
                    }
                }
            }
        }
        assert_taken_everywhere(&server, &ann.access, "the true one").await;
    }
}

/// The server's own header with another value in one place.
fn spoilt(signing: &Signing, field: &str, value: Value) -> String {
    let mut header = signing.header();
    header[field] = value;
    header.to_string()
}

/// Row 1: `none` in every spelling, and other algorithms than the key's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_chooses_by_which_algorithm_its_token_is_checked() {
    for algorithm in Algorithm::ALL {
        let (server, ann, signing) = ground(algorithm).await;
        let [_, payload] = opened(&ann.access);
        let (genuine, zeros) = (ann.access.rsplit('.').next().unwrap(), URL_SAFE_NO_PAD.encode([0; 64]));
        let mut headers = Vec::new();
        for name in [
            "none", "None", "NONE", "nOnE", "none ", "", "HS256", "ES256K", "PS256", "RS512", "eddsa", "EdDSA ",
            "es256",
        ] {
            headers.push(spoilt(&signing, "alg", json!(name)));
        }
        for value in [json!(null), json!([algorithm.as_str()]), json!({}), json!(0), json!(true)] {
            headers.push(spoilt(&signing, "alg", value));
        }
        for other in Algorithm::ALL.iter().filter(|other| **other != algorithm) {
            headers.push(spoilt(&signing, "alg", json!(other.as_str())));
        }
        headers.push(signing.header().to_string().replacen("\"alg\":", "\"ALG\":", 1));
        headers.push(signing.header().to_string().replacen('{', "{\"alg\":\"none\",", 1));
        for header in &headers {
            let unsigned = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(&payload));
            for signature in ["", genuine, "AA", &zeros] {
                assert_refused_everywhere(&server, &format!("{unsigned}.{signature}"), header).await;
            }
            assert_refused_everywhere(&server, &unsigned, header).await;
            // The server's own signature makes a wrong header no better.
            assert_refused_everywhere(&server, &signing.token(header, &payload), header).await;
        }
    }
}

/// Row 1: headers that bring a key, or say where one is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_header_brings_the_key_that_its_token_is_checked_by() {
    for algorithm in Algorithm::ALL {
        let (server, ann, signing) = ground(algorithm).await;
        // Whoever fetches a key from where a header says comes by here.
        let trap = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", trap.local_addr().unwrap());
        let [_, payload] = opened(&ann.access);
        let attacker = Signing::foreign(algorithm, &server);
        // What is written here is taken where it is true, so that it is refused for no other reason.
        let good = signing.token(&signing.header().to_string(), &payload);
        assert_taken_everywhere(&server, &good, "signed by the server's key").await;
        let spoilt = |field: &str, value: Value| spoilt(&signing, field, value);
        let mut certain = attacker.jwk();
        certain["kid"] = json!(signing.key.kid);
        let leading = [
            attacker.header().to_string(),
            signing.header().to_string(),
            spoilt("jku", json!(url)),
            spoilt("x5u", json!(url)),
            spoilt("jwk", attacker.jwk()),
            spoilt("jwk", certain),
            spoilt("x5c", json!([STANDARD.encode(attacker.public_key().0)])),
            spoilt("kid", json!(url)),
            spoilt("kid", json!("../../../../../../dev/null")),
            spoilt("kid", json!("' union select 'secret' --")),
            spoilt("kid", json!("")),
            spoilt("kid", json!(null)),
            spoilt("kid", json!([signing.key.kid])),
            spoilt("kid", json!(format!("{}\0", signing.key.kid))),
            json!({"typ": "at+jwt", "alg": algorithm.as_str()}).to_string(),
        ];
        for header in &leading {
            assert_refused_everywhere(&server, &attacker.token(header, &payload), header).await;
        }
        // Truly signed, but with what no honest token has: who wrote it meant somebody to believe it.
        for header in [
            spoilt("jku", json!(url)),
            spoilt("x5u", json!(url)),
            spoilt("jwk", attacker.jwk()),
            spoilt("x5c", json!([])),
            spoilt("crit", json!(["exp"])),
            spoilt("kid", json!("another")),
        ] {
            assert_refused_everywhere(&server, &signing.token(&header, &payload), &header).await;
        }
        let waited = tokio::time::timeout(Duration::from_millis(100), trap.accept()).await;
        assert!(waited.is_err(), "the server fetched what a token named");
    }
}

/// Row 1: what was signed is changed, cut, joined or written another way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_what_was_signed_to_the_last_bit() {
    for algorithm in Algorithm::ALL {
        let (server, ann, signing) = ground(algorithm).await;
        let eve = Member::register(&server, "eve").await;
        let [header, payload] = opened(&eve.access);
        let parts: Vec<&str> = eve.access.split('.').collect();
        let (head, body, tail) = (parts[0], parts[1], parts[2]);
        let others = ann.access.split('.').collect::<Vec<_>>();
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let stolen = payload.replace(&eve.id, &ann.id);
        assert_ne!(stolen, payload);
        let flattened = json!({"protected": head, "payload": body, "signature": tail}).to_string();
        let mut forged = vec![
            format!("{head}.{}.{tail}", encode(&stolen)),
            format!("{head}.{}.{tail}", others[1]),
            format!("{head}.{body}.{}", others[2]),
            format!("{}.{body}", encode(&header)),
            format!("{head}..{tail}"),
            format!(".{body}.{tail}"),
            format!("{head}.{body}.{tail}.{tail}"),
            format!("{head}.{body}.{tail}."),
            format!("{head}.{body}..{tail}"),
            format!("{head}..{body}.{tail}."),
            format!("{head}.{body}.{tail}="),
            format!("{head}.{body}.{tail}=="),
            format!("{head}=.{body}.{tail}"),
            format!("{head}.{body}.{}", &tail[..tail.len() - 1]),
            format!("{head}.{body}.{tail}A"),
            format!("{head}.{body}.{tail}\0"),
            format!("{head}.{body}.{}", tail.to_uppercase()),
            format!("{head}.{body},{tail}"),
            format!("\"{}\"", eve.access),
            flattened,
            [head, "", "", "", tail].join("."),
            signing.token(&header, "{}"),
            signing.token(&header, ""),
            signing.token(&header, "null"),
            signing.token(&header, &format!("[{payload}]")),
            signing.token(&header, &format!("{payload}{payload}")),
            signing.token(&format!("[{header}]"), &payload),
        ];
        // The last digit of base64 has bits that no byte needs.
        let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let last = digits.find(&tail[tail.len() - 1..]).unwrap();
        let next = &digits[last ^ 1..=last ^ 1];
        forged.push(format!("{head}.{body}.{}{next}", &tail[..tail.len() - 1]));
        let mut signature = URL_SAFE_NO_PAD.decode(tail).unwrap();
        let whole = signature.clone();
        for at in [0, whole.len() / 2, whole.len() - 1] {
            signature.clone_from(&whole);
            signature[at] ^= 1;
            forged.push(format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(&signature)));
        }
        // CVE-2022-21449: zeros that some libraries found to be right for every text.
        for length in [0, 1, 64, 384] {
            forged.push(format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(vec![0; length])));
        }
        for token in &forged {
            assert_refused_everywhere(&server, token, token).await;
        }
        assert_taken_everywhere(&server, &eve.access, "the true one").await;
    }
}

/// What may not stand in a claim's place.
fn odd_values(claim: &str, true_value: &Value) -> Vec<String> {
    let mut values: Vec<String> = [
        "null",
        "true",
        "false",
        "\"\"",
        "[]",
        "{}",
        "-1",
        "1.5",
        "1e10",
        "1.0e9",
        "-9223372036854775808",
        "9223372036854775807",
        "18446744073709551615",
        "1e400",
        "99999999999999999999999999999999",
        "253402300800",
        "\"1e9\"",
        "\"\\u0000\"",
        "[1700000000]",
        "{\"$gt\":0}",
        "NaN",
        "Infinity",
        "0x7fffffff",
    ]
    .map(str::to_owned)
    .into();
    values.extend([format!("[{true_value}]"), format!("{{\"value\":{true_value}}}")]);
    match true_value {
        Value::Number(number) => values.extend([format!("\"{number}\""), format!("{number}.0"), format!("-{number}")]),
        Value::String(text) => {
            values.extend([format!("\"{text} \""), format!("\"{text}\\u0000\""), format!("\"{}\"", &text[1..])]);
            // The names of servers and dialects are compared to the letter.
            if ["iss", "aud", "client_id"].contains(&claim) {
                values.push(format!("\"{}\"", text.to_uppercase()));
            }
        }
        other => panic!("{other}"),
    }
    values.retain(|value| value != &true_value.to_string());
    if claim == "client_id" {
        values.extend(["\"keycloak\"", "\"admin\""].map(str::to_owned));
    }
    values
}

/// Row 2 (CVE-2026-25537): claims of odd types and sizes, each truly signed by the server's own key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_of_another_type_or_out_of_range_is_refused_whoever_signed_it() {
    let (server, ann, signing) = ground(Algorithm::EdDsa).await;
    let [header, payload] = opened(&ann.access);
    let claims: Value = serde_json::from_str(&payload).unwrap();
    assert_taken_everywhere(&server, &signing.token(&header, &claims.to_string()), "nothing changed").await;
    for (number, (claim, value)) in claims.as_object().unwrap().iter().enumerate() {
        let written = format!("\"{claim}\":{value}");
        let text = claims.to_string();
        assert!(text.contains(&written), "{written} in {text}");
        let mut spoilt: Vec<_> =
            odd_values(claim, value).iter().map(|odd| text.replace(&written, &format!("\"{claim}\":{odd}"))).collect();
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(claim);
        spoilt.push(without.to_string());
        // Of two, one reader takes the first and another the last.
        spoilt.extend([
            text.replace(&written, &format!("{written},{written}")),
            text.replace(&written, &format!("{written},\"{claim}\":null")),
            text.replace(&written, &format!("\"{claim}\":null,{written}")),
        ]);
        for (at, payload) in spoilt.iter().enumerate() {
            let token = signing.token(&header, payload);
            PLACES[(number + at) % PLACES.len()].assert_refused(&server, &token, payload).await;
            if ["exp", "iat"].contains(&claim.as_str()) {
                assert_refused_everywhere(&server, &token, payload).await;
            }
        }
    }
}

/// Row 2: what was over, is not yet, or lives for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_from_its_beginning_to_its_end_and_a_minute_beside() {
    let (server, ann, signing) = ground(Algorithm::EdDsa).await;
    let [header, payload] = opened(&ann.access);
    let claims: Value = serde_json::from_str(&payload).unwrap();
    let now = server.clock.now().seconds();
    let with = |changes: &[(&str, i64)]| {
        let mut claims = claims.clone();
        for (claim, value) in changes {
            claims[*claim] = json!(value);
        }
        signing.token(&header, &claims.to_string())
    };
    for (changes, taken) in [
        (&[("exp", now + 10)][..], true),
        (&[("exp", now - 50)], true),
        (&[("exp", now - 61)], false),
        (&[("exp", 0)], false),
        (&[("exp", 1)], false),
        (&[("iat", now + 50)], true),
        (&[("iat", now + 62)], false),
        // A session goes on where the clock was set back since.
        (&[("auth_time", now + 62)], true),
        (&[("iat", now + 62), ("exp", now + 900)], false),
        (&[("cver", 1_000_000)], false),
    ] {
        for place in PLACES {
            if taken {
                place.assert_taken(&server, &with(changes), &format!("{changes:?}")).await;
            } else {
                place.assert_refused(&server, &with(changes), &format!("{changes:?}")).await;
            }
        }
    }
}

/// A secret of each kind, and the name of the kind.
async fn one_of_each(server: &Server, ann: &Member) -> Vec<(&'static str, String)> {
    vec![
        ("access", ann.access.clone()),
        ("refresh", ann.refresh.clone()),
        ("api", ann.api_token(server).await.1),
        ("super user", ADMIN_TOKEN.to_owned()),
        ("reset", reset_token(server, &ann.email).await),
        ("verification", verification_token(server, &ann.access).await),
    ]
}

/// Row 3: every kind of token in every place that takes one, where only its own kind is taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_good_for_what_it_was_made_for_alone() {
    const NEW: &str = "another pass phrase";
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let kinds = one_of_each(&server, &ann).await;
    for (kind, token) in &kinds {
        for place in PLACES {
            if ["access", "api", "super user"].contains(kind) {
                place.assert_taken(&server, token, kind).await;
            } else {
                place.assert_refused(&server, token, kind).await;
            }
        }
        if *kind != "refresh" {
            assert_eq!(refresh(&server, token).await.0, StatusCode::UNAUTHORIZED, "{kind}");
            assert_eq!(logout(&server, token).await.0, StatusCode::BAD_REQUEST, "{kind}");
        }
        if *kind != "reset" {
            assert_eq!(reset(&server, token, NEW).await.0, StatusCode::UNAUTHORIZED, "{kind}");
        }
        if *kind != "verification" {
            assert_eq!(verify(&server, &ann.access, token).await.0, StatusCode::UNAUTHORIZED, "{kind}");
            // Also as both at once.
            let status = verify(&server, token, token).await.0;
            let expected = if ["api", "super user"].contains(kind) { 403 } else { 401 };
            assert_eq!(status.as_u16(), expected, "{kind}");
        }
    }
    // Nothing of that used any of them up.
    let [verification, reset_secret, refresh_token] = ["verification", "reset", "refresh"]
        .map(|wanted| kinds.iter().find(|(kind, _)| *kind == wanted).unwrap().1.clone());
    assert_eq!(verify(&server, &ann.access, &verification).await.0, StatusCode::OK);
    assert_eq!(refresh(&server, &refresh_token).await.0, StatusCode::OK);
    assert_eq!(reset(&server, &reset_secret, NEW).await.0, StatusCode::OK);
}

/// Row 3: JWTs of other kinds, as other servers sign them with one and the same key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_says_that_it_is_an_access_token_is_one() {
    let (server, ann, signing) = ground(Algorithm::EdDsa).await;
    let [_, payload] = opened(&ann.access);
    for typ in [
        "JWT",
        "jwt",
        "rt+jwt",
        "refresh",
        "id_token",
        "logout+jwt",
        "dpop+jwt",
        "at+jwt ",
        "at",
        "text/at+jwt",
        "",
        "at+jwt;x",
    ] {
        let mut header = signing.header();
        header["typ"] = json!(typ);
        assert_refused_everywhere(&server, &signing.token(&header.to_string(), &payload), typ).await;
    }
    for typ in [json!(null), json!(["at+jwt"]), json!({"typ": "at+jwt"}), json!(1)] {
        let mut header = signing.header();
        header["typ"] = typ;
        assert_refused_everywhere(&server, &signing.token(&header.to_string(), &payload), "typ").await;
    }
    let mut header = signing.header();
    header.as_object_mut().unwrap().remove("typ");
    assert_refused_everywhere(&server, &signing.token(&header.to_string(), &payload), "no typ").await;
    // Of another server that was given the same key, and for another one.
    for claim in ["iss", "aud"] {
        let mut claims: Value = serde_json::from_str(&payload).unwrap();
        claims[claim] = json!("https://elsewhere.example");
        let token = signing.token(&signing.header().to_string(), &claims.to_string());
        assert_refused_everywhere(&server, &token, claim).await;
    }
}

/// Row 3, and the rule beside it: two different credentials in one request are none, however good
/// one or both of them are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_credential_beside_another_one_is_refused() {
    let server = start().await;
    let (ann, eve) = (Member::register(&server, "ann").await, Member::register(&server, "eve").await);
    let user = json!({"email": "bob@example.com", "password": PASSWORD});
    let api = text(&iron_done(&server, "POST", "/1/users", ADMIN_TOKEN, user).await, "/tokens/0");
    for first in PLACES {
        for second in PLACES.iter().filter(|second| second.0 == first.0) {
            for other in [&eve.access, &api, ADMIN_TOKEN, "x"] {
                let request = second.put(first.put(first.0.question(&server), &ann.access), other);
                let (status, body) = answer(request).await;
                assert!([401, 403].contains(&status.as_u16()), "{first:?} {second:?}: {status} {body}");
            }
        }
    }
}
