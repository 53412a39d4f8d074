//! All keys of the server, parsed once and shared by all that make or check a credential. Derives
//! one key a use, so that no two uses can be played against each other. Knows neither the file
//! that the keys came from nor what the store holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::SessionId;
use crate::domain::token::{RefreshClaims, RefreshToken};
use crate::guard::jwk::KeySet;
use crate::guard::jwt::{self, AccessClaims, Realm};
use crate::guard::signer::Signer;
use crate::secret::{Secret, random};
use crate::store::key_material::KeyMaterial;

const REFRESH_LABEL: &[u8] = b"doorward refresh token v1";
const PAGE_LABEL: &[u8] = b"doorward page session v1";
const FORM_LABEL: &[u8] = b"doorward form token v1";
const LOOKUP_LABEL: &[u8] = b"doorward api token v1";
const SEALING_LABEL: &[u8] = b"doorward sealed token v1";

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

/// The first byte of everything sealed.
const SEAL_VERSION: u8 = 1;
const TAG_BYTES: usize = 16;

/// Why a ring cannot be made of keys that were read whole.
#[derive(Debug, thiserror::Error)]
pub enum UnusableKeys {
    /// A signing key is not what it says.
    #[error("signing key {kid} is no {algorithm} private key: restore the keys from a backup")]
    Signing {
        /// Its name.
        kid: String,
        /// What it should be.
        algorithm: &'static str,
    },
    /// No key can be derived, or one of the lists is empty.
    #[error("the keys are no complete set: restore them from a backup")]
    Incomplete,
}

/// The server's keys, ready for use. Cloning shares them, and so what they are replaced by.
#[derive(Clone)]
pub struct Keyring(Arc<ArcSwap<Keys>>);

/// What keys are made ready for.
#[derive(Clone, Debug)]
pub struct Purpose {
    /// What access tokens are issued as and for.
    pub realm: Realm,
    /// How old a key is before it is used.
    pub settling: Settling,
}

/// How old a key is before it is used, where there is another: until then, all who have to know it do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settling {
    /// Of a root key: every server.
    pub root: Duration,
    /// Of a signing key: every server, and whoever keeps the published keys for as long as that is allowed.
    pub signing: Duration,
}

struct Keys {
    /// No other keys of this process have it.
    number: u64,
    /// One a root key, the newest first.
    refresh: Vec<RootKey>,
    lookup: hmac::Key,
    forms: hmac::Key,
    sealing: LessSafeKey,
    /// The newest first.
    signers: Vec<Signer>,
    /// From when on each of them signs.
    signs_from: Vec<Timestamp>,
    key_set: Arc<KeySet>,
    realm: Realm,
}

struct RootKey {
    id: i64,
    from: Timestamp,
    /// Of refresh tokens.
    key: hmac::Key,
    /// Of sessions in browsers.
    pages: hmac::Key,
}

impl Keyring {
    /// Parses and derives all keys.
    ///
    /// # Errors
    ///
    /// Names the key that cannot be used.
    pub fn from_material(material: &KeyMaterial, purpose: &Purpose) -> Result<Self, UnusableKeys> {
        Ok(Self(Arc::new(ArcSwap::from_pointee(Keys::read(material, purpose)?))))
    }

    /// Goes on with other keys.
    ///
    /// # Errors
    ///
    /// Names the key that cannot be used; then the old ones stay.
    pub fn replace(&self, material: &KeyMaterial, purpose: &Purpose) -> Result<(), UnusableKeys> {
        self.0.store(Arc::new(Keys::read(material, purpose)?));
        Ok(())
    }

    /// Tells the present keys from those before and after.
    pub(super) fn number(&self) -> u64 {
        self.0.load().number
    }

    /// What others verify access tokens with: the public half of each key that vouches for any, or soon will.
    #[must_use]
    pub fn key_set(&self) -> Arc<KeySet> {
        Arc::clone(&self.0.load().key_set)
    }

    /// What an API token is kept and looked up as. Its key never rotates, or every API token
    /// would be lost; it is HMAC over the whole text, however long.
    #[must_use]
    pub fn api_token_hash(&self, token: &str) -> [u8; 32] {
        tag(&self.0.load().lookup, token.as_bytes())
    }

