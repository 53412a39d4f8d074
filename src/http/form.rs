//! Reads the fields of a parsed body and collects every fault before any is answered, so that a
//! client can mend all of them at once. Knows no field and no wire format; wipes what is left.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::wipe::Wipe as _;
use crate::domain::error::{Error, Fault};
use crate::domain::password::Password;
use crate::domain::user::JsonObject;
use crate::secret::{ExposeSecret as _, Secret};

const REQUIRED: &str = "is required";
const NOT_TEXT: &str = "must be a string";

/// The fields of one request, and the faults found among them so far.
///
/// ```
/// # use doorward::domain::{error::Error, user::{DisplayName, Email, JsonObject}};
/// # use doorward::http::form::Form;
/// # fn handle(fields: JsonObject) -> Result<(), Error> {
/// let mut form = Form::new(fields);
/// let email = form.required("email", Email::parse);
/// let password = form.secret("password");
/// let name = form.optional("name", DisplayName::parse);
/// let (email, password) = form.finish((email, password))?;
/// # Ok(())
/// # }
/// ```
pub struct Form {
    fields: JsonObject,
    faults: Vec<Fault>,
}

impl Form {
    /// A form over a parsed body or query.
    #[must_use]
    pub const fn new(fields: JsonObject) -> Self {
        Self { fields, faults: Vec::new() }
    }

    /// A form without fields.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(JsonObject::new())
    }

    /// A text that must be there; `None` where its fault was noted.
    pub fn required<T>(&mut self, field: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let read = self.given(field).ok_or_else(|| REQUIRED.to_owned()).and_then(|value| read_text(value, parse));
        self.check(field, read)
    }

    /// A text that may be absent or null.
    pub fn optional<T>(&mut self, field: &'static str, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let read = read_text(self.given(field)?, parse);
        self.check(field, read)
    }

    /// A secret that must be there. It is moved out of the form; an empty one is still a secret.
    pub fn secret(&mut self, field: &'static str) -> Option<Secret> {
        let read = self.take(field).ok_or_else(|| REQUIRED.to_owned()).and_then(seal);
        self.check(field, read)
    }

    /// A password that must be there, in the form that hashes and compares.
    pub fn password(&mut self, field: &'static str) -> Option<Password> {
        let typed = self.secret(field)?;
        self.check(field, Password::parse(typed.expose_secret()))
    }

    /// A password that may be absent or null.
    pub fn optional_password(&mut self, field: &'static str) -> Option<Password> {
        let read = seal(self.take(field)?).and_then(|typed| Password::parse(typed.expose_secret()));
        self.check(field, read)
    }

    /// A boolean that may be absent or null.
    pub fn flag(&mut self, field: &'static str) -> Option<bool> {
        let read = self.given(field)?.as_bool().ok_or_else(|| "must be true or false".to_owned());
        self.check(field, read)
    }

    /// A whole number within `range` that may be absent or null.
    pub fn integer(&mut self, field: &'static str, range: RangeInclusive<i64>) -> Option<i64> {
        let read = read_integer(self.given(field)?, &range);
        self.check(field, read)
    }

    /// An object that may be absent or null. It is moved out of the form.
    pub fn object(&mut self, field: &'static str) -> Option<JsonObject> {
        let read = match self.take(field)? {
            Value::Object(object) => Ok(object),
            mut other => {
                other.wipe();
                Err("must be a JSON object".to_owned())
            }
        };
        self.check(field, read)
    }

    /// Notes the fault of a field that was read elsewhere, such as one that depends on another.
    pub fn check<T>(&mut self, field: &'static str, read: Result<T, String>) -> Option<T> {
        read.map_err(|message| self.fault(field, message)).ok()
    }

    /// Notes a fault.
    pub fn fault(&mut self, field: &'static str, message: impl Into<String>) {
        self.faults.push(Fault { field, message: message.into() });
    }

    /// Hands out the required values, bare, if the whole form is without fault.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] with every fault found, in the order in which the fields were read.
    pub fn finish<R: Required>(mut self, required: R) -> Result<R::Values, Error> {
        if self.faults.is_empty() {
            // A value can be missing without a fault only where the caller took one that is not required.
            required.values().ok_or_else(|| Error::invalid("body", "must hold every required field"))
        } else {
            Err(Error::Invalid(std::mem::take(&mut self.faults)))
        }
    }

    fn given(&self, field: &str) -> Option<&Value> {
        self.fields.get(field).filter(|value| !value.is_null())
    }

    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|value| !value.is_null())
    }
}

impl Drop for Form {
    fn drop(&mut self) {
        self.fields.wipe();
    }
}

/// Values that a request must hold: none, one, or a tuple of them.
pub trait Required {
    /// The same, each of them there.
    type Values;

    /// All of them, or nothing.
    fn values(self) -> Option<Self::Values>;
}

impl Required for () {
    type Values = ();

    fn values(self) -> Option<()> {
        Some(())
    }
}

impl<T> Required for Option<T> {
    type Values = T;

    fn values(self) -> Self {
        self
    }
}

macro_rules! required_tuples {
    ($($($name:ident)+;)*) => {$(
        impl<$($name),+> Required for ($(Option<$name>,)+) {
            type Values = ($($name,)+);

            #[expect(non_snake_case, reason = "each value is named as its type")]
            fn values(self) -> Option<Self::Values> {
                let ($($name,)+) = self;
                Some(($($name?,)+))
            }
        }
    )*};
}

required_tuples! {
    A B;
    A B C;
    A B C D;
    A B C D E;
}

fn read_text<T>(value: &Value, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    value.as_str().ok_or_else(|| NOT_TEXT.to_owned()).and_then(parse)
}

