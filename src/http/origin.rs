//! From where a request came, for the record of sessions and events. Reads the connection's
//! address and the client's name of itself; believes no proxy header.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::Extensions;
use axum::http::header::{HeaderMap, HeaderValue, USER_AGENT};

use crate::domain::caller::Origin;

const USER_AGENT_MAX_CHARACTERS: usize = 256;

/// The origin of the request with these extensions and headers.
#[must_use]
pub fn of(extensions: &Extensions, headers: &HeaderMap) -> Origin {
    Origin { address: address(extensions), user_agent: headers.get(USER_AGENT).and_then(user_agent) }
}

/// The peer's address. One of IPv4 in IPv6's clothes is IPv4, so that it counts as one client.
#[must_use]
pub fn address(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip().to_canonical())
}

/// Visible ASCII and spaces only: the text is shown in logs and on pages.
fn user_agent(value: &HeaderValue) -> Option<String> {
    let visible = value.as_bytes().iter().copied().filter(|byte| matches!(byte, b' '..=b'~'));
    let text: String = visible.take(USER_AGENT_MAX_CHARACTERS).map(char::from).collect();
    (!text.trim().is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(peer: Option<&str>, user_agent: &[u8]) -> Origin {
        let mut extensions = Extensions::new();
        if let Some(peer) = peer {
            extensions.insert(ConnectInfo(peer.parse::<SocketAddr>().unwrap()));
        }
        let value = HeaderValue::from_bytes(user_agent).unwrap();
        of(&extensions, &HeaderMap::from_iter([(USER_AGENT, value)]))
    }

    #[test]
    fn mapped_addresses_are_unmapped_and_others_kept() {
        let address = |peer| origin(Some(peer), b"curl").address.map(|address| address.to_string());
        assert_eq!(address("[::ffff:192.0.2.1]:5").as_deref(), Some("192.0.2.1"));
        assert_eq!(address("192.0.2.1:5").as_deref(), Some("192.0.2.1"));
        assert_eq!(address("[2001:db8::1]:5").as_deref(), Some("2001:db8::1"));
        assert_eq!(origin(None, b"curl").address, None);
    }

    #[test]
    fn a_user_agent_is_cut_and_stripped_of_what_cannot_be_seen() {
        let named = |user_agent| origin(None, user_agent).user_agent;
        assert_eq!(named(b"curl/8 \xe2\x80\xae\t(x)").as_deref(), Some("curl/8 (x)"));
        assert_eq!(named(&[b'a'; 300]), Some("a".repeat(256)));
        assert_eq!(named(b""), None);
        assert_eq!(named(b"\xff"), None);
    }
}
