//! Finds the token that a request presents, wherever a dialect says it may stand, and refuses
//! two different ones. Knows no token format. On the hot path: a token in a header is borrowed.

use std::borrow::Cow;
use std::fmt;

use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};

use super::urlencoded;
use crate::domain::error::Unauthenticated;
use crate::secret::same;

/// What a request presents as its credential.
#[derive(Clone, PartialEq, Eq)]
pub enum Presented<'a> {
    /// Nothing.
    None,
    /// One token, in one place or the same in several.
    One(Cow<'a, str>),
    /// Different tokens, or a token beside something unreadable.
    Conflict,
    /// Something that is no token: another scheme, no token after it, spaces or other bytes in it.
    Unreadable,
}

impl<'a> Presented<'a> {
    /// This and what stands in another place of the same request.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, only) | (only, Self::None) => only,
            (Self::Unreadable, Self::Unreadable) => Self::Unreadable,
            (Self::One(left), Self::One(right)) if same(left.as_bytes(), right.as_bytes()) => Self::One(left),
            _ => Self::Conflict,
        }
    }

    /// The one token.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated::Missing`] where there is none, [`Unauthenticated::Malformed`] for anything else.
    pub fn token(self) -> Result<Cow<'a, str>, Unauthenticated> {
        match self {
            Self::One(token) => Ok(token),
            Self::None => Err(Unauthenticated::Missing),
            Self::Conflict | Self::Unreadable => Err(Unauthenticated::Malformed),
        }
    }

    fn read(token: Cow<'a, str>) -> Self {
        // Without a way out in between: many bytes are looked at in one step.
        let is_visible = token.bytes().fold(true, |visible, byte| visible & byte.is_ascii_graphic());
        if is_visible && !token.is_empty() { Self::One(token) } else { Self::Unreadable }
    }
}

/// Shows which case it is, never the token.
impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::One(_) => "One(..)",
            Self::Conflict => "Conflict",
            Self::Unreadable => "Unreadable",
        })
    }
}

/// The token in `Authorization`, under one of `schemes` in any case.
///
/// Another scheme (`Basic`, say) is a bad credential, not an absent one.
#[must_use]
pub fn authorization<'a>(headers: &'a HeaderMap, schemes: &[&str]) -> Presented<'a> {
    gather(headers, &AUTHORIZATION, |value| match value.split_once(' ') {
        Some((scheme, token)) if schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)) => {
            Presented::read(Cow::Borrowed(token.trim_start_matches(' ')))
        }
        _ => Presented::Unreadable,
    })
}

/// The token that is all of a header's value; an empty value is none.
#[must_use]
pub fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Presented<'a> {
    gather(headers, name, |value| match value {
        "" => Presented::None,
        token => Presented::read(Cow::Borrowed(token)),
    })
}

/// The token in the query parameter `name`; an empty value is none.
#[must_use]
pub fn query<'a>(query: Option<&'a str>, name: &str) -> Presented<'a> {
    urlencoded::pairs(query)
        .filter(|(key, value)| key == name && !value.is_empty())
        // Bytes that are not UTF-8 come out as U+FFFD, which is no token character.
        .map(|(_, value)| Presented::read(value))
        .fold(Presented::None, Presented::and)
}

