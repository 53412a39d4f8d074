//! What is kept and read back: hashes, keys, the feed. What was changed on the way is noticed.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use unicode_normalization::UnicodeNormalization as _;

use super::case_of;
use super::credentials::{NOW, RING, realm};
use crate::domain::password::{Cost, Password, PasswordHash};
use crate::domain::token::Algorithm;
use crate::guard::keyring::{Keyring, Purpose, Settling};
use crate::store::changes;
use crate::store::key_material::KeyMaterial;
use crate::store::{Change, key_seal};

const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

/// What a check may take is bounded, whatever an import says. No hash is computed here.
pub(super) fn passwords(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(hash) = PasswordHash::parse(text) {
        assert_eq!(hash.as_str(), text);
        assert!((1..=1 << 20).contains(&hash.memory_kib()), "{} KiB", hash.memory_kib());
        assert!(text.starts_with("$argon2id$") || hash.needs_rehash(Cost::DEFAULT));
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "it stands in a column, a listing, a line");
        assert!(!format!("{hash:?}").contains('$'));
        // One more place before a number would be another text for the same hash.
        assert!(PasswordHash::parse(&text.replacen('=', "=0", 1)).is_none() || !text.contains('='));
    }
    if let Ok(password) = Password::parse(text) {
        let decomposed = Password::parse(&text.nfd().collect::<String>());
        assert!(decomposed.is_ok_and(|other| other.is(&password)) || text.len() > 1_024 / 3);
        assert!(
            Password::parse(&format!("{text}\0")).is_ok_and(|other| !other.is(&password)) || text.len() > 1_024 / 3
        );
    }
}

/// A content under a right checksum; a text as it is; a change to sealed keys; something sealed.
pub(super) fn keys(input: &[u8]) {
    static MATERIAL: LazyLock<KeyMaterial> = LazyLock::new(|| KeyMaterial::generate(Algorithm::EdDsa, NOW).unwrap());
    static SEALED: LazyLock<String> = LazyLock::new(|| key_seal::seal(&MATERIAL, SECRET).unwrap());
    if RING.open(input, b"context").is_some() {
        assert!(input.is_empty(), "nobody else can seal");
    }
    let Some((case, text)) = case_of(input, 3) else { return };
    match case {
        0 => {
            let sum = digest(&SHA256, text.trim().as_bytes());
            let sum: String = sum.as_ref().iter().fold(String::new(), |sum, byte| sum + &format!("{byte:02x}"));
            let text = format!("{{\"content\":{},\"checksum\":\"{sum}\"}}", text.trim());
            let Ok(keys) = KeyMaterial::parse(&text) else { return };
            let written = keys.to_text().unwrap();
            assert_eq!(*KeyMaterial::parse(&written).unwrap().to_text().unwrap(), *written);
            let _ = Keyring::from_material(&keys, &Purpose { realm: realm(), settling: Settling::default() });
        }
        1 => assert!(KeyMaterial::parse(text).is_err() && key_seal::open(text, SECRET).is_err()),
        _ => {
            let Some((at, instead)) = text.split_once(' ') else { return };
            let Some(at) = at.parse().ok().filter(|at| *at < SEALED.len()) else { return };
            let end = SEALED.len().min(at + instead.len());
            let changed = [&SEALED[..at], instead, &SEALED[end..]].concat();
            assert!(changed == *SEALED || key_seal::open(&changed, SECRET).is_err(), "what was changed is opened");
        }
    }
}

/// Lines: how far was heard and where the counter stands, as bytes; and then rows: by how many their number is
/// above the one before, and their kind and id.
pub(super) fn changes(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let (heard, position) = match lines.next() {
        Some([heard, position, ..]) => (i64::from(*heard), i64::from(*position)),
        _ => return,
    };
    let mut number = heard;
    let mut rows = Vec::new();
    for line in lines {
        let Some((step, rest)) = line.split_first() else { continue };
        // The database asks for rows above the last, in their order.
        number += i64::from((step % 4).max(1));
        let (kind, id) = rest.split_at(rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len()));
        let (Ok(kind), id) = (str::from_utf8(kind), id.get(1..).unwrap_or_default()) else { continue };
        if let Some(change) = Change::read(kind, id) {
            assert_eq!(change.kind(), kind);
            assert!(change.id() == id || change.id().is_empty());
        }
        rows.push((number, kind, id));
    }
    let (number, count) = (rows.last().map_or(heard, |row| row.0), i64::try_from(rows.len()).unwrap());
    let is_whole = position >= heard && number == heard + count && number >= position;
    match changes::heard(heard, position, &rows) {
        (last, Some(heard)) => {
            assert!(is_whole && last == number, "a gap was passed over");
            let known = rows.iter().filter_map(|(_, kind, id)| Change::read(kind, id));
            assert!(known.eq(heard));
        }
        (last, None) => assert!(!is_whole && (last == position || last == number.max(position))),
    }
}
