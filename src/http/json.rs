//! Strict JSON for request bodies. What two readers could understand differently is refused:
//! repeated keys, lone surrogates, invalid UTF-8, anything after the value; and so is deep
//! nesting. No fault shows anything of the input.

mod escape;

use std::cell::Cell;
use std::fmt;

use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::wipe::{Unfinished, Wipe as _};
use crate::domain::error::Error;
use crate::domain::user::JsonObject;

/// How many arrays and objects may lie in one another.
const MAX_DEPTH: u8 = 32;

/// How deep a string with escapes may lie that is decoded with care: no API has a secret deeper than in an object in
/// an object, and each level is read once more for it.
const CAREFUL_LEVELS: u8 = 2;

/// Why a body is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// Not JSON at all, or not in UTF-8, or followed by something else.
    NotJson,
    /// JSON, but not an object.
    NotAnObject,
    /// JSON, but neither an object nor an array.
    NotAnObjectOrArray,
    /// An object, at any level, names a key twice.
    RepeatedKey,
    /// Nested deeper than any client has reason to.
    TooDeep,
}

impl JsonFault {
    /// The rule that the body breaks, to stand after "body" or "the body".
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::NotJson => "must be valid JSON in UTF-8",
            Self::NotAnObject => "must be a JSON object",
            Self::NotAnObjectOrArray => "must be a JSON object or array",
            Self::RepeatedKey => "must not name a key twice in one object",
            Self::TooDeep => "must not be nested deeper than 32 levels",
        }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the body {}", self.rule())
    }
}

impl std::error::Error for JsonFault {}

impl From<JsonFault> for Error {
    fn from(fault: JsonFault) -> Self {
        Self::invalid("body", fault.rule())
    }
}

/// Reads a body that must be one JSON object.
///
/// # Errors
///
/// The first fault found; an empty body is one.
pub fn parse(bytes: &[u8]) -> Result<JsonObject, JsonFault> {
    if is_blank(bytes) {
        return Err(JsonFault::NotAnObject);
    }
    match read(bytes)? {
        Value::Object(object) => Ok(object),
        mut other => {
            other.wipe();
            Err(JsonFault::NotAnObject)
        }
    }
}

/// Reads a body that may be empty, which means an empty object.
///
/// # Errors
///
/// The first fault found.
pub fn parse_optional(bytes: &[u8]) -> Result<JsonObject, JsonFault> {
    if is_blank(bytes) { Ok(JsonObject::new()) } else { parse(bytes) }
}

/// Reads a body that must be one JSON object or array.
///
/// # Errors
///
/// The first fault found; an empty body is one.
pub fn parse_value(bytes: &[u8]) -> Result<Value, JsonFault> {
    if is_blank(bytes) {
        return Err(JsonFault::NotAnObjectOrArray);
    }
    match read(bytes)? {
        value @ (Value::Object(_) | Value::Array(_)) => Ok(value),
        mut other => {
            other.wipe();
            Err(JsonFault::NotAnObjectOrArray)
        }
    }
}

fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))
}

fn read(bytes: &[u8]) -> Result<Value, JsonFault> {
    // Most bodies have no escape; of those that have one, some have it in a password.
    read_carefully(bytes, if bytes.contains(&b'\\') { CAREFUL_LEVELS } else { 0 })
}

fn read_carefully(bytes: &[u8], careful_levels: u8) -> Result<Value, JsonFault> {
    let fault = Cell::new(JsonFault::NotJson);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = deserializer.deserialize_any(Strict { depth_left: MAX_DEPTH, careful_levels, fault: &fault });
    let value = Unfinished(value.map_err(|_| fault.get())?);
    deserializer.end().map_err(|_| fault.get())?;
    Ok(value.take())
}

