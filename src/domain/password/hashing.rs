//! Computing and checking password hashes. Each call keeps a core busy for as long as the cost
//! says: only the hash gate's threads call these.

use argon2::{Algorithm, Argon2, Block, Version};
use aws_lc_rs::pbkdf2;
use zeroize::{Zeroize, Zeroizing};

use super::Password;
use super::stored::{Cost, PasswordHash, Recipe};
use crate::secret;

const OUTPUT_BYTES: usize = 32;

/// More than bcrypt reads of a secret.
const BCRYPT_KEY_BYTES: usize = 72;

/// Argon2's memory, kept from one hash to the next: fresh pages cost a tenth of a hash.
#[derive(Default)]
pub struct Workspace(Vec<Block>);

impl Workspace {
    /// How many bytes are kept.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.0.capacity() * Block::SIZE
    }

    /// Wipes and gives back the memory.
    ///
    /// Between hashes it is not wiped: what is left there reveals no more than the stored hash
    /// does, the next hash overwrites it, and the wiping would cost a tenth of every hash.
    pub fn release(&mut self) {
        self.0.zeroize();
        self.0 = Vec::new();
    }

    fn blocks(&mut self, count: usize) -> &mut [Block] {
        if self.0.len() < count {
            // Growing in place would copy the old blocks and leave them behind unwiped.
            self.release();
            self.0 = vec![Block::new(); count];
        }
        &mut self.0[..count]
    }
}

/// The Argon2id hash of a password.
#[must_use]
pub fn hash(password: &Password, salt: [u8; 16], cost: Cost, workspace: &mut Workspace) -> PasswordHash {
    let mut output = Zeroizing::new([0; OUTPUT_BYTES]);
    fill_argon2((Algorithm::Argon2id, cost), password, &salt, &mut *output, workspace);
    PasswordHash::argon2id(cost, &salt, &*output)
}

/// Whether `stored` was made of this password; the comparison takes constant time.
#[must_use]
pub fn verify(password: &Password, stored: &PasswordHash, workspace: &mut Workspace) -> bool {
    let mut output = Zeroizing::new(vec![0; stored.output.len()]);
    let salt = &stored.salt;
    let (key, whole) = foreign_key(password, &stored.recipe);
    match &stored.recipe {
        Recipe::Argon2(algorithm, cost) => {
            fill_argon2((*algorithm, *cost), password, salt, &mut output, workspace);
        }
        Recipe::Bcrypt { rounds } => fill_bcrypt(*rounds, key, salt, &mut output),
        Recipe::Scrypt(params) => fill_scrypt(params, key, salt, &mut output),
        Recipe::Pbkdf2(digest, iterations) => pbkdf2::derive(*digest, *iterations, salt, key, &mut output),
    }
    secret::same(&output, &stored.output) & whole
}

/// A hash of the current cost that no password has: what an unknown user's attempt is checked
/// against, for the same work. Computes nothing; `output` and `salt` are random.
#[must_use]
pub fn dummy(cost: Cost, output: [u8; 32], salt: [u8; 16]) -> PasswordHash {
    PasswordHash::argon2id(cost, &salt, &output)
}

fn fill_argon2(
    (algorithm, cost): (Algorithm, Cost),
    password: &Password,
    salt: &[u8],
    output: &mut [u8],
    workspace: &mut Workspace,
) {
    let params = cost.params(output.len());
    let blocks = workspace.blocks(params.block_count());
    Argon2::new(algorithm, Version::V0x13, params)
        .hash_password_into_with_memory(password.as_bytes(), salt, output, blocks)
        .expect("cost, salt and output were checked when they were read");
}

/// What a foreign function is given, and whether that is the whole password.
///
/// bcrypt reads 72 bytes and stops at a NUL; the HMAC below PBKDF2 and scrypt takes a key and
/// the same key with NULs behind it for one. Such a password is refused, never cut
/// (CVE-2021-3563); an empty one is hashed in its place so that the refusal costs the same.
fn foreign_key<'a>(password: &'a Password, recipe: &Recipe) -> (&'a [u8], bool) {
    let key = password.as_bytes();
    let whole = match recipe {
        Recipe::Argon2(..) => true,
        Recipe::Bcrypt { .. } => key.len() <= BCRYPT_KEY_BYTES && !key.contains(&0),
        Recipe::Scrypt(_) | Recipe::Pbkdf2(..) => !key.contains(&0),
    };
    (if whole { key } else { b"" }, whole)
}

fn fill_scrypt(params: &scrypt::Params, key: &[u8], salt: &[u8], output: &mut [u8]) {
    scrypt::scrypt(key, salt, params, output).expect("the output's length was checked when it was read");
}