/// Bounds of three digits or more are not written out: clients look for status codes in messages.
fn read_integer(value: &Value, range: &RangeInclusive<i64>) -> Result<i64, String> {
    let written = |words: &str, bound: i64, otherwise: &str| match bound {
        -99..=99 => format!("{words} {bound}"),
        _ => otherwise.to_owned(),
    };
    match value.as_i64() {
        Some(number) if number < *range.start() => Err(written("must be at least", *range.start(), "is too small")),
        Some(number) if number > *range.end() => Err(written("must be at most", *range.end(), "is too large")),
        Some(number) => Ok(number),
        None if value.is_u64() => Err(written("must be at most", *range.end(), "is too large")),
        None => Err("must be a whole number".to_owned()),
    }
}

/// Moves a text into a secret of exactly its size: shrinking a string in place could leave a copy.
fn seal(mut value: Value) -> Result<Secret, String> {
    let sealed = value.as_str().map(Secret::from).ok_or_else(|| NOT_TEXT.to_owned());
    value.wipe();
    sealed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::domain::user::Email;
    use crate::secret::ExposeSecret;

    fn form(value: Value) -> Form {
        let Value::Object(fields) = value else { panic!("a form is made of an object") };
        Form::new(fields)
    }

    fn faults<T>(result: Result<T, Error>) -> Vec<(&'static str, String)> {
        match result {
            Err(Error::Invalid(faults)) => faults.into_iter().map(|fault| (fault.field, fault.message)).collect(),
            _ => Vec::new(),
        }
    }

    fn word(text: &str) -> Result<String, String> {
        if text.contains(' ') { Err("must be one word".to_owned()) } else { Ok(text.to_owned()) }
    }

    #[test]
    fn a_faultless_form_hands_out_its_values() {
        let mut form = form(json!({
            "email": "ann@example.com", "password": "s3cret", "bio": null, "admin": true, "limit": 7,
            "flags": {"a": 1}, "new_password": "pass", "unknown": [],
        }));
        let email = form.required("email", Email::parse);
        let password = form.secret("password");
        assert_eq!(form.optional("type", word), None);
        assert_eq!(form.flag("admin"), Some(true));
        assert_eq!(form.integer("limit", 0..=i64::MAX), Some(7));
        assert_eq!(form.object("flags").map(Value::Object), Some(json!({"a": 1})));
        assert!(form.optional_password("current_password").is_none());
        assert!(form.optional_password("new_password").is_some());
        let (email, password) = form.finish((email, password)).unwrap();
        assert_eq!(email.as_str(), "ann@example.com");
        assert_eq!(password.expose_secret(), "s3cret");
    }

    #[test]
    fn all_faults_are_told_at_once_and_in_order() {
        let mut form = form(json!({
            "email": "nobody", "password": 1, "name": null, "bio": ["x"], "admin": "yes", "limit": 1.5,
            "flags": [], "current_password": {},
        }));
        let email = form.required("email", Email::parse);
        let password = form.secret("password");
        let name = form.required("name", word);
        assert_eq!(form.optional("bio", word), None);
        assert_eq!(form.flag("admin"), None);
        assert_eq!(form.integer("limit", 0..=9), None);
        assert_eq!(form.object("flags"), None);
        assert!(form.optional_password("current_password").is_none());
        form.fault("confirm", "must equal the password");
        let found = faults(form.finish((email, password, name)));
        let fields: Vec<_> = found.iter().map(|(field, _)| *field).collect();
        let expected = ["email", "password", "name", "bio", "admin", "limit", "flags", "current_password", "confirm"];
        assert_eq!(fields, expected);
        assert_eq!(found[1].1, NOT_TEXT);
        assert_eq!(found[2].1, REQUIRED);
    }

    #[test]
    fn a_fault_of_an_optional_field_stops_the_form_too() {
        let mut form = form(json!({"email": "ann@example.com", "type": 5}));
        let email = form.required("email", Email::parse);
        assert_eq!(form.optional("type", word), None);
        assert_eq!(faults(form.finish(email)), [("type", NOT_TEXT.to_owned())]);
    }

    #[test]
    fn integers_keep_to_their_range_and_faults_hold_no_status_code() {
        let told = |value: Value, range| {
            let mut form = form(json!({ "n": value }));
            let number = form.integer("n", range);
            faults(form.finish(number)).pop().map(|(_, message)| message)
        };
        assert_eq!(told(json!(0), 1..=50).as_deref(), Some("must be at least 1"));
        assert_eq!(told(json!(51), 1..=50).as_deref(), Some("must be at most 50"));
        assert_eq!(told(json!(900), 1..=404).as_deref(), Some("is too large"));
        assert_eq!(told(json!(-900), -404..=0).as_deref(), Some("is too small"));
        assert_eq!(told(json!(u64::MAX), 0..=i64::MAX).as_deref(), Some("is too large"));
        assert_eq!(told(json!("7"), 0..=9).as_deref(), Some("must be a whole number"));
        assert_eq!(told(json!(9), 0..=9), None);
    }

    proptest! {
        #[test]
        fn any_text_comes_through_unchanged_and_secrets_leave_the_form(text in any::<String>()) {
            let mut form = form(json!({ "plain": text, "secret": text }));
            prop_assert_eq!(form.required("plain", |text| Ok(text.to_owned())), Some(text.clone()));
            let secret = form.secret("secret");
            prop_assert_eq!(secret.as_ref().map(ExposeSecret::expose_secret), Some(text.as_str()));
            prop_assert!(form.secret("secret").is_none());
        }
    }
}
