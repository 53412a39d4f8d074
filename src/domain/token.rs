//! Tokens as texts and records: how each is spelled and which spellings are none. Whether a
//! well-spelled token is genuine takes a key, and keys live elsewhere.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::clock::Timestamp;
use crate::domain::id::{ID_BYTES, SessionId, TokenId, UserId};
use crate::secret::Secret;

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518).
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256 (RFC 7518).
    Rs256,
}

impl Algorithm {
    /// All of them, the recommended one first.
    pub const ALL: [Self; 3] = [Self::EdDsa, Self::Es256, Self::Rs256];

    /// The name in settings and JWT headers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads a name exactly as [`Algorithm::as_str`] writes it: JWT names are case-sensitive.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == text)
    }
}

/// An API token as the store keeps it; the secret itself is not here.
#[derive(Clone, Debug)]
pub struct ApiToken {
    /// Its id.
    pub id: TokenId,
    /// Whom it identifies.
    pub user_id: UserId,
    /// A free text, `type` on the wire.
    pub kind: String,
    /// A free text.
    pub name: String,
    /// Whether it carries its administrator's power.
    pub admin: bool,
    /// The first characters of the secret, for display.
    pub head: String,
    /// The last characters of the secret, for display.
    pub tail: String,
    /// When it stops working, if it does.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

const API_PREFIX: &str = "dwt_";
const API_RANDOM: usize = 43;
const API_CHECKSUM: usize = 6;
const API_BODY: usize = API_PREFIX.len() + API_RANDOM;
const API_LENGTH: usize = API_BODY + API_CHECKSUM;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const SHOWN: usize = 4;
/// A token shorter than this would give too much of itself away by its ends.
const SHORTEST_SHOWN: usize = 24;

/// A text with the form of this server's API tokens: `dwt_`, 43 random characters, a checksum.
#[derive(Clone, Copy)]
pub struct ApiTokenSecret<'a>(&'a str);

impl<'a> ApiTokenSecret<'a> {
    /// A fresh token. Each character is uniform: bytes that would favour some are thrown away.
    pub fn generate(mut random: impl FnMut() -> [u8; 64]) -> Secret {
        let mut text = String::with_capacity(API_LENGTH);
        text.push_str(API_PREFIX);
        while text.len() < API_BODY {
            let bytes = Zeroizing::new(random());
            let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(BASE62[usize::from(byte % 62)]));
            text.extend(fair.take(API_BODY - text.len()));
        }
        text.extend(checksum(text.as_bytes()).map(char::from));
        Secret::from(text)
    }

    /// Reads a token; a mistyped one is refused here, before any key or table is touched.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let (body, sum) = text.as_bytes().split_at_checked(API_BODY)?;
        let well_formed = sum.len() == API_CHECKSUM
            && body.starts_with(API_PREFIX.as_bytes())
            // Without a way out in between: many bytes are looked at in one step.
            && body[API_PREFIX.len()..].iter().fold(true, |fit, byte| fit & byte.is_ascii_alphanumeric())
            && checksum(body) == *sum;
        well_formed.then_some(Self(text))
    }

    /// Whether `text` has the form of this server's API tokens.
    #[must_use]
    pub fn is_well_formed(text: &str) -> bool {
        ApiTokenSecret::parse(text).is_some()
    }

    /// The whole secret.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// Its first four characters.
    #[must_use]
    pub fn head(self) -> &'a str {
        ends(self.0).0
    }

    /// Its last four characters.
    #[must_use]
    pub fn tail(self) -> &'a str {
        ends(self.0).1
    }
}

/// The first and last four characters of any token, for display; nothing of a token so short
/// that these would help to guess it.
#[must_use]
pub fn ends(token: &str) -> (&str, &str) {
    if token.chars().count() < SHORTEST_SHOWN {
        return ("", "");
    }
    let head = token.char_indices().nth(SHOWN).map_or(token.len(), |(start, _)| start);
    let tail = token.char_indices().rev().nth(SHOWN - 1).map_or(0, |(start, _)| start);
    (&token[..head], &token[tail..])
}

/// The CRC-32 of `body`, in base62, most significant digit first.
fn checksum(body: &[u8]) -> [u8; API_CHECKSUM] {
    let mut rest = crc32(body);
    let mut digits = [b'0'; API_CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    digits
}

const CRC_TABLE: [u32; 256] = crc_table();

/// CRC-32 as in zip and Ethernet (reflected, polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| CRC_TABLE[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

const fn crc_table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let mut crc = byte;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
}

const REFRESH_PREFIX: &str = "dwr_";
const REFRESH_VERSION: u8 = 1;
/// Version, key id, session id, generation.
const REFRESH_SIGNED: usize = 1 + 4 + ID_BYTES + 8;
const REFRESH_MAC: usize = 32;
const REFRESH_BYTES: usize = REFRESH_SIGNED + REFRESH_MAC;
const REFRESH_LENGTH: usize = REFRESH_PREFIX.len() + REFRESH_BYTES / 3 * 4;

