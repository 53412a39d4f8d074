//! One signing key, parsed once: signs and verifies bytes with its own algorithm and no other.
//! Does not know what the bytes say.

use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::token::Algorithm;
use crate::store::key_material::SigningKey;

enum Pair {
    EdDsa(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    Rs256(rsa::KeyPair),
}

impl Pair {
    fn parse(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyRejected> {
        Ok(match algorithm {
            Algorithm::EdDsa => Self::EdDsa(Ed25519KeyPair::from_pkcs8(pkcs8)?),
            Algorithm::Es256 => Self::Es256(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)?),
            Algorithm::Rs256 => Self::Rs256(rsa::KeyPair::from_pkcs8(pkcs8)?),
        })
    }

    fn verifier(&self) -> Result<ParsedPublicKey, KeyRejected> {
        match self {
            Self::EdDsa(pair) => ParsedPublicKey::new(&ED25519, pair.public_key()),
            Self::Es256(pair) => ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key()),
            Self::Rs256(pair) => ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key()),
        }
    }
}

/// What of a key is no secret, in the numbers that others verify with, most significant byte first.
pub(super) enum PublicKey<'s> {
    /// The public key of RFC 8032.
    Ed25519(&'s [u8]),
    /// A point, in coordinates of full length.
    P256 {
        /// The first coordinate.
        x: &'s [u8],
        /// The second one.
        y: &'s [u8],
    },
    /// Without leading zeros.
    Rsa {
        /// The modulus.
        n: &'s [u8],
        /// The exponent.
        e: &'s [u8],
    },
}

/// A signing key, ready for use.
pub(super) struct Signer {
    kid: String,
    algorithm: Algorithm,
    header: String,
    pair: Pair,
    verifier: ParsedPublicKey,
}

impl Signer {
    pub(super) fn parse(key: &SigningKey) -> Result<Self, KeyRejected> {
        let pair = Pair::parse(key.algorithm, key.pkcs8.expose())?;
        let verifier = pair.verifier()?;
        // A kid is letters and digits, so nothing needs escaping.
        let header = format!(r#"{{"typ":"at+jwt","alg":"{}","kid":"{}"}}"#, key.algorithm.as_str(), key.kid);
        let header = URL_SAFE_NO_PAD.encode(header);
        Ok(Self { kid: key.kid.clone(), algorithm: key.algorithm, header, pair, verifier })
    }

    /// The key's name.
    pub(super) fn kid(&self) -> &str {
        &self.kid
    }

    /// The only algorithm that this key signs and verifies with.
    pub(super) const fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The header of every JWT that this key signs, in base64url.
    pub(super) fn header(&self) -> &str {
        &self.header
    }

    /// The signature of `message` in the form of RFC 7518 and RFC 8037.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        Ok(match &self.pair {
            Pair::EdDsa(pair) => pair.try_sign(message)?.as_ref().to_vec(),
            Pair::Es256(pair) => pair.sign(&random, message)?.as_ref().to_vec(),
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                signature
            }
        })
    }

    /// The length of each of its signatures.
    pub(super) fn signature_bytes(&self) -> usize {
        match &self.pair {
            Pair::EdDsa(_) | Pair::Es256(_) => 64,
            Pair::Rs256(pair) => pair.public_modulus_len(),
        }
    }

    /// Whether `signature` is this key's over `message`.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifier.verify_sig(message, signature).is_ok()
    }

    /// What others verify this key's signatures with.
    pub(super) fn public_key(&self) -> PublicKey<'_> {
        match &self.pair {
            Pair::EdDsa(pair) => PublicKey::Ed25519(pair.public_key().as_ref()),
            Pair::Es256(pair) => {
                // The uncompressed form of SEC 1: a byte that says so, then two coordinates of one length.
                let point = pair.public_key().as_ref().get(1..).unwrap_or_default();
                let (x, y) = point.split_at(point.len() / 2);
                PublicKey::P256 { x, y }
            }
            Pair::Rs256(pair) => {
                let key = pair.public_key();
                let (n, e) = (key.modulus(), key.exponent());
                PublicKey::Rsa { n: n.big_endian_without_leading_zero(), e: e.big_endian_without_leading_zero() }
            }
        }
    }

    /// The public key as others would be given it (`SubjectPublicKeyInfo`, DER).
    #[cfg(test)]
    pub(super) fn public_key_der(&self) -> Vec<u8> {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        let der: PublicKeyX509Der<'_> = self.verifier.as_der().unwrap();
        der.as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::store::key_material::KeyMaterial;

    fn key(algorithm: Algorithm) -> SigningKey {
        KeyMaterial::generate(algorithm, Timestamp::from_seconds(0)).unwrap().signing_keys.remove(0)
    }

    #[test]
    fn each_algorithm_verifies_its_own_signature_and_nothing_else() {
        for algorithm in Algorithm::ALL {
            let signer = Signer::parse(&key(algorithm)).unwrap();
            let signature = signer.sign(b"message").unwrap();
            assert!(signer.signed(b"message", &signature));
            assert!(!signer.signed(b"massage", &signature));
            assert!(!signer.signed(b"message", &signature[1..]));
            assert!(!signer.signed(b"message", b""));
            assert!(!signer.signed(b"message", &vec![0; signature.len()]));
            let other = Signer::parse(&key(algorithm)).unwrap();
            assert!(!other.signed(b"message", &signature));
        }
    }

    #[test]
    fn a_private_key_is_not_taken_for_one_of_another_algorithm() {
        for made in Algorithm::ALL {
            let key = key(made);
            for claimed in Algorithm::ALL.into_iter().filter(|claimed| *claimed != made) {
                assert!(
                    Signer::parse(&SigningKey { algorithm: claimed, ..key.clone() }).is_err(),
                    "{made:?} {claimed:?}"
                );
            }
        }
    }
}