fn fill_bcrypt(rounds: u32, key: &[u8], salt: &[u8], output: &mut [u8]) {
    let salt = salt.try_into().expect("twenty-two digits of base64 are sixteen bytes");
    // The key ends with a NUL where that still fits.
    let mut padded = Zeroizing::new([0; BCRYPT_KEY_BYTES]);
    padded[..key.len()].copy_from_slice(key);
    let used = (key.len() + 1).min(BCRYPT_KEY_BYTES);
    let computed = Zeroizing::new(bcrypt::bcrypt(rounds, salt, &padded[..used]));
    output.copy_from_slice(&computed[..output.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made by the reference implementations: libargon2, OpenSSL, crypt(3).
    const MADE_ELSEWHERE: [&str; 8] = [
        "$argon2id$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$buIR3cR+U1IUJ8+WyIxlnaObAbutw+YzwF0bmgUKlVY",
        "$argon2i$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$puc453Cpq1DFRL695M7MD8xMTPSjus4jpty4H6duI0g",
        "$argon2d$v=19$m=64,t=2,p=2$c29tZXNhbHRzb21lc2FsdA$QZTHvrUkQpGX4mmv0/mw2kqiWXZe8rdPm8RaTCpYulM",
        "$scrypt$ln=4,r=8,p=1$c29tZXNhbHRzb21lc2FsdA$VcmBslm12/xG8Ih6pCP1Kc4ks/rabtsHzPeQoipJ0Jw",
        "$pbkdf2-sha256$i=1000,l=32$c29tZXNhbHRzb21lc2FsdA$f2yJk+Dph1FxQ+yhQ5KLmg1c5wfFtFU14dLQONYBoAE",
        "$pbkdf2-sha512$i=1000$c29tZXNhbHRzb21lc2FsdA$\
         RbkohYpABhrVf6dAjV1mgswjeaDcEw/Z9Lqqoc7ZO6eeqGc4EIBheeCgNOsc3H1ATsxkis9nQ04P4KAKB0FMcA",
        "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
        "$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e",
    ];
    const BCRYPT_OF_72_X: &str = "$2b$04$abcdefghijklmnopqrstuubzadhGtS2zEF.gu0yd0opP6cVzb.e0i";

    fn cost() -> Cost {
        Cost::new(64, 1, 1).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    fn matches(text: &str, stored: &str) -> bool {
        let stored = PasswordHash::parse(stored).unwrap_or_else(|| panic!("{stored}"));
        verify(&password(text), &stored, &mut Workspace::default())
    }

    #[test]
    fn hashes_made_elsewhere_know_their_password_and_no_other() {
        for stored in MADE_ELSEWHERE {
            assert!(matches("correct horse", stored), "{stored}");
            for other in ["correct horsf", "correct horse\0", "Correct horse", ""] {
                assert!(!matches(other, stored), "{stored} {other:?}");
            }
        }
    }

    #[test]
    fn bcrypt_takes_72_bytes_and_refuses_more_instead_of_cutting() {
        assert!(matches(&"x".repeat(72), BCRYPT_OF_72_X));
        assert!(!matches(&"x".repeat(73), BCRYPT_OF_72_X));
        assert!(!matches(&"x".repeat(1_024), BCRYPT_OF_72_X));
    }

    #[test]
    fn bits_behind_a_bcrypt_salt_mean_nothing() {
        assert!(matches("correct horse", "$2b$04$abcdefghijklmnopqrstuvjydOTSfIH/d5oUHpsygqV5X9xJLQc6e"));
    }

    #[test]
    fn our_hash_reads_the_whole_password() {
        let mut workspace = Workspace::default();
        let beginning = "x".repeat(72);
        let stored = hash(&password(&format!("{beginning}one")), [1; 16], cost(), &mut workspace);
        let stored = PasswordHash::parse(stored.as_str()).unwrap();
        assert!(verify(&password(&format!("{beginning}one")), &stored, &mut workspace));
        assert!(!verify(&password(&format!("{beginning}two")), &stored, &mut workspace));
        assert!(!verify(&password(&format!("{beginning}one\0")), &stored, &mut workspace));
        assert!(!verify(&password(&beginning), &stored, &mut workspace));
    }

    #[test]
    fn a_used_workspace_gives_the_same_hash_as_a_fresh_one() {
        let mut used = Workspace::default();
        let larger = Cost::new(256, 1, 1).unwrap();
        let _ = hash(&password("one"), [1; 16], larger, &mut used);
        let again = hash(&password("two"), [2; 16], cost(), &mut used);
        assert_eq!(again.as_str(), hash(&password("two"), [2; 16], cost(), &mut Workspace::default()).as_str());
        assert_eq!(used.bytes(), 256 * 1_024);
        used.release();
        assert_eq!(used.bytes(), 0);
    }

    #[test]
    fn a_dummy_looks_like_any_hash_and_matches_nothing() {
        let dummy = dummy(cost(), [3; 32], [4; 16]);
        let read = PasswordHash::parse(dummy.as_str()).unwrap();
        assert!(!read.needs_rehash(cost()));
        for text in ["", "password", "correct horse"] {
            assert!(!verify(&password(text), &read, &mut Workspace::default()));
        }
    }
}
