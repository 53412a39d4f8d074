//! What shows who asks: a credential has one spelling, and nobody but the server can write one.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::case_of;
use crate::clock::Timestamp;
use crate::domain::id::{SessionId, UserId};
use crate::domain::network::Network;
use crate::domain::session::Dialect;
use crate::domain::token::{Algorithm, ApiTokenSecret, RefreshToken, SingleUseSecret, ends};
use crate::guard::jwt::{AccessClaims, Realm};
use crate::guard::keyring::{Keyring, Purpose, Settling};
use crate::http::credential::{self, Presented};
use crate::http::origin;
use crate::secret::ExposeSecret as _;
use crate::store::key_material::KeyMaterial;

pub(super) const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);
const SESSION: SessionId = SessionId::from_bytes([5; 12]);

pub(super) fn realm() -> Realm {
    Realm { issuer: "https://id.example".to_owned(), audience: "https://id.example".to_owned() }
}

/// Keys of this process.
pub(super) static RING: LazyLock<Keyring> = LazyLock::new(|| {
    let material = KeyMaterial::generate(Algorithm::EdDsa, NOW).unwrap();
    Keyring::from_material(&material, &Purpose { realm: realm(), settling: Settling::default() }).unwrap()
});

pub(super) fn tokens(input: &[u8]) {
    if let Some(bytes) = input.first_chunk::<64>() {
        let mut draws = 0_u8;
        let made = ApiTokenSecret::generate(|| {
            draws = draws.wrapping_add(1);
            // Random bytes do not stay above those that are fair for ever.
            bytes.map(|byte| byte.wrapping_mul(draws))
        });
        assert!(ApiTokenSecret::is_well_formed(made.expose_secret()));
    }
    assert!(RefreshToken::parse(&RING.refresh_token(SESSION, 1, 1).unwrap()).is_some());
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(token) = ApiTokenSecret::parse(text) {
        assert_eq!(token.as_str(), text);
        assert!(text.starts_with(token.head()) && text.ends_with(token.tail()));
        assert!(RefreshToken::parse(text).is_none() && SingleUseSecret::parse(text).is_none());
    }
    if let Some(token) = RefreshToken::parse(text) {
        assert_eq!(token.to_text().as_deref(), Some(text));
        assert!(SingleUseSecret::parse(text).is_none());
    }
    if let Some(secret) = SingleUseSecret::parse(text) {
        assert_eq!(secret.to_text().expose_secret(), text);
    }
    assert!(RING.verify_refresh(text).is_none(), "nobody else can write a refresh token");
    let (head, tail) = ends(text);
    assert!(head.chars().count() + tail.chars().count() <= 8 && text.starts_with(head) && text.ends_with(tail));
}

fn claims() -> AccessClaims {
    AccessClaims {
        user_id: UserId::from_bytes([1; 12]),
        session_id: SESSION,
        dialect: Dialect::Rest,
        jti: [7; 12],
        issued_at: NOW,
        expires_at: Timestamp::from_seconds(NOW.seconds() + 900),
        auth_time: NOW,
        credential_version: 3,
    }
}

/// A text as it is; the claims of a token that is signed; the head of one; or a change to a genuine one.
pub(super) fn access_tokens(input: &[u8]) {
    static GENUINE: LazyLock<String> = LazyLock::new(|| RING.sign(&claims()).unwrap());
    let Some((case, text)) = case_of(input, 4) else { return };
    let mut parts = GENUINE.split('.');
    let (head, payload) = (parts.next().unwrap(), parts.next().unwrap());
    match case {
        0 => assert!(RING.verify(text, NOW).is_err() || text == *GENUINE, "nobody else can write an access token"),
        1 => {
            let token = RING.sign_as_it_is(head, text.as_bytes()).unwrap();
            let Ok(read) = RING.verify(&token, NOW) else { return };
            assert_eq!(RING.verify(&RING.sign(&read).unwrap(), NOW), Ok(read));
            let said: Value = serde_json::from_str(text).unwrap();
            assert_eq!(said["sub"].as_str().map(str::to_lowercase), Some(read.user_id.to_string()));
            assert_eq!(said["exp"].as_i64(), Some(read.expires_at.seconds()));
            assert!(said["cver"].as_i64().is_some_and(|version| version >= 0) && !read.is_over(NOW));
        }
        2 => {
            let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
            let token = RING.sign_as_it_is(&URL_SAFE_NO_PAD.encode(text), &payload).unwrap();
            if RING.verify(&token, NOW).is_err() {
                return;
            }
            let said: Value = serde_json::from_str(text).unwrap();
            assert_eq!(said["alg"], "EdDSA");
            assert!(["crit", "jku", "jwk", "x5u", "x5c"].iter().all(|name| said.get(name).is_none()), "{text}");
        }
        _ => {
            // Where, and what stands there instead.
            let Some((at, instead)) = text.split_once(' ') else { return };
            let Some(at) = at.parse().ok().filter(|at| *at < GENUINE.len()) else { return };
            let end = GENUINE.len().min(at + instead.len());
            let changed = [&GENUINE[..at], instead, &GENUINE[end..]].concat();
            assert!(changed == *GENUINE || RING.verify(&changed, NOW).is_err(), "{changed} is taken");
        }
    }
}