    /// Encrypts a secret that its owner may read back. `context` (whose it is) is not part of the
    /// result, but must be the same to open it: a sealed secret cannot be moved to another row.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the cryptographic library fails.
    pub fn seal(&self, plaintext: &[u8], context: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + TAG_BYTES);
        sealed.push(SEAL_VERSION);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let tag = self
            .0
            .load()
            .sealing
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(context),
                &mut sealed[1 + NONCE_LEN..],
            )
            .map_err(|_| Error::Internal("a secret cannot be sealed".to_owned()))?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    /// Decrypts what [`Keyring::seal`] made; `None` for anything else, or in another context.
    #[must_use]
    pub fn open(&self, sealed: &[u8], context: &[u8]) -> Option<Secret> {
        let rest = sealed.strip_prefix(&[SEAL_VERSION])?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>()?;
        let mut buffer = Zeroizing::new(rest.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let plaintext = self.0.load().sealing.open_in_place(nonce, Aad::from(context), &mut buffer).ok()?;
        std::str::from_utf8(plaintext).ok().map(Secret::from)
    }

    /// The root key that new refresh tokens are made with.
    #[must_use]
    pub fn current_root_id(&self, now: Timestamp) -> i64 {
        let keys = self.0.load();
        let current = keys.refresh.iter().find(|key| key.from <= now).or(keys.refresh.last());
        current.map_or(0, |key| key.id)
    }

    /// The refresh token of any generation, the same byte for byte each time; `None` where the
    /// root key is no longer known.
    #[must_use]
    pub fn refresh_token(&self, session_id: SessionId, generation: i64, key_id: i64) -> Option<String> {
        let claims = RefreshClaims { key_id, session_id, generation };
        let mac = tag(self.0.load().refresh_key(key_id)?, &claims.signed_bytes()?);
        RefreshToken { claims, mac }.to_text()
    }

    /// What a refresh token says, if one of our keys made it. The MAC is compared in constant time.
    #[must_use]
    pub fn verify_refresh(&self, token: &str) -> Option<RefreshClaims> {
        let RefreshToken { claims, mac } = RefreshToken::parse(token)?;
        hmac::verify(self.0.load().refresh_key(claims.key_id)?, &claims.signed_bytes()?, &mac).ok()?;
        Some(claims)
    }

    /// What a browser shows to be let into the pages; `None` where the root key is no longer known. No refresh token:
    /// its MAC is made by another key.
    #[must_use]
    pub fn page_session(&self, session_id: SessionId, key_id: i64) -> Option<Secret> {
        let claims = RefreshClaims { key_id, session_id, generation: 0 };
        let mac = tag(&self.0.load().root(key_id)?.pages, &claims.signed_bytes()?);
        RefreshToken { claims, mac }.to_text().map(Secret::from)
    }

    /// The session that it names, if one of our keys made it. The MAC is compared in constant time.
    #[must_use]
    pub fn verify_page_session(&self, cookie: &str) -> Option<SessionId> {
        let RefreshToken { claims, mac } = RefreshToken::parse(cookie)?;
        hmac::verify(&self.0.load().root(claims.key_id)?.pages, &claims.signed_bytes()?, &mac).ok()?;
        Some(claims.session_id)
    }

    /// What each form of a page carries, bound to the browser by a cookie of that browser alone.
    #[must_use]
    pub fn form_token(&self, cookie: &str) -> [u8; 32] {
        tag(&self.0.load().forms, cookie.as_bytes())
    }

    /// An access token, signed with the key that is current when it is issued.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] when the cryptographic library fails.
    pub fn sign(&self, claims: &AccessClaims) -> Result<String> {
        let keys = self.0.load();
        let current = keys.signs_from.iter().position(|from| *from <= claims.issued_at);
        let signer = current.and_then(|current| keys.signers.get(current)).or(keys.signers.last());
        let signer = signer.ok_or_else(|| Error::Internal("no signing key".to_owned()))?;
        jwt::issue(claims, &keys.realm, signer)
    }

    /// A token of any head (in base64url) and claims, signed with the newest key.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn sign_as_it_is(&self, head: &str, claims: &[u8]) -> Result<String> {
        let keys = self.0.load();
        let newest = keys.signers.first().ok_or_else(|| Error::Internal("no signing key".to_owned()))?;
        jwt::sign(head, claims, newest)
    }

    /// What an access token says, if one of our keys signed it and its time is not over.
    ///
    /// # Errors
    ///
    /// [`Unauthenticated::Expired`] for a genuine token that is over, else
    /// [`Unauthenticated::Malformed`].
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<AccessClaims, Unauthenticated> {
        let keys = self.0.load();
        jwt::verify(token, &keys.realm, &keys.signers, now)
    }
}

