//! The server's secret keys as bytes: made, extended, written as one text and read back. Does not
//! know where the text is kept, nor what the keys are used for. Wiped when dropped.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::{self, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::domain::id::hex;
use crate::domain::token::Algorithm;
use crate::secret::{random, same};

const FORMAT: u32 = 1;
const SYMMETRIC_BYTES: usize = 32;
/// More than a signing key of any algorithm takes in the text.
const TEXT_BYTES_A_KEY: usize = 4096;

/// Key bytes that are wiped when dropped and shown nowhere but in the key text itself.
#[derive(Clone)]
pub struct KeyBytes(Zeroizing<Vec<u8>>);

impl KeyBytes {
    fn symmetric() -> Self {
        Self(Zeroizing::new(Zeroizing::new(random::<SYMMETRIC_BYTES>()).to_vec()))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for KeyBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(&self.0, &STANDARD))
    }
}

impl<'de> Deserialize<'de> for KeyBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message of the decoder is left out: it would quote bytes of the key.
        let bytes = STANDARD.decode(<&str>::deserialize(deserializer)?).map_err(|_| D::Error::custom("not base64"))?;
        Ok(Self(Zeroizing::new(bytes)))
    }
}

/// A key that the keys of refresh tokens are derived from.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootKey {
    /// Its number; sessions and refresh tokens name it. Rises with each new key.
    pub id: i64,
    /// 32 random bytes.
    pub secret: KeyBytes,
    /// When it was made.
    #[serde(with = "moment")]
    pub created_at: Timestamp,
}

/// A key that signs access tokens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SigningKey {
    /// Its name in JWT headers.
    pub kid: String,
    /// What it signs with.
    #[serde(with = "algorithm_name")]
    pub algorithm: Algorithm,
    /// The private key (PKCS#8, DER).
    pub pkcs8: KeyBytes,
    /// When it was made.
    #[serde(with = "moment")]
    pub created_at: Timestamp,
}

impl SigningKey {
    /// A fresh key. One for RS256 takes seconds to make.
    ///
    /// # Errors
    ///
    /// When the cryptographic library cannot make a key.
    pub fn generate(algorithm: Algorithm, now: Timestamp) -> Result<Self, Unspecified> {
        let pkcs8 = KeyBytes(Zeroizing::new(private_key(algorithm)?));
        Ok(Self { kid: hex(&random::<8>()), algorithm, pkcs8, created_at: now })
    }
}

fn private_key(algorithm: Algorithm) -> Result<Vec<u8>, Unspecified> {
    Ok(match algorithm {
        Algorithm::EdDsa => Ed25519KeyPair::generate()?.to_pkcs8v1()?.as_ref().to_vec(),
        Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?.to_pkcs8v1()?.as_ref().to_vec(),
        Algorithm::Rs256 => {
            let der: Pkcs8V1Der<'_> = rsa::KeyPair::generate(KeySize::Rsa3072)?.as_der()?;
            der.as_ref().to_vec()
        }
    })
}

/// Why a text is not usable key material.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadKeys {
    /// It is cut short, edited or was never a key text.
    #[error("it is not a complete key text")]
    Incomplete,
    /// Its content is not what was written.
    #[error("its checksum differs from its content")]
    Checksum,
    /// A newer version of this server wrote it.
    #[error("it has a format that only a newer version reads")]
    Newer,
    /// It is what was written, but no set of keys.
    #[error("its keys do not form a usable set")]
    Unusable,
}

/// All secret keys of one server. The last of each list is the current one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyMaterial {
    version: u32,
    /// Names this set of keys, so that a database can notice a foreign one.
    pub file_id: String,
    /// What the look-up and sealing keys of API tokens are derived from. Never rotated: all
    /// API tokens would be lost with it.
    pub lookup_key: KeyBytes,
    /// Never empty, ids strictly rising.
    pub root_keys: Vec<RootKey>,
    /// Never empty, each `kid` different.
    pub signing_keys: Vec<SigningKey>,
}

impl KeyMaterial {
    /// Fresh keys.
    ///
    /// # Errors
    ///
    /// When the cryptographic library cannot make a key.
    pub fn generate(algorithm: Algorithm, now: Timestamp) -> Result<Self, Unspecified> {
        Ok(Self {
            version: FORMAT,
            file_id: hex(&random::<16>()),
            lookup_key: KeyBytes::symmetric(),
            root_keys: vec![RootKey { id: 1, secret: KeyBytes::symmetric(), created_at: now }],
            signing_keys: vec![SigningKey::generate(algorithm, now)?],
        })
    }

