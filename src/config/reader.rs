//! Reads gathered values into types, key by key. A fault is noted with its place and the default
//! is read instead, so that one run tells of all faults. Never repeats a value in a message.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Value;

use super::ConfigError;
use super::keys::{Key, Kind, find, keys};
use super::sources::{Gathered, Kept, Sources};
use super::url;
use super::values::{duration, duration_text};

/// The given values that are not read yet, and the faults so far.
#[derive(Default)]
pub(super) struct Reader {
    unread: BTreeMap<&'static str, Kept>,
    places: BTreeMap<&'static str, String>,
    faults: Vec<String>,
    pgpass: Option<PathBuf>,
}

impl Reader {
    pub(super) fn new(sources: &Sources) -> Self {
        let Gathered { given, faults } = Gathered::from(sources);
        let places = given.iter().map(|(name, given)| (*name, given.place.clone())).collect();
        let unread = given.into_iter().map(|(name, given)| (name, given.value)).collect();
        Self { unread, places, faults, pgpass: sources.pgpass.clone() }
    }

    /// `value`, or all faults that were noted.
    pub(super) fn finish<T>(self, value: T) -> Result<T, ConfigError> {
        if self.faults.is_empty() { Ok(value) } else { Err(ConfigError::new(self.faults)) }
    }

    /// Notes what is wrong with a key, wherever its value is from.
    pub(super) fn fault(&mut self, name: &str, mend: &str) {
        let place = self.places.get(name).cloned().unwrap_or_else(|| format!("{name:?}"));
        self.faults.push(format!("{place}: {mend}"));
    }

    /// Whether anybody set a key.
    pub(super) fn is_given(&self, name: &str) -> bool {
        self.places.contains_key(name)
    }

    /// Where libpq keeps passwords.
    pub(super) fn pgpass(&self) -> Option<&Path> {
        self.pgpass.as_deref()
    }

    /// A key that may be absent.
    pub(super) fn optional<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.take(name, |value| parse(text(value)?))
    }

    /// A text with a default.
    pub(super) fn text<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> T {
        self.required(name, |value| parse(text(value)?))
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, name: &str) -> bool {
        self.required(name, |value| value.as_bool().ok_or_else(|| "must be true or false, without quotes".to_owned()))
    }

    /// A whole number within `range`.
    pub(super) fn integer<T: TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<i64>) -> T {
        self.required(name, |value| number(value, &range))
    }

    /// A whole number within `range` that may be absent.
    pub(super) fn optional_integer<T: TryFrom<i64>>(&mut self, name: &str, range: RangeInclusive<i64>) -> Option<T> {
        self.take(name, |value| number(value, &range))
    }

    /// A length of time within `range`.
    pub(super) fn duration(&mut self, name: &str, range: RangeInclusive<Duration>) -> Duration {
        self.required(name, |value| span(value, &range))
    }

    /// A length of time within `range`, or the word that says that there is none.
    pub(super) fn duration_or(&mut self, name: &str, range: RangeInclusive<Duration>, none: &str) -> Option<Duration> {
        self.required(name, |value| {
            if value.as_str() == Some(none) {
                return Ok(None);
            }
            span(value, &range).map(Some).map_err(|mend| format!("{mend}; or {none:?}"))
        })
    }

    /// A list of texts.
    pub(super) fn list<T>(&mut self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        self.required(name, |value| {
            let items = value.as_array().ok_or_else(|| "must be a list: [\"…\", \"…\"]".to_owned())?;
            items.iter().map(|item| parse(text(item)?)).collect()
        })
    }

    /// Every key with the value that holds, as TOML; of a secret only whether it is set.
    pub(super) fn describe(&self) -> Vec<(&'static str, String)> {
        keys().iter().map(|key| (key.name, self.describe_key(key))).collect()
    }

    fn describe_key(&self, key: &Key) -> String {
        let given = self.unread.get(key.name).map(|kept| &kept.0);
        if key.is_secret() {
            let is_set = given.is_some() || self.places.contains_key(format!("{}_file", key.name).as_str());
            return if is_set { "(set)" } else { "(not set)" }.to_owned();
        }
        if let (Kind::Url, Some(url)) = (key.kind, given.and_then(Value::as_str)) {
            return Value::String(url::shown(url)).to_string();
        }
        given.cloned().or_else(|| key.default_value()).map_or_else(|| "(not set)".to_owned(), |value| value.to_string())
    }

    fn take<T>(&mut self, name: &str, parse: impl Fn(&Value) -> Result<T, String>) -> Option<T> {
        match parse(&self.unread.remove(name)?.0) {
            Ok(read) => Some(read),
            Err(mend) => {
                self.fault(name, &mend);
                None
            }
        }
    }

    fn required<T>(&mut self, name: &str, parse: impl Fn(&Value) -> Result<T, String>) -> T {
        self.take(name, &parse).unwrap_or_else(|| {
            let default = find(name).and_then(Key::default_value).expect("a required key is listed with a default");
            parse(&default).expect("the default of every key is valid")
        })
    }
}

fn number<T: TryFrom<i64>>(value: &Value, range: &RangeInclusive<i64>) -> Result<T, String> {
    let number = value.as_integer().filter(|number| range.contains(number));
    number
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("must be a whole number from {} to {}", range.start(), range.end()))
}

fn span(value: &Value, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    if value.is_integer() || value.is_float() {
        return Err("a bare number has no unit: write a text such as \"30s\", \"15m\" or \"24h\"".to_owned());
    }
    let span = duration(text(value)?)?;
    if range.contains(&span) {
        return Ok(span);
    }
    Err(format!("must be from {} to {}", duration_text(*range.start()), duration_text(*range.end())))
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a text in quotes".to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    #[test]
    fn every_listed_key_is_read_into_the_settings() {
        let unread = keys().iter().map(|key| (key.name, Kept(Value::String(String::new())))).collect();
        let mut reader = Reader { unread, ..Reader::default() };
        let _ = Settings::read(&mut reader);
        assert_eq!(reader.unread.keys().collect::<Vec<_>>(), Vec::<&&str>::new());
    }
}