/// What a refresh token says: true only once its MAC is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshClaims {
    /// The root key whose derived key made the MAC.
    pub key_id: i64,
    /// The session.
    pub session_id: SessionId,
    /// How often the session had been refreshed when this token was made.
    pub generation: i64,
}

impl RefreshClaims {
    /// The bytes that the MAC is over; `None` for numbers that this server never hands out.
    #[must_use]
    pub fn signed_bytes(&self) -> Option<[u8; REFRESH_SIGNED]> {
        let mut bytes = [REFRESH_VERSION; REFRESH_SIGNED];
        bytes[1..5].copy_from_slice(&u32::try_from(self.key_id).ok()?.to_be_bytes());
        bytes[5..17].copy_from_slice(self.session_id.as_bytes());
        bytes[17..].copy_from_slice(&u64::try_from(self.generation).ok()?.to_be_bytes());
        Some(bytes)
    }

    fn from_signed_bytes(bytes: &[u8; REFRESH_SIGNED]) -> Option<Self> {
        let (version, rest) = bytes.split_first()?;
        let (key_id, rest) = rest.split_first_chunk()?;
        let (session_id, rest) = rest.split_first_chunk()?;
        let generation = u64::from_be_bytes(rest.try_into().ok()?);
        (*version == REFRESH_VERSION).then_some(Self {
            key_id: i64::from(u32::from_be_bytes(*key_id)),
            session_id: SessionId::from_bytes(*session_id),
            generation: i64::try_from(generation).ok()?,
        })
    }
}

/// A decoded refresh token. Nothing is known of it before the MAC is checked.
#[derive(Clone, Copy)]
pub struct RefreshToken {
    /// What it says.
    pub claims: RefreshClaims,
    /// HMAC-SHA-256 over [`RefreshClaims::signed_bytes`].
    pub mac: [u8; REFRESH_MAC],
}

impl RefreshToken {
    /// Decodes a token: exact length, one spelling only.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != REFRESH_LENGTH {
            return None;
        }
        let bytes: [u8; REFRESH_BYTES] = read_base64(text.strip_prefix(REFRESH_PREFIX)?)?;
        let (signed, mac) = bytes.split_first_chunk()?;
        Some(Self { claims: RefreshClaims::from_signed_bytes(signed)?, mac: mac.try_into().ok()? })
    }

    /// The text that clients keep; `None` for numbers that this server never hands out.
    #[must_use]
    pub fn to_text(&self) -> Option<String> {
        let mut bytes = [0; REFRESH_BYTES];
        bytes[..REFRESH_SIGNED].copy_from_slice(&self.claims.signed_bytes()?);
        bytes[REFRESH_SIGNED..].copy_from_slice(&self.mac);
        let mut text = String::with_capacity(REFRESH_LENGTH);
        text.push_str(REFRESH_PREFIX);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut text);
        Some(text)
    }
}

const SINGLE_USE_BYTES: usize = 32;

/// The secret of a password reset or an email verification: 256 random bits.
pub struct SingleUseSecret(Zeroizing<[u8; SINGLE_USE_BYTES]>);

impl SingleUseSecret {
    /// The secret that these random bytes are.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SINGLE_USE_BYTES]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Reads exactly 43 base64url characters, in their one canonical spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        read_base64(text).map(Self::from_bytes)
    }

    /// Its bytes: what is hashed to be kept.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SINGLE_USE_BYTES] {
        &self.0
    }

    /// The text that goes into a mail.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        Secret::from(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }
}

