//! The most common passwords, as a binary fuse filter that ships inside the program. It answers
//! "is this one of them" without holding any of them; one strong password in 65,536 is mistaken
//! for one. `docs/passwords.md` names the lists it was made of.

use std::sync::LazyLock;

use aws_lc_rs::digest::{Context, SHA256};
use unicode_normalization::UnicodeNormalization;
use xorf::{BinaryFuse16, Filter};
use zeroize::Zeroizing;

const MAGIC: [u8; 8] = *b"common\x00\x01";
const HEADER_BYTES: usize = 32;

static SHIPPED: LazyLock<CommonPasswords> = LazyLock::new(|| {
    CommonPasswords::from_bytes(include_bytes!("../../assets/common-passwords.filter"))
        .expect("the filter in this repository is well-formed; a test reads it")
});

/// Whether a password is among the most common ones, in any letter case.
#[must_use]
pub fn is_common(password: &str) -> bool {
    SHIPPED.contains(password)
}

/// A set of passwords that can be asked, but not listed.
pub struct CommonPasswords {
    count: u32,
    filter: BinaryFuse16,
}

impl CommonPasswords {
    /// The set of these words. The same words give the same set, in any order.
    ///
    /// # Errors
    ///
    /// What the filter's construction reports.
    pub fn from_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Self, &'static str> {
        let mut keys: Vec<u64> = words.into_iter().map(key).collect();
        keys.sort_unstable();
        keys.dedup();
        let count = u32::try_from(keys.len()).map_err(|_| "too many words")?;
        Ok(Self { count, filter: BinaryFuse16::try_from(&keys)? })
    }

    /// Reads what [`CommonPasswords::to_bytes`] wrote; `None` where it is damaged.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (header, fingerprints) = bytes.split_at_checked(HEADER_BYTES)?;
        let number = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let (segment_length, segment_length_mask, segment_count_length) = (number(20)?, number(24)?, number(28)?);
        // A look-up touches three neighbouring segments: beyond these it would leave the table.
        let slots = segment_length.checked_mul(2)?.checked_add(segment_count_length)?;
        if header[..8] != MAGIC
            || !segment_length.is_power_of_two()
            || segment_length_mask != segment_length - 1
            || segment_count_length % segment_length != 0
            || fingerprints.len() != usize::try_from(slots).ok()?.checked_mul(2)?
        {
            return None;
        }
        // The descriptor's type has no public name: one of another filter is filled anew.
        let mut filter = BinaryFuse16::try_from([0].as_slice()).ok()?;
        filter.descriptor.seed = u64::from_le_bytes(header[12..20].try_into().ok()?);
        filter.descriptor.segment_length = segment_length;
        filter.descriptor.segment_length_mask = segment_length_mask;
        filter.descriptor.segment_count_length = segment_count_length;
        filter.fingerprints = fingerprints.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        Some(Self { count: number(8)?, filter })
    }

    /// The set as a file: 8 bytes of magic, the count, the filter's seed and three lengths, its
    /// fingerprints; all numbers little-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let BinaryFuse16 { descriptor, fingerprints } = &self.filter;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + 2 * fingerprints.len());
        bytes.extend(MAGIC);
        bytes.extend(self.count.to_le_bytes());
        bytes.extend(descriptor.seed.to_le_bytes());
        bytes.extend(descriptor.segment_length.to_le_bytes());
        bytes.extend(descriptor.segment_length_mask.to_le_bytes());
        bytes.extend(descriptor.segment_count_length.to_le_bytes());
        bytes.extend(fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()));
        bytes
    }

    /// How many passwords it was made of.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// Whether a password is one of the set, in any letter case.
    #[must_use]
    pub fn contains(&self, password: &str) -> bool {
        self.filter.contains(&key(password))
    }
}

/// The first eight bytes of the SHA-256 of the password in lower case and NFC.
fn key(password: &str) -> u64 {
    let lower = Zeroizing::new(password.to_lowercase());
    let mut context = Context::new(&SHA256);
    for character in lower.nfc() {
        context.update(character.encode_utf8(&mut [0; 4]).as_bytes());
    }
    let digest = context.finish();
    digest.as_ref().iter().take(8).fold(0, |key, byte| key << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_filter_is_whole_and_holds_enough() {
        assert!(SHIPPED.count() >= 10_000);
        assert_eq!(SHIPPED.to_bytes(), include_bytes!("../../assets/common-passwords.filter"));
    }

    #[test]
    fn known_common_passwords_are_in_it() {
        for password in
            ["password", "password1", "Password123", "iloveyou", "football1", "QWERTYUIOP", "1q2w3e4r", "trustno1"]
        {
            assert!(is_common(password), "{password}");
        }
    }

    #[test]
    fn strong_passwords_are_not() {
        let strong = (0..10_000_u32).map(|number| format!("{:016x}", key(&format!("strong {number}"))));
        assert!(strong.filter(|password| is_common(password)).count() <= 1);
        assert!(!is_common("correct horse battery staple"));
    }

    #[test]
    fn a_set_is_the_same_in_any_order_and_after_reading() {
        let words: Vec<String> = (0..500).map(|number| format!("word {number}")).collect();
        let made = CommonPasswords::from_words(words.iter().map(String::as_str)).unwrap();
        let reversed = CommonPasswords::from_words(words.iter().rev().map(String::as_str)).unwrap();
        assert_eq!(made.to_bytes(), reversed.to_bytes());
        let read = CommonPasswords::from_bytes(&made.to_bytes()).unwrap();
        assert_eq!(read.count(), 500);
        assert!(words.iter().all(|word| read.contains(word)));
    }

    #[test]
    fn damaged_files_are_refused() {
        let whole = CommonPasswords::from_words(["one", "two", "three"]).unwrap().to_bytes();
        for damaged in [&whole[..0], &whole[..31], &whole[..whole.len() - 1], &whole[1..]] {
            assert!(CommonPasswords::from_bytes(damaged).is_none());
        }
        for at in (0..8).chain(20..32) {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            assert!(CommonPasswords::from_bytes(&damaged).is_none(), "byte {at}");
        }
    }
}