impl Keys {
    fn read(material: &KeyMaterial, purpose: &Purpose) -> Result<Self, UnusableKeys> {
        let incomplete = |_| UnusableKeys::Incomplete;
        let mut refresh = Vec::with_capacity(material.root_keys.len());
        for root in material.root_keys.iter().rev() {
            let key = mac_key(root.secret.expose(), REFRESH_LABEL).map_err(incomplete)?;
            let pages = mac_key(root.secret.expose(), PAGE_LABEL).map_err(incomplete)?;
            refresh.push(RootKey { id: root.id, from: root.created_at.plus(purpose.settling.root), key, pages });
        }
        let mut signers = Vec::with_capacity(material.signing_keys.len());
        let mut signs_from = Vec::with_capacity(material.signing_keys.len());
        for key in material.signing_keys.iter().rev() {
            let (kid, algorithm) = (&key.kid, key.algorithm.as_str());
            signers.push(Signer::parse(key).map_err(|_| UnusableKeys::Signing { kid: kid.clone(), algorithm })?);
            signs_from.push(key.created_at.plus(purpose.settling.signing));
        }
        if signers.is_empty() || refresh.is_empty() {
            return Err(UnusableKeys::Incomplete);
        }
        let lookup = mac_key(material.lookup_key.expose(), LOOKUP_LABEL).map_err(incomplete)?;
        let forms = mac_key(material.lookup_key.expose(), FORM_LABEL).map_err(incomplete)?;
        let sealing = sealing_key(material.lookup_key.expose()).map_err(incomplete)?;
        let key_set = Arc::new(KeySet::of(&signers).map_err(|_| UnusableKeys::Incomplete)?);
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        Ok(Self { number, refresh, lookup, forms, sealing, signers, signs_from, key_set, realm: purpose.realm.clone() })
    }

    fn refresh_key(&self, id: i64) -> Option<&hmac::Key> {
        self.root(id).map(|root| &root.key)
    }

    fn root(&self, id: i64) -> Option<&RootKey> {
        self.refresh.iter().find(|key| key.id == id)
    }
}

fn mac_key(secret: &[u8], label: &[u8]) -> Result<hmac::Key, Unspecified> {
    derive(secret, label, HMAC_SHA256)
}

fn sealing_key(secret: &[u8]) -> Result<LessSafeKey, Unspecified> {
    derive::<_, UnboundKey>(secret, SEALING_LABEL, &AES_256_GCM).map(LessSafeKey::new)
}

/// HKDF-SHA-256 (RFC 5869). No salt: the secrets are uniform already.
fn derive<L: KeyType, K>(secret: &[u8], label: &[u8], form: L) -> Result<K, Unspecified>
where
    K: for<'a> From<aws_lc_rs::hkdf::Okm<'a, L>>,
{
    let root: Prk = Salt::none(HKDF_SHA256).extract(secret);
    root.expand(&[label], form).map(K::from)
}

