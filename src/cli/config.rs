//! `doorward config check`: the settings that hold.

use serde_json::{Map, Value};

use super::message::Failure;
use super::output::{self, Output};
use crate::config::Settings;

/// How the settings tell that a key has no value; no TOML value looks like it.
const NOT_SET: &str = "(not set)";

/// Prints every key with its value, a line each, or as one object a section.
pub(super) fn check(settings: &Settings, output: Output) -> Result<(), Failure> {
    let described = settings.describe();
    if output.is_json() {
        return output::document(&document(&described));
    }
    let lines = described.iter().fold(String::new(), |text, (key, value)| text + key + " = " + value + "\n");
    output::bytes(lines.as_bytes())
}

fn document(described: &[(String, String)]) -> Value {
    let mut top = Map::new();
    for (name, value) in described {
        insert(&mut top, name, json(value));
    }
    Value::Object(top)
}

/// Puts a value where its dotted name says.
fn insert(into: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((section, rest)) = name.split_once('.') else {
        into.insert(name.to_owned(), value);
        return;
    };
    let section = into.entry(section).or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(section) = section {
        insert(section, rest, value);
    }
}

/// A TOML value as JSON; what is none, such as the `(set)` of a secret, is a text.
fn json(toml: &str) -> Value {
    if toml == NOT_SET {
        return Value::Null;
    }
    let read = toml::from_str::<Map<String, Value>>(&format!("value = {toml}"));
    read.ok().and_then(|mut table| table.remove("value")).unwrap_or_else(|| Value::from(toml))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kinds_and_sections() {
        let described = [
            ("listen", "\"127.0.0.1:8090\""),
            ("public_url", "(not set)"),
            ("super_user.token", "(set)"),
            ("mail.smtp.host", "(not set)"),
            ("iron.enabled", "true"),
            ("iron.prefix", "\"(not set)\""),
            ("http.cors_origins", "[\"https://a.example\"]"),
            ("http.body_limit", "1048576"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        let expected = serde_json::json!({
            "listen": "127.0.0.1:8090",
            "public_url": null,
            "super_user": { "token": "(set)" },
            "mail": { "smtp": { "host": null } },
            "iron": { "enabled": true, "prefix": "(not set)" },
            "http": { "cors_origins": ["https://a.example"], "body_limit": 1_048_576 },
        });
        assert_eq!(document(&described), expected);
    }
}
