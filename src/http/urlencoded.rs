//! Strict `application/x-www-form-urlencoded`, for form bodies and query strings, read into the
//! same shape as a JSON object so that one form serves both. Knows no field.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use serde_json::Value;
use zeroize::{Zeroize as _, Zeroizing};

use super::wipe::{Unfinished, Wipe as _};
use crate::domain::error::Error;
use crate::domain::id::read_hex;
use crate::domain::user::JsonObject;

/// Why a form body or query is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlencodedFault {
    /// A `%` without two hex digits, or bytes that are not UTF-8.
    BadEncoding,
    /// One field stands there twice.
    RepeatedField,
}

impl UrlencodedFault {
    /// The rule that is broken, to stand after "body" or "query".
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::BadEncoding => "must be percent-encoded UTF-8",
            Self::RepeatedField => "must not name a field twice",
        }
    }
}

/// Reads a form body into an object of strings.
///
/// # Errors
///
/// The first fault found; an empty body is none.
pub fn parse(bytes: &[u8]) -> Result<JsonObject, UrlencodedFault> {
    let mut fields = Unfinished(JsonObject::new());
    for pair in bytes.split(|&byte| byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut halves = pair.splitn(2, |&byte| byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let value = decode(halves.next().unwrap_or_default())?;
        if let Some(mut other) = fields.0.insert(name, Value::String(value)) {
            other.wipe();
            return Err(UrlencodedFault::RepeatedField);
        }
    }
    Ok(fields.take())
}

/// Reads a form body, with its fault as the domain says it.
///
/// # Errors
///
/// [`Error::Invalid`] that names the body.
pub fn parse_body(bytes: &[u8]) -> Result<JsonObject, Error> {
    parse(bytes).map_err(|fault| Error::invalid("body", fault.rule()))
}

/// Reads a query string, with its fault as the domain says it.
///
/// # Errors
///
/// [`Error::Invalid`] that names the query.
pub fn parse_query(query: Option<&str>) -> Result<JsonObject, Error> {
    parse(query.unwrap_or_default().as_bytes()).map_err(|fault| Error::invalid("query", fault.rule()))
}

/// The pairs of a query as browsers read it: nothing in it is a fault. Borrowed where nothing is
/// encoded, as in nearly all queries.
pub fn pairs(query: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let query = query.unwrap_or_default();
    let is_encoded = query.bytes().fold(false, |encoded, byte| encoded | matches!(byte, b'%' | b'+'));
    query.split('&').filter(|piece| !piece.is_empty()).filter_map(move |piece| {
        if is_encoded {
            return form_urlencoded::parse(piece.as_bytes()).next();
        }
        let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
        Some((Cow::Borrowed(name), Cow::Borrowed(value)))
    })
}

/// Whether the request says that its body is of this kind.
#[must_use]
pub fn is_announced(headers: &HeaderMap) -> bool {
    let announced = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = announced.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn decode(encoded: &[u8]) -> Result<String, UrlencodedFault> {
    // The whole capacity at once, and wiped where it comes to nothing: it may be a password.
    let mut decoded = Zeroizing::new(Vec::with_capacity(encoded.len()));
    let mut rest = encoded;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let (digits, after) = after.split_at_checked(2).ok_or(UrlencodedFault::BadEncoding)?;
                let [byte] = read_hex(digits).ok_or(UrlencodedFault::BadEncoding)?;
                decoded.push(byte);
                rest = after;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8(std::mem::take(&mut *decoded)).map_err(|error| {
        error.into_bytes().zeroize();
        UrlencodedFault::BadEncoding
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_decoded_as_browsers_encode_them() {
        let fields = parse(b"name=Ann+Lee&&email=ann%40example.com&bio&caf%C3%A9=%2B=").unwrap();
        assert_eq!(
            Value::Object(fields),
            json!({"name": "Ann Lee", "email": "ann@example.com", "bio": "", "caf\u{e9}": "+="})
        );
        assert_eq!(parse(b""), Ok(JsonObject::new()));
    }

    #[test]
    fn damaged_encodings_are_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "%=1", "a=%ff", "a=%C3", "a=%+1"] {
            assert_eq!(parse(text.as_bytes()), Err(UrlencodedFault::BadEncoding), "{text}");
        }
        assert_eq!(parse(b"a=\xff"), Err(UrlencodedFault::BadEncoding));
    }

    #[test]
    fn a_field_named_twice_is_refused_however_it_is_written() {
        for text in ["a=1&a=1", "a=1&b=2&%61=3"] {
            assert_eq!(parse(text.as_bytes()), Err(UrlencodedFault::RepeatedField), "{text}");
        }
    }

    #[test]
    fn the_kind_of_a_body_is_read_from_its_header() {
        let announced = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(value));
            is_announced(&headers)
        };
        assert!(announced("application/X-WWW-form-urlencoded; charset=utf-8"));
        assert!(!announced("application/json"));
        assert!(!is_announced(&HeaderMap::new()));
    }

    proptest! {
        #[test]
        fn whatever_is_encoded_is_read_back(fields in prop::collection::btree_map(any::<String>(), any::<String>(), 0..6)) {
            let encoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let expected: JsonObject = fields.into_iter().map(|(name, text)| (name, Value::String(text))).collect();
            prop_assert_eq!(parse(encoded.as_bytes()), Ok(expected));
        }

        #[test]
        fn a_query_is_read_as_browsers_read_it(query in "[a-c=&%+2]{0,24}|.{0,24}") {
            let expected: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
            prop_assert_eq!(pairs(Some(&query)).collect::<Vec<_>>(), expected);
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = parse(&bytes);
        }
    }
}
