//! Rows 21, 22 and 25: secrets where they do not belong: in logs, files, backups and error bodies, in
//! tokens, and in the answers to others. Here is what finds them, however they are written.

mod neighbours;
mod planted;
mod tokens;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// As many bytes of a secret are looked for. Nothing else has as many by chance.
const WINDOW: usize = 16;

/// Looks for secrets in bytes: as they are, in other letter case, in base64 at every offset, in
/// hexadecimal digits, and decoded where they are an encoding themselves.
#[derive(Default)]
struct Scan(HashMap<[u8; WINDOW], String>);

impl Scan {
    /// Looks for this one, too. Of a token only what is secret is looked for: not the beginning that
    /// all have in common, nor the characters that are kept to show which one it is.
    fn add(&mut self, name: &str, secret: &str) {
        let core = match secret {
            jwt if jwt.starts_with("eyJ") => jwt.rsplit('.').next().unwrap(),
            refresh if refresh.starts_with("dwr_") => &refresh[refresh.len() - 40..],
            api if api.starts_with("dwt_") => &api[8..40],
            other => other,
        };
        assert!(core.len() > WINDOW + 4, "{name} is too short to be told from anything else");
        let mut note = |how: &str, bytes: &[u8]| {
            if let Some(window) = bytes.first_chunk::<WINDOW>() {
                self.0.entry(*window).or_insert_with(|| format!("{name}, {how}"));
            }
        };
        note("in clear", core.as_bytes());
        // What was cut at its beginning is a secret still.
        note("cut", &core.as_bytes()[4..]);
        note("in small letters", core.to_lowercase().as_bytes());
        note("in capitals", core.to_uppercase().as_bytes());
        note("as a form", core.replace(' ', "+").as_bytes());
        note("percent-encoded", core.replace(' ', "%20").as_bytes());
        let hex = hex_of(core.as_bytes());
        note("in hexadecimal digits", hex.as_bytes());
        note("in hexadecimal digits", hex.to_uppercase().as_bytes());
        for offset in 0..3 {
            let shifted = [vec![0; offset], core.as_bytes().to_vec()].concat();
            // The digits that hold bits of what is before it are left out.
            let skip = (offset * 8).div_ceil(6);
            note("in base64", &STANDARD.encode(&shifted).as_bytes()[skip..]);
            note("in base64url", &URL_SAFE_NO_PAD.encode(&shifted).as_bytes()[skip..]);
        }
        if let Ok(bytes) = URL_SAFE_NO_PAD.decode(core) {
            note("decoded", &bytes);
            note("decoded, in hexadecimal digits", hex_of(&bytes).as_bytes());
        }
    }

    /// The secrets in these bytes.
    fn find(&self, bytes: &[u8]) -> Vec<&str> {
        let mut found: Vec<&str> =
            bytes.windows(WINDOW).filter_map(|window| self.0.get(window)).map(String::as_str).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn assert_none_in(&self, bytes: &[u8], place: &str) {
        let found = self.find(bytes);
        assert!(found.is_empty(), "{place} holds {found:?}");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}

/// Every token in an answer.
fn tokens_in(body: &Value) -> Vec<String> {
    match body {
        Value::String(text) if ["eyJ", "dwr_", "dwt_"].iter().any(|start| text.starts_with(start)) => {
            vec![text.clone()]
        }
        Value::Array(values) => values.iter().flat_map(tokens_in).collect(),
        Value::Object(fields) => fields.values().flat_map(tokens_in).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn the_scan_finds_a_secret_however_it_is_hidden() {
    let secret = "planted pass phrase number 1";
    let mut scan = Scan::default();
    scan.add("the secret", secret);
    let hex = hex_of(secret.as_bytes());
    let mut hidden = vec![
        secret.to_owned(),
        secret[4..].to_owned(),
        secret.to_uppercase(),
        secret.replace(' ', "+"),
        secret.replace(' ', "%20"),
        hex.clone(),
        hex.to_uppercase(),
    ];
    for before in ["", "a", "ab", "abc", "{\"password\":\""] {
        hidden.push(STANDARD.encode(format!("{before}{secret}")));
        hidden.push(URL_SAFE_NO_PAD.encode(format!("{before}{secret}\"}}")));
    }
    for hidden in hidden {
        let text = format!("2026 INFO something {hidden} else");
        assert!(!scan.find(text.as_bytes()).is_empty(), "{hidden}");
    }
    assert!(scan.find(b"2026 INFO planted pass is not enough to be told from chance").is_empty());
    let mut scan = Scan::default();
    let bytes: Vec<u8> = (100..132).collect();
    scan.add("a reset secret", &URL_SAFE_NO_PAD.encode(&bytes));
    assert!(!scan.find(&[vec![1, 2, 3], bytes].concat()).is_empty());
}