/// Reads exactly `N` bytes of canonical base64url without padding.
pub(crate) fn read_base64<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != (N * 4).div_ceil(3) {
        return None;
    }
    let mut bytes = [0; N];
    let length = URL_SAFE_NO_PAD.decode_slice_unchecked(text, &mut bytes).ok()?;
    (length == N).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::secret::{ExposeSecret, random};

    fn claims() -> RefreshClaims {
        RefreshClaims { key_id: 7, session_id: SessionId::from_bytes([9; 12]), generation: 3 }
    }

    #[test]
    fn the_checksum_is_the_crc_that_everybody_knows() {
        assert_eq!(crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(checksum(b""), *b"000000");
    }

    #[test]
    fn a_fresh_api_token_has_its_form_and_shows_only_its_ends() {
        let token = ApiTokenSecret::generate(random);
        let text = token.expose_secret();
        let secret = ApiTokenSecret::parse(text).unwrap();
        assert_eq!(text.len(), 53);
        assert_eq!((secret.head(), secret.tail()), ("dwt_", &text[49..]));
        assert_eq!(secret.as_str(), text);
        assert_ne!(text, ApiTokenSecret::generate(random).expose_secret());
    }

    #[test]
    fn bytes_that_would_make_some_characters_likelier_are_thrown_away() {
        let mut draws = [[255; 64], [248; 64], [247; 64]].into_iter();
        let token = ApiTokenSecret::generate(|| draws.next().unwrap());
        assert!(token.expose_secret().starts_with(&format!("dwt_{}", "z".repeat(43))));
        assert!(draws.next().is_none());
    }

    #[test]
    fn no_api_token_with_one_wrong_character_is_well_formed() {
        let token = ApiTokenSecret::generate(random);
        let text = token.expose_secret();
        for position in 0..text.len() {
            let other = if &text[position..=position] == "x" { "y" } else { "x" };
            let mut wrong = text.to_owned();
            wrong.replace_range(position..=position, other);
            assert!(!ApiTokenSecret::is_well_formed(&wrong), "position {position}");
        }
        for wrong in ["", "dwt_", &text[..52], &format!("{text}0"), &format!(" {text}"), &text.to_uppercase()] {
            assert!(!ApiTokenSecret::is_well_formed(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_short_foreign_token_shows_nothing_of_itself() {
        assert_eq!(ends("superToken123"), ("", ""));
        assert_eq!(ends("abcdefghijklmnopqrstuvwx"), ("abcd", "uvwx"));
        assert_eq!(ends("äbcdefghijklmnopqrstuvwö"), ("äbcd", "uvwö"));
    }

    #[test]
    fn a_refresh_token_is_read_back_as_it_was_written() {
        let token = RefreshToken { claims: claims(), mac: [0xab; 32] };
        let text = token.to_text().unwrap();
        let read = RefreshToken::parse(&text).unwrap();
        assert_eq!((text.len(), read.claims, read.mac), (80, claims(), [0xab; 32]));
    }

    #[test]
    fn a_refresh_token_of_another_spelling_is_none() {
        let text = RefreshToken { claims: claims(), mac: [0xfb; 32] }.to_text().unwrap();
        let other_version = format!("dwr_Ag{}", &text[6..]);
        let standard_alphabet = text[4..].replace('-', "+").replace('_', "/");
        assert_ne!(standard_alphabet, text[4..]);
        for wrong in [
            "",
            "dwr_",
            &text[4..],
            &text[..79],
            &format!("{text}="),
            &format!("{text}AAAA"),
            &format!("dwt_{}", &text[4..]),
            &format!("dwr_{standard_alphabet}"),
            &format!("{} ", &text[..79]),
            &other_version,
        ] {
            assert!(RefreshToken::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn numbers_beyond_those_handed_out_are_no_refresh_token() {
        for wrong in [
            RefreshClaims { key_id: -1, ..claims() },
            RefreshClaims { key_id: i64::MAX, ..claims() },
            RefreshClaims { generation: -1, ..claims() },
        ] {
            assert!(RefreshToken { claims: wrong, mac: [0; 32] }.to_text().is_none());
        }
        let mut bytes = [0; REFRESH_BYTES];
        bytes[..REFRESH_SIGNED].copy_from_slice(&claims().signed_bytes().unwrap());
        bytes[17] = 0x80;
        assert!(RefreshToken::parse(&format!("dwr_{}", URL_SAFE_NO_PAD.encode(bytes))).is_none());
    }

    #[test]
    fn a_single_use_secret_has_one_spelling() {
        let secret = SingleUseSecret::from_bytes([0xff; 32]);
        let text = secret.to_text();
        let text = text.expose_secret();
        assert_eq!(text.len(), 43);
        assert_eq!(SingleUseSecret::parse(text).unwrap().as_bytes(), &[0xff; 32]);
        let same_bits = format!("{}9", &text[..42]);
        for wrong in ["", &text[..42], &format!("{text}="), &format!("{text}8"), &same_bits, &text.replace('_', "/")] {
            assert!(SingleUseSecret::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn no_kind_of_token_is_read_as_another() {
        let api = ApiTokenSecret::generate(random);
        let refresh = RefreshToken { claims: claims(), mac: random() }.to_text().unwrap();
        let single_use = SingleUseSecret::from_bytes(random()).to_text();
        assert!(!ApiTokenSecret::is_well_formed(&refresh));
        assert!(!ApiTokenSecret::is_well_formed(single_use.expose_secret()));
        assert!(RefreshToken::parse(api.expose_secret()).is_none());
        assert!(RefreshToken::parse(single_use.expose_secret()).is_none());
        assert!(SingleUseSecret::parse(api.expose_secret()).is_none());
        assert!(SingleUseSecret::parse(&refresh).is_none());
    }

    #[test]
    fn an_algorithm_is_named_exactly() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
        }
        for wrong in ["", "none", "None", "nOnE", "HS256", "eddsa", "rs256", "RS256 ", "PS256"] {
            assert_eq!(Algorithm::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn parsers_of_tokens_never_panic_and_read_one_spelling_only(
            text in "(dwt_|dwr_)?([A-Za-z0-9_-]{43}|[A-Za-z0-9_-]{49}|[A-Za-z0-9_-]{76}|\\PC{0,90})",
        ) {
            let _ = ApiTokenSecret::is_well_formed(&text);
            let _ = ends(&text);
            if let Some(token) = RefreshToken::parse(&text) {
                prop_assert_eq!(token.to_text(), Some(text.clone()));
            }
            if let Some(secret) = SingleUseSecret::parse(&text) {
                let again = secret.to_text();
                prop_assert_eq!(again.expose_secret(), text.as_str());
            }
        }
    }
}
