//! The public halves of the signing keys as a JSON Web Key Set (RFC 7517, 7518 and 8037), for whoever
//! verifies access tokens elsewhere. Written once a set of keys. Sees no private key, and knows no HTTP.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use serde::Serialize;

use super::signer::{PublicKey, Signer};

/// For how long others may go on with a set that they have read. That long, and longer, a new key is in
/// the set before it signs anything.
pub const MAX_AGE: Duration = Duration::from_mins(5);

/// Of a digest, what tells one set from all others.
const TAG_BYTES: usize = 16;

/// A set of keys as others are given it.
#[derive(Debug)]
pub struct KeySet {
    /// The document, in JSON.
    pub document: Bytes,
    /// Its entity tag (RFC 9110), with the quotes: another for each other document.
    pub tag: String,
}

impl KeySet {
    pub(super) fn of(signers: &[Signer]) -> serde_json::Result<Self> {
        let document = serde_json::to_vec(&Document { keys: signers.iter().map(Jwk::of).collect() })?;
        let tag = URL_SAFE_NO_PAD.encode(&digest(&SHA256, &document).as_ref()[..TAG_BYTES]);
        Ok(Self { document: document.into(), tag: format!("\"{tag}\"") })
    }
}

#[derive(Serialize)]
struct Document<'s> {
    keys: Vec<Jwk<'s>>,
}

#[derive(Serialize)]
struct Jwk<'s> {
    kid: &'s str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    #[serde(flatten)]
    parameters: Parameters,
}

impl<'s> Jwk<'s> {
    fn of(signer: &'s Signer) -> Self {
        let parameters = Parameters::of(&signer.public_key());
        Self { kid: signer.kid(), usage: "sig", alg: signer.algorithm().as_str(), parameters }
    }
}

/// What a public key consists of, in base64url.
#[derive(Serialize)]
#[serde(tag = "kty")]
enum Parameters {
    #[serde(rename = "OKP")]
    Pair { crv: &'static str, x: String },
    #[serde(rename = "EC")]
    Point { crv: &'static str, x: String, y: String },
    #[serde(rename = "RSA")]
    Modulus { n: String, e: String },
}

impl Parameters {
    /// Coordinates keep their leading zeros (RFC 7518, 6.2.1.2), numbers have none (6.3.1).
    fn of(key: &PublicKey<'_>) -> Self {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match key {
            PublicKey::Ed25519(x) => Self::Pair { crv: "Ed25519", x: text(x) },
            PublicKey::P256 { x, y } => Self::Point { crv: "P-256", x: text(x), y: text(y) },
            PublicKey::Rsa { n, e } => Self::Modulus { n: text(n), e: text(e) },
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rsa::PublicKeyComponents;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::token::Algorithm;
    use crate::store::key_material::SigningKey;

    fn made(algorithm: Algorithm) -> Signer {
        Signer::parse(&SigningKey::generate(algorithm, Timestamp::from_seconds(0)).unwrap()).unwrap()
    }

    fn published(signers: &[Signer]) -> Vec<Value> {
        let document: Value = serde_json::from_slice(&KeySet::of(signers).unwrap().document).unwrap();
        assert_eq!(document.as_object().unwrap().len(), 1, "{document}");
        document["keys"].as_array().unwrap().clone()
    }

    fn bytes(key: &Value, name: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap()
    }

    /// Whether a signature is that of a published key, of which nothing else is known.
    fn verifies(key: &Value, message: &[u8], signature: &[u8]) -> bool {
        match key["kty"].as_str().unwrap() {
            "OKP" => UnparsedPublicKey::new(&ED25519, bytes(key, "x")).verify(message, signature).is_ok(),
            "EC" => {
                let point = [vec![4], bytes(key, "x"), bytes(key, "y")].concat();
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => {
                let components = PublicKeyComponents { n: bytes(key, "n"), e: bytes(key, "e") };
                components.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
            }
        }
    }

    #[test]
    fn what_is_published_verifies_what_was_signed() {
        let signers = Algorithm::ALL.map(made);
        let keys = published(&signers);
        assert_eq!(keys.len(), 3);
        for (signer, key) in signers.iter().zip(&keys) {
            let signature = signer.sign(b"message").unwrap();
            assert!(verifies(key, b"message", &signature), "{key}");
            assert!(!verifies(key, b"massage", &signature), "{key}");
        }
    }

    #[test]
    fn a_key_has_its_public_parameters_and_no_others() {
        let signers = Algorithm::ALL.map(made);
        let named = [
            json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA"}),
            json!({"kty": "EC", "crv": "P-256", "alg": "ES256"}),
            json!({"kty": "RSA", "alg": "RS256", "e": "AQAB"}),
        ];
        for ((signer, mut key), mut named) in signers.iter().zip(published(&signers)).zip(named) {
            named["kid"] = json!(signer.kid());
            named["use"] = json!("sig");
            for parameter in ["x", "y", "n"] {
                key.as_object_mut().unwrap().remove(parameter);
            }
            assert_eq!(key, named);
        }
    }

    /// RFC 8037, appendices A.1 and A.2.
    #[test]
    fn the_key_of_rfc_8037_is_published_as_there() {
        let secret = URL_SAFE_NO_PAD.decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A").unwrap();
        let prefix = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
        let pkcs8 = STANDARD.encode([&prefix[..], &secret].concat());
        let mut key = SigningKey::generate(Algorithm::EdDsa, Timestamp::from_seconds(0)).unwrap();
        key.kid = "theirs".to_owned();
        key.pkcs8 = serde_json::from_str(&format!("\"{pkcs8}\"")).unwrap();
        let expected = json!({
            "kid": "theirs", "use": "sig", "alg": "EdDSA", "kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        });
        assert_eq!(published(&[Signer::parse(&key).unwrap()]), [expected]);
    }

    #[test]
    fn coordinates_have_their_full_length_also_where_they_begin_with_zero() {
        let mut seen = [false; 2];
        for _ in 0..20_000 {
            let signer = made(Algorithm::Es256);
            let key = &published(std::slice::from_ref(&signer))[0];
            let starts = ["x", "y"].map(|name| {
                assert_eq!(key[name].as_str().unwrap().len(), 43, "{key}");
                bytes(key, name)[0] == 0
            });
            if starts.contains(&true) {
                assert!(verifies(key, b"message", &signer.sign(b"message").unwrap()), "{key}");
                seen = [seen[0] || starts[0], seen[1] || starts[1]];
            }
            if seen == [true; 2] {
                return;
            }
        }
        panic!("of 20000 keys, one in 256 begins with a zero");
    }

    #[test]
    fn numbers_have_no_leading_zeros() {
        let key = &published(&[made(Algorithm::Rs256)])[0];
        let modulus = bytes(key, "n");
        assert_eq!((modulus.len(), bytes(key, "e")), (384, vec![1, 0, 1]));
        // The highest bit of a modulus is set, so in DER it has a zero before it.
        assert!(modulus[0] >= 0x80);
    }

    #[test]
    fn the_tag_changes_with_the_keys_and_only_with_them() {
        let (one, other) = (made(Algorithm::EdDsa), made(Algorithm::EdDsa));
        let tag = KeySet::of(std::slice::from_ref(&one)).unwrap().tag;
        assert_eq!(KeySet::of(std::slice::from_ref(&one)).unwrap().tag, tag);
        assert_ne!(KeySet::of(&[other, one]).unwrap().tag, tag);
        assert!(tag.len() == 24 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    }
}
