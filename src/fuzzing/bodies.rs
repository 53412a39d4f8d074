//! Bodies and queries: what is taken means the same to whoever else reads it.

use std::fmt;

use axum::http::Request;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::case_of;
use crate::dialect::iron::Page;
use crate::domain::error::Error;
use crate::domain::id::UserId;
use crate::domain::user::{Email, Username};
use crate::http::form::Form;
use crate::http::json::{self, JsonFault};
use crate::http::urlencoded;

pub(super) fn json(input: &[u8]) {
    let read = json::parse_value(input);
    let object = json::parse(input);
    match &read {
        Ok(Value::Object(fields)) => assert_eq!(object.as_ref(), Ok(fields)),
        Ok(_) => assert_eq!(object, Err(JsonFault::NotAnObject)),
        Err(fault) => assert!(object.is_err_and(|other| other == *fault || *fault == JsonFault::NotAnObjectOrArray)),
    }
    let Ok(value) = read else { return };
    assert_eq!(serde_json::from_slice::<Value>(input).as_ref().ok(), Some(&value), "others read it alike");
    let Written(keys) = serde_json::from_slice(input).unwrap();
    assert_eq!(kept(&value), keys, "a key stands twice in one object");
    let (weight, depth) = measure(&value);
    assert!(weight <= input.len() && depth <= 32, "{weight} bytes of text, {depth} levels");
    let written = value.to_string();
    // A number of many digits is rounded once more each time that it is read.
    if !has_fraction(&value) {
        assert_eq!(json::parse_value(written.as_bytes()).as_ref(), Ok(&value));
    }
    if let Value::Object(fields) = value {
        fields_are_read(Form::new(fields));
    }
}

/// How many keys a text writes, in all of its objects.
struct Written(usize);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Written, A::Error> {
        let mut count = 0;
        while let Some((_, Written(inside))) = fields.next_entry::<IgnoredAny, Written>()? {
            count += 1 + inside;
        }
        Ok(Written(count))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Written, A::Error> {
        let mut count = 0;
        while let Some(Written(inside)) = items.next_element()? {
            count += inside;
        }
        Ok(Written(count))
    }

    fn visit_unit<E>(self) -> Result<Written, E> {
        Ok(Written(0))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Written, E> {
        Ok(Written(0))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Written, E> {
        Ok(Written(0))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Written, E> {
        Ok(Written(0))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Written, E> {
        Ok(Written(0))
    }

    fn visit_str<E>(self, _: &str) -> Result<Written, E> {
        Ok(Written(0))
    }
}

fn kept(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(kept).sum(),
        Value::Object(fields) => fields.len() + fields.values().map(kept).sum::<usize>(),
        _ => 0,
    }
}

/// The bytes of all keys and texts, and the number of levels.
fn measure(value: &Value) -> (usize, usize) {
    let add = |(weight, depth): (usize, usize), (more, deeper): (usize, usize)| (weight + more, depth.max(deeper));
    match value {
        Value::String(text) => (text.len(), 0),
        Value::Array(items) => {
            let (weight, depth) = items.iter().map(measure).fold((0, 0), add);
            (weight, depth + 1)
        }
        Value::Object(fields) => {
            let of_field = |(key, value): (&String, &Value)| {
                let (weight, depth) = measure(value);
                (weight + key.len(), depth)
            };
            let (weight, depth) = fields.iter().map(of_field).fold((0, 0), add);
            (weight, depth + 1)
        }
        _ => (0, 0),
    }
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(items) => items.iter().any(has_fraction),
        Value::Object(fields) => fields.values().any(has_fraction),
        _ => false,
    }
}

/// Reads fields of each kind; a form is whole or tells each fault, with no word of what was given.
fn fields_are_read(mut form: Form) {
    let email = form.required("email", Email::parse);
    let password = form.password("password");
    let secret = form.secret("secret");
    let username = form.optional("username", Username::parse);
    let flag = form.flag("admin");
    let number = form.integer("limit", 0..=99);
    assert!(number.is_none_or(|number| (0..=99).contains(&number)));
    let _ = (form.object("flags"), form.optional_password("new_password"), username, flag);
    match form.finish((email, password, secret)) {
        Ok((email, ..)) => assert!(Email::parse(email.as_str()).is_ok()),
        Err(Error::Invalid(faults)) => {
            assert!(!faults.is_empty() && faults.iter().all(|fault| fault.message.is_ascii()));
        }
        Err(other) => assert!(matches!(other, Error::Invalid(_)), "{other:?}"),
    }
}

pub(super) fn forms(input: &[u8]) {
    if let Ok(query) = str::from_utf8(input) {
        let lenient = form_urlencoded::parse(input);
        assert!(urlencoded::pairs(Some(query)).eq(lenient), "pairs are those that browsers read");
    }
    let Ok(fields) = urlencoded::parse(input) else { return };
    let lenient: Vec<_> = form_urlencoded::parse(input).collect();
    assert_eq!(lenient.len(), fields.len(), "no field stands twice");
    assert!(lenient.iter().all(|(name, value)| fields.get(&**name).and_then(Value::as_str) == Some(value)));
    assert!(measure(&Value::Object(fields.clone())).0 <= input.len());
    let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(lenient).finish();
    assert_eq!(urlencoded::parse(written.as_bytes()).as_ref(), Ok(&fields));
    fields_are_read(Form::new(fields));
}

/// A query as it is, or with its fields' names put before it.
pub(super) fn pages(input: &[u8]) {
    let Some((case, text)) = case_of(input, 3) else { return };
    let query = ["", "per_page=", "previous="][usize::from(case)].to_owned() + text;
    let Ok(request) = Request::get(format!("/1/users?{query}")).body(()) else { return };
    let (parts, ()) = request.into_parts();
    match Page::read(&parts, UserId::parse) {
        Ok(page) => {
            assert!((1..=100).contains(&page.limit));
            let named = urlencoded::pairs(parts.uri.query()).find(|(name, _)| name == "previous");
            assert_eq!(named.and_then(|(_, id)| UserId::parse(&id)), page.after);
        }
        Err(error) => assert!(matches!(error, Error::Invalid(_)), "{error:?}"),
    }
}
