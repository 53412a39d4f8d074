//! The cookies of the pages. Each is bound to the whole host and to HTTPS by the prefix of its name (RFC 6265bis,
//! 4.1.3), so that no other host of the domain and no plain connection can set it.

use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderValue};

/// Holds the session of whoever is signed in.
pub(super) const SESSION: &str = "__Host-doorward-session";
/// Tells one browser from another where nobody is signed in: what a form is bound to then.
pub(super) const VISITOR: &str = "__Host-doorward-visitor";
/// Holds the language that was chosen.
pub(super) const LANGUAGE: &str = "__Host-doorward-language";

/// The value of a cookie; of none that stands there twice.
pub(super) fn read<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(found, _)| *found == name).map(|(_, value)| value);
    values.next().filter(|_| values.next().is_none())
}

/// A cookie for as long as `lifetime`, or until the browser is closed.
pub(super) fn set(name: &str, value: &str, lifetime: Option<Duration>) -> Option<HeaderValue> {
    let age = lifetime.map(|lifetime| format!("; Max-Age={}", lifetime.as_secs())).unwrap_or_default();
    let line = format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite=Lax{age}");
    HeaderValue::try_from(line).ok().map(secret)
}

/// Takes a cookie away.
pub(super) fn forget(name: &str) -> Option<HeaderValue> {
    set(name, "", Some(Duration::ZERO))
}

fn secret(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (COOKIE, HeaderValue::from_str(line).unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_found_among_others_and_on_any_line() {
        assert_eq!(read(&headers(&["a=1; b=2=3;c="]), "b"), Some("2=3"));
        assert_eq!(read(&headers(&["a=1", "b=2"]), "b"), Some("2"));
        assert_eq!(read(&headers(&["a=1; c="]), "c"), Some(""));
        assert_eq!(read(&headers(&["ab=1; b"]), "b"), None);
    }

    #[test]
    fn one_that_stands_there_twice_counts_for_nothing() {
        assert_eq!(read(&headers(&["b=1; b=2"]), "b"), None);
        assert_eq!(read(&headers(&["b=1", "b=1"]), "b"), None);
    }

    #[test]
    fn every_cookie_is_bound_to_the_host_and_hidden_from_scripts() {
        for name in [SESSION, VISITOR, LANGUAGE] {
            let line = set(name, "x", Some(Duration::from_mins(1))).unwrap();
            let expected = format!("{name}=x; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=60");
            assert_eq!(line.to_str().unwrap(), expected);
            assert!(name.starts_with("__Host-"));
        }
        assert!(forget(SESSION).unwrap().to_str().unwrap().ends_with("; Max-Age=0"));
    }
}