    /// What new access tokens are signed with.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.signing_keys.last().map(|key| key.algorithm)
    }

    /// Whether the newest signing key was made at `moment` or before.
    #[must_use]
    pub fn is_as_old_as(&self, moment: Timestamp) -> bool {
        self.signing_keys.last().is_some_and(|key| key.created_at <= moment)
    }

    /// These keys with a new current signing key; the old ones still verify.
    #[must_use]
    pub fn with_signing_key(mut self, key: SigningKey) -> Self {
        self.signing_keys.push(key);
        self
    }

    /// These keys with a new current root key; the old ones still verify.
    #[must_use]
    pub fn with_root_key(mut self, now: Timestamp) -> Self {
        let id = self.root_keys.last().map_or(1, |key| key.id.saturating_add(1));
        self.root_keys.push(RootKey { id, secret: KeyBytes::symmetric(), created_at: now });
        self
    }

    /// Only the current keys: what the others vouched for is void. API tokens stay.
    #[must_use]
    pub fn without_old_ones(mut self) -> Self {
        self.root_keys.drain(..self.root_keys.len().saturating_sub(1));
        self.signing_keys.drain(..self.signing_keys.len().saturating_sub(1));
        self
    }

    /// These keys without those that nothing alive was made with: a newer one took their place before
    /// `signing`, of root keys before `root`.
    #[must_use]
    pub fn without_retired(mut self, signing: Timestamp, root: Timestamp) -> Self {
        let retired = self.signing_keys.iter().skip(1).take_while(|next| next.created_at < signing).count();
        self.signing_keys.drain(..retired);
        let retired = self.root_keys.iter().skip(1).take_while(|next| next.created_at < root).count();
        self.root_keys.drain(..retired);
        self
    }

    /// The keys as one text with a checksum.
    ///
    /// # Errors
    ///
    /// When the keys cannot be written as JSON.
    pub fn to_text(&self) -> serde_json::Result<Zeroizing<String>> {
        let keys = self.root_keys.len() + self.signing_keys.len() + 1;
        // Reserved at once: a buffer that grows leaves copies of the keys in freed memory.
        let mut content = Zeroizing::new(Vec::with_capacity(keys * TEXT_BYTES_A_KEY));
        serde_json::to_writer(&mut *content, self)?;
        let content = std::str::from_utf8(&content).map_err(serde_json::Error::custom)?;
        let mut text = Zeroizing::new(String::with_capacity(content.len() + 128));
        text.push_str(r#"{"content":"#);
        text.push_str(content);
        text.push_str(r#","checksum":""#);
        text.push_str(&checksum(content));
        text.push_str("\"}\n");
        Ok(text)
    }

    /// Reads what [`KeyMaterial::to_text`] wrote.
    ///
    /// # Errors
    ///
    /// Says how the text is unusable, and quotes nothing of it.
    pub fn parse(text: &str) -> Result<Self, BadKeys> {
        let sealed: Sealed<'_> = serde_json::from_str(text).map_err(|_| BadKeys::Incomplete)?;
        let content = sealed.content.get();
        if !same(checksum(content).as_bytes(), sealed.checksum.as_bytes()) {
            return Err(BadKeys::Checksum);
        }
        let format: Format = serde_json::from_str(content).map_err(|_| BadKeys::Unusable)?;
        if format.version > FORMAT {
            return Err(BadKeys::Newer);
        }
        let material: Self = serde_json::from_str(content).map_err(|_| BadKeys::Unusable)?;
        if material.is_usable() { Ok(material) } else { Err(BadKeys::Unusable) }
    }

    fn is_usable(&self) -> bool {
        let roots = &self.root_keys;
        let kids = &self.signing_keys;
        !self.file_id.is_empty()
            && self.lookup_key.expose().len() == SYMMETRIC_BYTES
            && !roots.is_empty()
            && roots.iter().all(|key| u32::try_from(key.id).is_ok() && key.secret.expose().len() == SYMMETRIC_BYTES)
            && roots.is_sorted_by(|older, newer| older.id < newer.id)
            && !kids.is_empty()
            && kids.iter().enumerate().all(|(position, key)| {
                is_plain_name(&key.kid) && kids[..position].iter().all(|other| other.kid != key.kid)
            })
    }
}

/// A `kid` is written into JSON and compared as text: letters and digits leave no doubt.
fn is_plain_name(kid: &str) -> bool {
    (1..=64).contains(&kid.len()) && kid.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    checksum: &'a str,
}

#[derive(Deserialize)]
struct Format {
    version: u32,
}

/// SHA-256 of the content exactly as written, in hex.
fn checksum(content: &str) -> String {
    hex(digest(&SHA256, content.as_bytes()).as_ref())
}

mod moment {
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::clock::Timestamp;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
    pub(super) fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(moment.micros())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_micros)
    }
}

