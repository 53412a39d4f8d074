//! What an access token is remembered by: a keyed hash of its text that is faster than SHA-256. It
//! never leaves the process, and its key was drawn when the process began.

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;

use crate::secret::random;

/// The fingerprint of one token.
pub(crate) type Fingerprint = [u8; 16];

/// Takes fingerprints.
///
/// GMAC under one nonce: a polynomial of the text over a field of 2^128 elements, at a secret point.
/// Two texts of at most 4 KiB have the same fingerprint with a chance of 2^-119, and nobody sees one
/// to learn the point from.
pub(crate) struct Fingerprints(LessSafeKey);

impl Fingerprints {
    /// A taker with a key of its own.
    pub(crate) fn new() -> Self {
        let key = UnboundKey::new(&AES_128_GCM, &random::<16>()).expect("a key of 16 bytes is one of AES-128");
        Self(LessSafeKey::new(key))
    }

    pub(crate) fn of(&self, token: &str) -> Result<Fingerprint, Unspecified> {
        let nonce = Nonce::assume_unique_for_key([0; NONCE_LEN]);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(token.as_bytes()), &mut [])?;
        let mut fingerprint = Fingerprint::default();
        fingerprint.copy_from_slice(tag.as_ref());
        Ok(fingerprint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_one_fingerprint_and_another_text_another() {
        let taker = Fingerprints::new();
        assert_eq!(taker.of("a.b.c").unwrap(), taker.of("a.b.c").unwrap());
        for other in ["", "a.b.d", "a.b.c\0", "b.a.c", "a.b.c.", &"a".repeat(4_096)] {
            assert_ne!(taker.of(other).unwrap(), taker.of("a.b.c").unwrap(), "{other}");
        }
    }

    #[test]
    fn each_process_takes_others() {
        assert_ne!(Fingerprints::new().of("a.b.c").unwrap(), Fingerprints::new().of("a.b.c").unwrap());
    }
}