/// Lines: the query, and then values of `Authorization`, but of another header where they begin with a `!`.
pub(super) fn presented(input: &[u8]) {
    const OTHER: HeaderName = HeaderName::from_static("x-access-token");
    const SCHEMES: [&str; 2] = ["Bearer", "OAuth"];
    let mut lines = input.split(|byte| *byte == b'\n');
    let query = lines.next().and_then(|line| str::from_utf8(line).ok());
    let mut headers = HeaderMap::new();
    for line in lines.take(8) {
        let (name, value) = line.strip_prefix(b"!").map_or((AUTHORIZATION, line), |value| (OTHER, value));
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let places = [
        credential::authorization(&headers, &SCHEMES),
        credential::header(&headers, &OTHER),
        credential::query(query, "token"),
    ];
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    if let Presented::One(token) = &places[0] {
        for value in headers.get_all(AUTHORIZATION) {
            let (scheme, shown) = value.to_str().unwrap().split_once(' ').unwrap();
            assert!(SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme)));
            assert_eq!(shown.trim_start_matches(' '), &**token);
        }
    }
    if let Presented::One(token) = &places[1] {
        let shown = headers.get_all(OTHER).iter().filter(|value| !value.is_empty());
        assert!(shown.into_iter().all(|value| value.as_bytes() == token.as_bytes()));
    }
    let [first, second, third] = places;
    let all = first.clone().and(second.clone()).and(third.clone());
    assert!(third.and(second).and(first) == all, "the order of places does not matter");
    if let Presented::One(token) = &all {
        assert!(is_token(token));
        assert!(!format!("{all:?}").contains(&**token) || "One(..)".contains(&**token));
        assert!(
            Presented::One(Cow::Borrowed("another")).and(all.clone()) == Presented::Conflict || *token == "another"
        );
    }
    assert_eq!(all.clone().token().is_ok(), matches!(all, Presented::One(_)));
}

/// Lines: networks of proxies, separated by spaces; the peer; and then values of `X-Forwarded-For`.
pub(super) fn origin(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let networks = lines.next().and_then(|line| str::from_utf8(line).ok()).unwrap_or_default();
    let proxies: Vec<Network> = networks.split(' ').filter_map(|text| Network::parse(text).ok()).collect();
    for network in &proxies {
        let written = network.to_string();
        assert_eq!(Network::parse(&written).as_ref(), Ok(network));
        let base = written.split('/').next().and_then(|base| base.parse().ok()).unwrap();
        assert!(network.contains(base), "{written} holds what it begins with");
    }
    let read = |line: &[u8]| str::from_utf8(line).ok()?.parse().ok();
    let Some(peer) = lines.next().and_then(read).map(|peer: IpAddr| peer.to_canonical()) else { return };
    assert!(Network::of_client(peer).contains(peer));
    assert!(Network::of_site(peer).is_none_or(|site| site.contains(peer)));
    let values: Vec<_> = lines.take(8).filter_map(|line| HeaderValue::from_bytes(line).ok()).collect();
    let headers = |values: &[HeaderValue]| {
        values.iter().map(|value| (HeaderName::from_static("x-forwarded-for"), value.clone())).collect::<HeaderMap>()
    };
    let client = origin::behind(&proxies, peer, &headers(&values));
    assert_eq!(client, client.to_canonical());
    let is_proxy = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    assert!(is_proxy(peer) || client == peer, "a stranger is believed");
    assert!(client == peer || names(&values, client), "{client} stands nowhere");
    if !is_proxy(client) {
        let stranger = [&[HeaderValue::from_static("203.0.113.77")], &values[..]].concat();
        assert_eq!(origin::behind(&proxies, peer, &headers(&stranger)), client, "what a client wrote is believed");
    }
    for value in &values {
        let shown = origin::user_agent(value).unwrap_or_default();
        assert!(shown.len() <= 256 && shown.bytes().all(|byte| matches!(byte, b' '..=b'~')));
    }
}

/// Whether one of the hops is this address.
fn names(values: &[HeaderValue], address: IpAddr) -> bool {
    let hops = values.iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    hops.filter_map(|hop| str::from_utf8(hop).ok()).map(|hop| hop.trim_matches([' ', '\t'])).any(|hop| {
        let bare = hop.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let address_of = bare.or_else(|| hop.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
        address_of.is_some_and(|found: IpAddr| found.to_canonical() == address)
    })
}