/// Builds one value. The parser's own error type carries text only, so the fault is kept beside it.
#[derive(Clone, Copy)]
struct Strict<'fault> {
    depth_left: u8,
    /// In how many levels from here on strings are decoded here and not by the parser.
    careful_levels: u8,
    fault: &'fault Cell<JsonFault>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonFault) -> E {
        self.fault.set(fault);
        E::custom(fault)
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => Err(self.refuse(JsonFault::TooDeep)),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let Some(careful_levels) = self.careful_levels.checked_sub(1) else {
            return deserializer.deserialize_any(self);
        };
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.starts_with('"') {
            return escape::decode(text).map(Value::String).ok_or_else(|| self.refuse(JsonFault::NotJson));
        }
        let value = serde_json::Deserializer::from_str(text).deserialize_any(Self { careful_levels, ..self });
        value.map_err(|_| self.refuse(self.fault.get()))
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| self.refuse(JsonFault::NotJson))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut elements = Unfinished(Vec::new());
        while let Some(element) = access.next_element_seed(inner)? {
            elements.0.push(element);
        }
        Ok(Value::Array(elements.take()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper::<A::Error>()?;
        let mut object = Unfinished(JsonObject::new());
        while let Some(key) = access.next_key::<String>()? {
            if object.0.contains_key(&key) {
                return Err(self.refuse(JsonFault::RepeatedKey));
            }
            object.0.insert(key, access.next_value_seed(inner)?);
        }
        Ok(Value::Object(object.take()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_read_whole() {
        let text = r#" {"a": "\u00e9\ud83d\ude00", "b": [1, -2, 0.5, true, null], "c": {"a": {}}} "#;
        let object = parse(text.as_bytes()).unwrap();
        assert_eq!(Value::Object(object), json!({"a": "é😀", "b": [1, -2, 0.5, true, null], "c": {"a": {}}}));
    }

    #[test]
    fn a_key_may_stand_once_in_each_object_however_it_is_written() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"x":[{"a":1,"b":2,"a":3}]}"#] {
            assert_eq!(parse(text.as_bytes()), Err(JsonFault::RepeatedKey), "{text}");
        }
        assert!(parse(br#"{"a":{"a":{"a":1}}}"#).is_ok());
    }

    #[test]
    fn what_is_not_exactly_one_json_value_is_refused() {
        let texts: [&[u8]; 12] = [
            b"{",
            b"{}x",
            b"{}{}",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"\\ud800\":1}",
            b"{\"a\":\"\\udc00\\ud800\"}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":1e999}",
            b"{\"a\":NaN}",
            b"\xef\xbb\xbf{}",
        ];
        for text in texts {
            assert_eq!(parse(text), Err(JsonFault::NotJson), "{text:?}");
        }
    }

    #[test]
    fn an_empty_body_is_an_object_only_where_that_is_asked_for() {
        for text in ["", " \r\n\t"] {
            assert_eq!(parse(text.as_bytes()), Err(JsonFault::NotAnObject));
            assert_eq!(parse_value(text.as_bytes()), Err(JsonFault::NotAnObjectOrArray));
            assert_eq!(parse_optional(text.as_bytes()), Ok(JsonObject::new()));
        }
    }

    #[test]
    fn an_array_is_taken_only_where_that_is_asked_for() {
        assert_eq!(parse(b"[1]"), Err(JsonFault::NotAnObject));
        assert_eq!(parse_optional(b"null"), Err(JsonFault::NotAnObject));
        assert_eq!(parse_value(b"[1]"), Ok(json!([1])));
        assert_eq!(parse_value(b"\"a\""), Err(JsonFault::NotAnObjectOrArray));
        assert_eq!(parse_value(br#"[{"a":1,"a":2}]"#), Err(JsonFault::RepeatedKey));
    }

    #[test]
    fn nesting_ends_at_thirty_two_levels() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse_value(nested(32).as_bytes()).is_ok());
        assert_eq!(parse_value(nested(33).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(parse_value("[".repeat(10_000).as_bytes()), Err(JsonFault::TooDeep));
        assert_eq!(parse_value(r#"{"a":"#.repeat(10_000).as_bytes()), Err(JsonFault::TooDeep));
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(value in any_value()) {
            let wrapped = json!({ "value": value });
            let read_back = parse(wrapped.to_string().as_bytes());
            prop_assert_eq!(read_back.map(Value::Object), Ok(wrapped));
        }

        #[test]
        fn what_is_accepted_means_what_a_lenient_reader_understands(
            value in any_value(), place in any::<prop::sample::Index>(), byte in "[\\[\\]{}:,\"0-9.eE\\\\ -]"
        ) {
            let mut text = json!({ "value": value }).to_string().into_bytes();
            let place = place.index(text.len());
            text.splice(place..=place, byte.into_bytes());
            if let Ok(object) = parse(&text) {
                prop_assert_eq!(serde_json::from_slice::<Value>(&text).ok(), Some(Value::Object(object)));
            }
        }

        #[test]
        fn with_care_or_without_the_same_is_read(
            value in any_value(), place in any::<prop::sample::Index>(), byte in "[\\[\\]{}:,\"0-9.eEud\\\\ -]"
        ) {
            let mut text = json!({ "value": value, "\\": [value, {"\"": value}] }).to_string().into_bytes();
            prop_assert_eq!(read_carefully(&text, 0), read_carefully(&text, CAREFUL_LEVELS));
            let place = place.index(text.len());
            text.splice(place..=place, byte.into_bytes());
            prop_assert_eq!(read_carefully(&text, 0).ok(), read_carefully(&text, CAREFUL_LEVELS).ok());
        }

        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
            let _ = parse_optional(&bytes);
            let _ = parse_value(&bytes);
        }
    }
}