fn gather<'a>(headers: &'a HeaderMap, name: &HeaderName, read: impl Fn(&'a str) -> Presented<'a>) -> Presented<'a> {
    let read = |value: &'a HeaderValue| str::from_utf8(value.as_bytes()).map_or(Presented::Unreadable, &read);
    headers.get_all(name).iter().map(read).fold(Presented::None, Presented::and)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SCHEMES: [&str; 3] = ["OAuth", "Bearer", "Token"];

    fn one(token: &str) -> Presented<'_> {
        Presented::One(Cow::Borrowed(token))
    }

    fn sent(values: &[&'static [u8]]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn a_token_is_found_after_any_known_scheme_in_any_case_and_only_borrowed() {
        for value in ["OAuth abc", "oauth abc", "BEARER   abc", "Token abc"] {
            let headers = sent(&[value.as_bytes()]);
            let presented = authorization(&headers, &SCHEMES);
            assert!(matches!(presented, Presented::One(Cow::Borrowed("abc"))), "{value}");
            assert_eq!(presented.token().as_deref(), Ok("abc"));
        }
        assert_eq!(authorization(&HeaderMap::new(), &SCHEMES).token(), Err(Unauthenticated::Missing));
    }

    #[test]
    fn what_holds_no_token_is_a_bad_credential_not_an_absent_one() {
        let values: [&[u8]; 9] =
            [b"", b"Bearer", b"Bearer ", b"Basic YTpi", b"abc", b"Bearer a b", b"Bearer\tabc", b"Bearer \xe9", b" abc"];
        for value in values {
            let headers = sent(&[value]);
            assert_eq!(authorization(&headers, &SCHEMES).token(), Err(Unauthenticated::Malformed), "{value:?}");
        }
    }

    #[test]
    fn the_same_token_twice_is_one_and_different_ones_are_a_conflict() {
        let twice = sent(&[b"Bearer abc", b"OAuth abc"]);
        assert_eq!(authorization(&twice, &SCHEMES), one("abc"));
        assert_eq!(authorization(&twice, &SCHEMES).and(query(Some("oauth=abc"), "oauth")), one("abc"));
        assert_eq!(authorization(&twice, &SCHEMES).and(query(Some("oauth=abd"), "oauth")), Presented::Conflict);
        for values in [[b"Bearer abc".as_slice(), b"Bearer abd"], [b"Bearer abc", b"Basic abc"]] {
            assert_eq!(authorization(&sent(&values), &SCHEMES), Presented::Conflict);
        }
        assert_eq!(Presented::Conflict.and(one("a")), Presented::Conflict);
        assert_eq!(Presented::Unreadable.and(Presented::None), Presented::Unreadable);
    }

    #[test]
    fn a_header_may_be_the_token_itself() {
        let name = HeaderName::from_static("x-access-token");
        let read = |value: &'static str| {
            let headers = HeaderMap::from_iter([(name.clone(), HeaderValue::from_static(value))]);
            header(&headers, &name).token().map(Cow::into_owned)
        };
        assert_eq!(read("abc"), Ok("abc".to_owned()));
        assert_eq!(read(""), Err(Unauthenticated::Missing));
        assert_eq!(read("a b"), Err(Unauthenticated::Malformed));
    }

    #[test]
    fn a_query_parameter_is_decoded() {
        assert_eq!(query(None, "token"), Presented::None);
        assert_eq!(query(Some("a=1&token=&b"), "token"), Presented::None);
        assert_eq!(query(Some("token=a%2Bb&x=1"), "token"), one("a+b"));
        assert_eq!(query(Some("token=a&%74oken=%61"), "token"), one("a"));
        assert_eq!(query(Some("token=a&token=b"), "token"), Presented::Conflict);
        assert_eq!(query(Some("token=a+b"), "token"), Presented::Unreadable);
        assert_eq!(query(Some("token=%ff"), "token"), Presented::Unreadable);
        assert_eq!(query(Some("Token=a"), "token"), Presented::None);
    }

    #[test]
    fn its_debug_form_does_not_show_the_token() {
        assert_eq!(format!("{:?}", one("hunter2")), "One(..)");
    }

    proptest! {
        #[test]
        fn every_token_of_visible_characters_comes_through_every_place(token in "[!-~]{1,80}") {
            let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
            let encoded = form_urlencoded::Serializer::new(String::new()).append_pair("oauth", &token).finish();
            let presented = authorization(&headers, &SCHEMES).and(query(Some(&encoded), "oauth"));
            prop_assert_eq!(presented.token(), Ok(Cow::Borrowed(token.as_str())));
        }

        #[test]
        fn no_header_or_query_panics_and_no_token_has_spaces(
            bytes in prop::collection::vec(any::<u8>(), 0..60), text in any::<String>()
        ) {
            let headers: HeaderMap =
                HeaderValue::from_bytes(&bytes).into_iter().map(|value| (AUTHORIZATION, value)).collect();
            let presented =
                [authorization(&headers, &SCHEMES), header(&headers, &AUTHORIZATION), query(Some(&text), "a")];
            for token in presented.into_iter().filter_map(|presented| presented.token().ok()) {
                prop_assert!(!token.is_empty() && !token.contains(char::is_whitespace));
            }
        }
    }
}