fn tag(key: &hmac::Key, message: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hmac::sign(key, message).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::{UserId, read_hex};
    use crate::domain::session::Dialect;
    use crate::domain::token::{Algorithm, ApiTokenSecret, SingleUseSecret};
    use crate::secret::ExposeSecret;
    use crate::store::key_material::SigningKey;

    const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);
    const SESSION: SessionId = SessionId::from_bytes([5; 12]);

    fn material() -> KeyMaterial {
        KeyMaterial::generate(Algorithm::EdDsa, NOW).unwrap()
    }

    fn purpose(settling: Settling) -> Purpose {
        let realm = Realm { issuer: "https://auth.example".to_owned(), audience: "doorward".to_owned() };
        Purpose { realm, settling }
    }

    fn ring_of(material: &KeyMaterial) -> Keyring {
        Keyring::from_material(material, &purpose(Settling::default())).unwrap()
    }

    fn ring() -> Keyring {
        ring_of(&material())
    }

    fn claims() -> AccessClaims {
        AccessClaims {
            user_id: UserId::from_bytes([1; 12]),
            session_id: SESSION,
            dialect: Dialect::Iron,
            jti: random(),
            issued_at: NOW,
            expires_at: Timestamp::from_seconds(NOW.seconds() + 900),
            auth_time: NOW,
            credential_version: 0,
        }
    }

    #[test]
    fn a_refresh_token_says_what_it_was_made_with() {
        let ring = ring();
        let token = ring.refresh_token(SESSION, 41, 1).unwrap();
        assert_eq!(ring.verify_refresh(&token), Some(RefreshClaims { key_id: 1, session_id: SESSION, generation: 41 }));
        assert_eq!(ring.refresh_token(SESSION, 41, 1), Some(token));
        assert_eq!(ring.refresh_token(SESSION, 41, 2), None);
        assert_eq!(ring.refresh_token(SESSION, -1, 1), None);
    }

    /// The expected values were computed apart from this code, by RFC 5869, 2104 and 5116.
    #[test]
    fn what_earlier_versions_made_is_still_known() {
        let bytes = |byte: u8| serde_json::from_str(&format!("\"{}\"", STANDARD.encode([byte; 32]))).unwrap();
        let mut keys = material();
        keys.lookup_key = bytes(1);
        keys.root_keys[0].secret = bytes(2);
        let ring = ring_of(&keys);
        let hash = "33cb3967f1e7e1e95f518985ff423cfb80be1a737f8a9c5c1a66828e87f4b1d1";
        assert_eq!(Some(ring.api_token_hash("token")), read_hex(hash.as_bytes()));
        let refresh = "dwr_AQAAAAEFBQUFBQUFBQUFBQUAAAAAAAAABxo08cSk16ukr__ETtIeD0Rq1ydw3Qd5y1s4z7BIw445";
        assert_eq!(ring.refresh_token(SESSION, 7, 1).as_deref(), Some(refresh));
        let sealed = "0103030303030303030303030378807e02a255fdb5d79f5414b0c2a2e43e25af462ba97bafd6c6";
        let sealed: [u8; 39] = read_hex(sealed.as_bytes()).unwrap();
        assert_eq!(ring.open(&sealed, b"ann").unwrap().expose_secret(), "dwt_secret");
    }

    #[test]
    fn a_rotated_root_key_still_makes_and_takes_its_old_tokens() {
        let before = material();
        let token = ring_of(&before).refresh_token(SESSION, 1, 1).unwrap();
        let after = ring_of(&before.with_root_key(NOW));
        assert_eq!(after.current_root_id(NOW), 2);
        assert_eq!(after.refresh_token(SESSION, 1, 1), Some(token.clone()));
        assert!(after.verify_refresh(&token).is_some());
        assert_ne!(after.refresh_token(SESSION, 1, 2), Some(token));
    }

    #[test]
    fn a_refresh_token_with_any_changed_byte_is_refused() {
        let ring = ring();
        let token = ring.refresh_token(SESSION, 1, 1).unwrap();
        for position in 0..token.len() {
            let other = if &token[position..=position] == "A" { "B" } else { "A" };
            let mut wrong = token.clone();
            wrong.replace_range(position..=position, other);
            assert_eq!(ring.verify_refresh(&wrong), None, "{position}");
        }
    }

    #[test]
    fn another_servers_refresh_token_is_refused() {
        assert_eq!(ring().verify_refresh(&ring().refresh_token(SESSION, 1, 1).unwrap()), None);
    }

    #[test]
    fn api_tokens_hash_whole_and_alike_across_rotations_but_not_across_servers() {
        let before = material();
        let hash = ring_of(&before).api_token_hash("token");
        assert_eq!(ring_of(&before.clone().with_root_key(NOW)).api_token_hash("token"), hash);
        assert_ne!(ring().api_token_hash("token"), hash);
        let long = "x".repeat(72);
        let ring = ring_of(&before);
        assert_ne!(ring.api_token_hash(&format!("{long}a")), ring.api_token_hash(&format!("{long}b")));
        assert_ne!(ring.api_token_hash("token\0a"), ring.api_token_hash("token\0b"));
    }

    #[test]
    fn what_is_sealed_opens_only_unchanged_and_in_its_context() {
        let keys = material();
        let ring = ring_of(&keys);
        let sealed = ring.seal(b"dwt_secret", b"ann").unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"secret"));
        assert_ne!(sealed, ring.seal(b"dwt_secret", b"ann").unwrap());
        let later = ring_of(&keys.with_root_key(NOW));
        assert_eq!(later.open(&sealed, b"ann").unwrap().expose_secret(), "dwt_secret");
        assert!(ring.open(&sealed, b"bob").is_none());
        assert!(self::ring().open(&sealed, b"ann").is_none());
        for position in 0..sealed.len() {
            let mut wrong = sealed.clone();
            wrong[position] ^= 1;
            assert!(ring.open(&wrong, b"ann").is_none(), "{position}");
            assert!(ring.open(&sealed[..position], b"ann").is_none(), "{position}");
        }
    }

    #[test]
    fn an_access_token_outlives_a_change_of_the_signing_key() {
        let before = material();
        let claims = claims();
        let old = ring_of(&before).sign(&claims).unwrap();
        let after = ring_of(&before.clone().with_signing_key(SigningKey::generate(Algorithm::Es256, NOW).unwrap()));
        let new = after.sign(&claims).unwrap();
        assert_eq!(after.verify(&old, NOW), Ok(claims));
        assert_eq!(after.verify(&new, NOW), Ok(claims));
        assert_eq!(ring_of(&before).verify(&new, NOW), Err(Unauthenticated::Malformed));
    }

    #[test]
    fn a_new_key_is_used_once_every_server_has_heard_of_it() {
        let settling = Settling { root: Duration::from_secs(20), signing: Duration::from_secs(320) };
        let old = material();
        let made = NOW.plus(Duration::from_hours(1));
        let keys =
            old.clone().with_signing_key(SigningKey::generate(Algorithm::EdDsa, made).unwrap()).with_root_key(made);
        let behind = ring_of(&old);
        let ring = Keyring::from_material(&keys, &purpose(settling)).unwrap();
        for (seconds, signing, root) in [(0, 1, 1), (19, 1, 1), (20, 1, 2), (319, 1, 2), (320, 2, 2)] {
            let at = made.plus(Duration::from_secs(seconds));
            let issued = AccessClaims { issued_at: at, expires_at: at.plus(Duration::from_mins(15)), ..claims() };
            let token = ring.sign(&issued).unwrap();
            assert_eq!(behind.verify(&token, at).is_err(), signing == 2, "{seconds}");
            assert!(ring.verify(&token, at).is_ok());
            assert_eq!(ring.current_root_id(at), root, "{seconds}");
        }
        let published = String::from_utf8(ring.key_set().document.to_vec()).unwrap();
        assert!(keys.signing_keys.iter().all(|key| published.contains(&key.kid)), "from the first moment: {published}");
        let alone = Keyring::from_material(&material(), &purpose(settling)).unwrap();
        assert_eq!(alone.current_root_id(NOW), 1, "the only key is used at once");
        assert!(alone.sign(&claims()).is_ok());
        behind.replace(&keys, &purpose(settling)).unwrap();
        assert!(behind.verify(&ring.sign(&claims()).unwrap(), NOW).is_ok());
    }

    /// Security row 3: no kind of token passes for another.
    #[test]
    fn no_kind_of_token_is_taken_for_another() {
        let ring = ring();
        let access = ring.sign(&claims()).unwrap();
        let refresh = ring.refresh_token(SESSION, 1, 1).unwrap();
        let api = ApiTokenSecret::generate(random);
        let single_use = SingleUseSecret::from_bytes(random()).to_text();
        for other in [&refresh, api.expose_secret(), single_use.expose_secret()] {
            assert_eq!(ring.verify(other, NOW), Err(Unauthenticated::Malformed));
        }
        for other in [&access, api.expose_secret(), single_use.expose_secret()] {
            assert_eq!(ring.verify_refresh(other), None);
        }
        for other in [&access, &refresh] {
            assert!(!ApiTokenSecret::is_well_formed(other));
            assert!(SingleUseSecret::parse(other).is_none());
        }
    }

    #[test]
    fn keys_that_are_not_what_they_say_are_named() {
        let mut keys = material();
        keys.signing_keys[0].algorithm = Algorithm::Rs256;
        let purpose = purpose(Settling::default());
        let message = Keyring::from_material(&keys, &purpose).err().unwrap().to_string();
        assert!(message.starts_with(&format!("signing key {} is no RS256", keys.signing_keys[0].kid)), "{message}");
        let mut keys = material();
        keys.root_keys.clear();
        assert!(Keyring::from_material(&keys, &purpose).is_err());
        let mut keys = material();
        keys.signing_keys.clear();
        assert!(Keyring::from_material(&keys, &purpose).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_ring_panic(text in "(dwr_)?[A-Za-z0-9_-]{0,80}", bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let ring = ring();
            prop_assert_eq!(ring.verify_refresh(&text), None);
            prop_assert!(ring.open(&bytes, b"").is_none());
            prop_assert!(ring.open(&[&[1], &bytes[..]].concat(), b"").is_none());
        }
    }
}
