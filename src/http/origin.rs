//! From where a request came, for limits and for the record of sessions and events. The client's
//! address is that of the connection's other end or, where that is a proxy that the operator trusts,
//! what the proxies say of it: the rightmost hop that is none of theirs. What a stranger writes is never
//! believed.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::ConnectInfo;
use axum::http::HeaderName;
use axum::http::header::{HeaderMap, HeaderValue, USER_AGENT};
use axum::http::request::Parts;

use crate::app::App;
use crate::domain::caller::Origin;
use crate::domain::network::Network;
use crate::domain::session::Dialect;

const USER_AGENT_MAX_CHARACTERS: usize = 256;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The origin of the request with this head.
#[must_use]
pub fn of(app: &App, parts: &Parts, dialect: Dialect) -> Origin {
    warn_of_an_unnamed_proxy(app, parts);
    Origin {
        address: address(app, parts),
        user_agent: parts.headers.get(USER_AGENT).and_then(user_agent),
        dialect: Some(dialect),
    }
}

/// Behind a proxy that was not named, all clients are one, and one of them could keep all others out. Said
/// once: anybody may write that header.
fn warn_of_an_unnamed_proxy(app: &App, parts: &Parts) {
    static IS_SAID: AtomicBool = AtomicBool::new(false);
    if app.settings().http.trusted_proxies.is_empty()
        && parts.headers.contains_key(X_FORWARDED_FOR)
        && !IS_SAID.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(
            peer = peer(parts).map(tracing::field::display),
            "a request carries X-Forwarded-For, and http.trusted_proxies names no proxy: if this address is one, name \
             it, or all clients count as one"
        );
    }
}

/// The address of the client that sent the request with this head.
#[must_use]
pub fn address(app: &App, parts: &Parts) -> Option<IpAddr> {
    Some(client(app, peer(parts)?, &parts.headers))
}

/// The address at the other end of the connection.
pub(super) fn peer(parts: &Parts) -> Option<IpAddr> {
    parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip())
}

/// The client's address, where `peer` is at the other end of the connection. One of IPv4 in IPv6's
/// clothes is IPv4, so that it counts as one client.
#[must_use]
pub fn client(app: &App, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    behind(&app.settings().http.trusted_proxies, peer.to_canonical(), headers)
}

/// Goes back from hop to hop for as long as a trusted proxy vouches for the next one. Where that is
/// unreadable, the proxy that wrote it stands for whoever is behind it.
pub(crate) fn behind(proxies: &[Network], peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let is_trusted = |address: IpAddr| proxies.iter().any(|proxy| proxy.contains(address));
    let mut client = peer;
    let mut values = headers.get_all(X_FORWARDED_FOR).iter().rev();
    let mut hops = values.by_ref().flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b','));
    while is_trusted(client) {
        let Some(hop) = hops.next().and_then(read_hop) else { break };
        client = hop;
    }
    client
}

/// An address, as proxies write it: with or without a port.
fn read_hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Visible ASCII and spaces only: the text is shown in logs and on pages.
pub(crate) fn user_agent(value: &HeaderValue) -> Option<String> {
    let visible = value.as_bytes().iter().copied().filter(|byte| matches!(byte, b' '..=b'~'));
    let text: String = visible.take(USER_AGENT_MAX_CHARACTERS).map(char::from).collect();
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen_behind(proxies: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let proxies: Vec<_> = proxies.iter().map(|proxy| Network::parse(proxy).unwrap()).collect();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(X_FORWARDED_FOR, value.parse().unwrap());
        }
        behind(&proxies, peer.parse::<IpAddr>().unwrap().to_canonical(), &headers).to_string()
    }

    #[test]
    fn a_stranger_who_names_another_client_is_taken_for_itself() {
        assert_eq!(seen_behind(&[], "192.0.2.1", &["203.0.113.9"]), "192.0.2.1");
        assert_eq!(seen_behind(&["10.0.0.0/8"], "192.0.2.1", &["203.0.113.9, 10.0.0.1"]), "192.0.2.1");
        assert_eq!(seen_behind(&[], "::ffff:192.0.2.1", &[]), "192.0.2.1");
    }

    #[test]
    fn behind_trusted_proxies_the_client_is_the_rightmost_hop_that_is_none_of_them() {
        let seen = |forwarded: &[&str]| seen_behind(&["10.0.0.0/8", "::1"], "10.0.0.1", forwarded);
        assert_eq!(seen(&["203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen(&["6.6.6.6, 203.0.113.9"]), "203.0.113.9", "what the client itself wrote is left of it");
        assert_eq!(seen(&["6.6.6.6, 203.0.113.9, 10.0.0.2"]), "203.0.113.9");
        assert_eq!(seen(&["6.6.6.6", "203.0.113.9"]), "203.0.113.9", "each line goes on where the one before ended");
        assert_eq!(seen(&["203.0.113.9:4711"]), "203.0.113.9");
        assert_eq!(seen(&["[2001:db8::5]:4711"]), "2001:db8::5");
        assert_eq!(seen(&["[2001:db8::5]"]), "2001:db8::5");
        assert_eq!(seen(&["::ffff:203.0.113.9"]), "203.0.113.9");
        assert_eq!(seen(&["10.0.0.7, 10.0.0.2"]), "10.0.0.7", "a request of a proxy's own");
    }

    #[test]
    fn behind_what_cannot_be_read_stands_the_proxy_that_wrote_it() {
        let seen = |forwarded: &[&str]| seen_behind(&["10.0.0.0/8"], "10.0.0.1", forwarded);
        assert_eq!(seen(&[]), "10.0.0.1");
        for garbage in ["", ",", "unknown", "203.0.113.9,", "203.0.113.9, x", "_hidden", "1.2.3", "203.0.113.9;"] {
            assert_eq!(seen(&[garbage]), "10.0.0.1", "{garbage}");
        }
        assert_eq!(seen(&["203.0.113.9, x, 10.0.0.2"]), "10.0.0.2");
    }

    #[test]
    fn a_user_agent_is_cut_and_stripped_of_what_cannot_be_seen() {
        let named = |name: &[u8]| user_agent(&HeaderValue::from_bytes(name).unwrap());
        assert_eq!(named(b"curl/8 \xe2\x80\xae\t(x)").as_deref(), Some("curl/8 (x)"));
        assert_eq!(named(&[b'a'; 300]), Some("a".repeat(256)));
        assert_eq!(named(b""), None);
        assert_eq!(named(b"\xff"), None);
    }
}