mod algorithm_name {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::domain::token::Algorithm;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
    pub(super) fn serialize<S: Serializer>(algorithm: &Algorithm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(algorithm.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Algorithm, D::Error> {
        Algorithm::parse(<&str>::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("no such algorithm"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn material() -> KeyMaterial {
        KeyMaterial::generate(Algorithm::EdDsa, NOW).unwrap()
    }

    fn sealed(content: &str) -> String {
        format!(r#"{{"content":{content},"checksum":"{}"}}"#, checksum(content))
    }

    fn refusal(text: &str) -> Option<BadKeys> {
        KeyMaterial::parse(text).err()
    }

    #[test]
    fn keys_of_every_algorithm_are_read_back_as_they_were_written() {
        let material =
            material().with_root_key(NOW).with_signing_key(SigningKey::generate(Algorithm::Es256, NOW).unwrap());
        let material = material.with_signing_key(SigningKey::generate(Algorithm::Rs256, NOW).unwrap());
        let text = material.to_text().unwrap();
        let read = KeyMaterial::parse(&text).unwrap();
        assert_eq!(*read.to_text().unwrap(), *text);
        assert_eq!(read.lookup_key.expose(), material.lookup_key.expose());
        assert_eq!(read.root_keys.iter().map(|key| key.id).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(read.algorithm(), Some(Algorithm::Rs256));
        assert_eq!(read.signing_keys[2].created_at, NOW);
    }

    #[test]
    fn the_text_is_written_without_growing_its_buffer() {
        let material = material().with_signing_key(SigningKey::generate(Algorithm::Rs256, NOW).unwrap());
        assert!(material.to_text().unwrap().len() < 4 * TEXT_BYTES_A_KEY);
        let largest = material.signing_keys[1].pkcs8.expose().len();
        assert!(largest * 4 / 3 + 256 < TEXT_BYTES_A_KEY);
    }

    #[test]
    fn a_key_retires_once_nothing_alive_was_made_with_it() {
        let at = |hours| NOW.plus(std::time::Duration::from_hours(hours));
        let keys = (1..=3).fold(material(), |keys, hours| {
            keys.with_root_key(at(hours)).with_signing_key(SigningKey::generate(Algorithm::EdDsa, at(hours)).unwrap())
        });
        let left = |signing, root| {
            let left = keys.clone().without_retired(at(signing), at(root));
            (left.signing_keys.len(), left.root_keys.iter().map(|key| key.id).collect::<Vec<_>>())
        };
        assert_eq!(left(1, 0), (4, vec![1, 2, 3, 4]));
        assert_eq!(left(2, 3), (3, vec![3, 4]));
        assert_eq!(left(9, 9), (1, vec![4]), "the current ones stay");
        let fresh = keys.clone().with_root_key(at(4)).without_old_ones();
        assert_eq!((fresh.signing_keys.len(), fresh.root_keys[0].id), (1, 5));
        assert_eq!(fresh.lookup_key.expose(), keys.lookup_key.expose());
    }

    #[test]
    fn no_two_sets_of_keys_are_alike() {
        let (one, other) = (material(), material());
        assert_ne!(one.file_id, other.file_id);
        assert_ne!(one.lookup_key.expose(), other.lookup_key.expose());
        assert_ne!(one.root_keys[0].secret.expose(), other.root_keys[0].secret.expose());
        assert_ne!(one.signing_keys[0].kid, other.signing_keys[0].kid);
    }

    #[test]
    fn a_text_cut_short_anywhere_is_refused() {
        let text = material().to_text().unwrap();
        let whole = text.trim_end();
        for length in 0..whole.len() {
            assert_eq!(refusal(&whole[..length]), Some(BadKeys::Incomplete), "{length}");
        }
    }

    #[test]
    fn a_text_with_one_changed_character_is_refused() {
        let text = material().to_text().unwrap();
        for position in 0..text.trim_end().len() {
            let other = if &text[position..=position] == "1" { "2" } else { "1" };
            let mut wrong = text.to_string();
            wrong.replace_range(position..=position, other);
            assert!(refusal(&wrong).is_some(), "{position}");
        }
    }

    #[test]
    fn a_text_of_a_newer_version_is_told_from_a_damaged_one() {
        assert_eq!(refusal(&sealed(r#"{"version":2,"something":"else"}"#)), Some(BadKeys::Newer));
        assert_eq!(refusal(&sealed(r#"{"version":1,"something":"else"}"#)), Some(BadKeys::Unusable));
    }

    #[test]
    fn sets_that_could_not_be_used_are_refused() {
        let spoil = |change: fn(&mut KeyMaterial)| {
            let mut spoilt = material().with_root_key(NOW);
            change(&mut spoilt);
            refusal(&spoilt.to_text().unwrap())
        };
        let changes: [fn(&mut KeyMaterial); 8] = [
            |keys| keys.file_id.clear(),
            |keys| keys.root_keys.clear(),
            |keys| keys.root_keys.swap(0, 1),
            |keys| keys.root_keys[0].id = -1,
            |keys| keys.root_keys[0].secret = KeyBytes(Zeroizing::new(vec![0; 31])),
            |keys| keys.lookup_key = KeyBytes(Zeroizing::new(Vec::new())),
            |keys| keys.signing_keys.clear(),
            |keys| keys.signing_keys[0].kid = "a\"b".to_owned(),
        ];
        assert_eq!(spoil(|_| ()), None);
        for change in changes {
            assert_eq!(spoil(change), Some(BadKeys::Unusable));
        }
        assert_eq!(spoil(|keys| keys.signing_keys.push(keys.signing_keys[0].clone())), Some(BadKeys::Unusable));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,80}") {
            prop_assert!(KeyMaterial::parse(&text).is_err());
            prop_assert!(KeyMaterial::parse(&sealed(&text)).is_err());
        }
    }
}
