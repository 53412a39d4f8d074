//! Keys on their way into a database that others administer and back: sealed under a secret that is
//! not in it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::key_material::KeyMaterial;
use crate::secret::random;

const LABEL: &[u8] = b"doorward sealed keys v1";
const VERSION: u8 = 1;

/// Why sealed keys cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("they are damaged, or were sealed under another secret")]
pub struct CannotOpen;

/// The keys as a text that only who knows `secret` can read.
///
/// # Errors
///
/// When the cryptographic library fails, or the keys cannot be written.
pub fn seal(keys: &KeyMaterial, secret: &[u8]) -> Result<String, Unspecified> {
    let text = keys.to_text().map_err(|_| Unspecified)?;
    let nonce: [u8; NONCE_LEN] = random();
    // Reserved at once: a buffer that grows leaves copies of the keys in freed memory.
    let mut sealed = Zeroizing::new(Vec::with_capacity(1 + NONCE_LEN + text.len() + AES_256_GCM.tag_len()));
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(text.as_bytes());
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = key(secret)?.seal_in_place_separate_tag(nonce, Aad::from(LABEL), &mut sealed[1 + NONCE_LEN..])?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(STANDARD.encode(&*sealed))
}

/// Reads what [`seal`] made.
///
/// # Errors
///
/// [`CannotOpen`]; what is wrong cannot be told from a wrong secret.
pub fn open(sealed: &str, secret: &[u8]) -> Result<KeyMaterial, CannotOpen> {
    let bytes = STANDARD.decode(sealed).map_err(|_| CannotOpen)?;
    let rest = bytes.strip_prefix(&[VERSION]).ok_or(CannotOpen)?;
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(CannotOpen)?;
    let mut buffer = Zeroizing::new(rest.to_vec());
    let key = key(secret).map_err(|_| CannotOpen)?;
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let text = key.open_in_place(nonce, Aad::from(LABEL), &mut buffer).map_err(|_| CannotOpen)?;
    KeyMaterial::parse(std::str::from_utf8(text).map_err(|_| CannotOpen)?).map_err(|_| CannotOpen)
}

/// HKDF-SHA-256 (RFC 5869) makes a key of any secret of enough randomness.
fn key(secret: &[u8]) -> Result<LessSafeKey, Unspecified> {
    let root = Salt::none(HKDF_SHA256).extract(secret);
    root.expand(&[LABEL], &AES_256_GCM).map(UnboundKey::from).map(LessSafeKey::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::token::Algorithm;

    const SECRET: &[u8] = b"a secret of at least thirty-two bytes";

    fn keys() -> KeyMaterial {
        KeyMaterial::generate(Algorithm::EdDsa, Timestamp::from_seconds(1_700_000_000)).unwrap()
    }

    #[test]
    fn only_who_knows_the_secret_reads_the_keys() {
        let keys = keys();
        let (one, other) = (seal(&keys, SECRET).unwrap(), seal(&keys, SECRET).unwrap());
        assert_ne!(one, other, "the nonce is fresh");
        assert_eq!(*open(&one, SECRET).unwrap().to_text().unwrap(), *keys.to_text().unwrap());
        assert_eq!(open(&one, b"another secret of thirty-two bytes or more").err(), Some(CannotOpen));
        assert!(!one.contains(&STANDARD.encode(keys.lookup_key.expose())));
    }

    #[test]
    fn what_was_changed_or_cut_short_is_not_opened() {
        let sealed = seal(&keys(), SECRET).unwrap();
        let bytes = STANDARD.decode(&sealed).unwrap();
        for at in (0..bytes.len()).step_by(7) {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            assert_eq!(open(&STANDARD.encode(wrong), SECRET).err(), Some(CannotOpen), "{at}");
            assert_eq!(open(&STANDARD.encode(&bytes[..at]), SECRET).err(), Some(CannotOpen), "{at}");
        }
        assert_eq!(open("", SECRET).err(), Some(CannotOpen));
    }
}
