//! The stored text of a password: Argon2id of this server, or an imported foreign hash. Knows
//! the texts and their bounds; computes nothing.

use std::fmt;
use std::num::NonZeroU32;

use argon2::{Algorithm, Params};
use aws_lc_rs::pbkdf2;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, STANDARD_NO_PAD};

/// No text of the known forms is longer.
const MAX_TEXT_BYTES: usize = 512;

// The bounds keep an imported hash from eating the machine: the costliest that passes takes a
// gibibyte and a few seconds of one core.
const MAX_MEMORY_KIB: u32 = 1 << 20;
const MAX_KIB_PASSES: u64 = 1 << 22;
const MAX_PARALLELISM: u32 = 64;
const MAX_BCRYPT_ROUNDS: u32 = 16;
const MAX_PBKDF2_ITERATIONS: u32 = 5_000_000;

/// Some writers of bcrypt leave bits set behind the salt's last byte; they mean nothing.
const BCRYPT_BASE64: GeneralPurpose =
    GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD.with_decode_allow_trailing_bits(true));

/// What one Argon2 hash costs. Always within the bounds that Argon2 and this server set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

impl Cost {
    /// 19 MiB, two passes, one lane: the least that OWASP recommends.
    pub const DEFAULT: Self = Self { memory_kib: 19_456, iterations: 2, parallelism: 1 };

    /// A cost: memory in KiB, passes over it, lanes.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, String> {
        if parallelism == 0 || parallelism > MAX_PARALLELISM {
            return Err(format!("parallelism must be 1 to {MAX_PARALLELISM}"));
        }
        if memory_kib < 8 * parallelism || memory_kib > MAX_MEMORY_KIB {
            return Err(format!("memory must be 8 KiB for each lane to {MAX_MEMORY_KIB} KiB"));
        }
        if iterations == 0 || u64::from(memory_kib) * u64::from(iterations) > MAX_KIB_PASSES {
            return Err(format!("iterations times memory must be at most {MAX_KIB_PASSES} KiB"));
        }
        Ok(Self { memory_kib, iterations, parallelism })
    }

    /// Memory of one hash in KiB.
    #[must_use]
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn iterations(self) -> u32 {
        self.iterations
    }

    /// Lanes.
    #[must_use]
    pub const fn parallelism(self) -> u32 {
        self.parallelism
    }

    /// Whether this is less than `other` in any respect.
    const fn falls_short_of(self, other: Self) -> bool {
        self.memory_kib < other.memory_kib || self.iterations < other.iterations || self.parallelism < other.parallelism
    }

    pub(super) fn params(self, output_bytes: usize) -> Params {
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(output_bytes))
            .expect("a cost was checked against stricter bounds when it was made")
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How a stored hash was made.
#[derive(Clone)]
pub(super) enum Recipe {
    Argon2(Algorithm, Cost),
    Bcrypt { rounds: u32 },
    Scrypt(scrypt::Params),
    Pbkdf2(pbkdf2::Algorithm, NonZeroU32),
}

/// What is kept of a password: a text that names the function, its cost, salt and output.
#[derive(Clone)]
pub struct PasswordHash {
    text: String,
    pub(super) recipe: Recipe,
    pub(super) salt: Vec<u8>,
    pub(super) output: Vec<u8>,
}

impl PasswordHash {
    /// Reads a stored or imported text: PHC strings of Argon2 (version 19), scrypt and PBKDF2
    /// (SHA-256, SHA-512), and bcrypt's `$2a$`, `$2b$`, `$2y$`. `None` for any other form and
    /// for costs that would harm the machine.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let (scheme, rest) = text.strip_prefix('$')?.split_once('$')?;
        let (recipe, salt, output) = match scheme {
            "argon2id" => argon2(Algorithm::Argon2id, rest),
            "argon2i" => argon2(Algorithm::Argon2i, rest),
            "argon2d" => argon2(Algorithm::Argon2d, rest),
            "2a" | "2b" | "2y" => bcrypt(rest),
            "scrypt" => scrypt(rest),
            "pbkdf2-sha256" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA256, rest),
            "pbkdf2-sha512" => pbkdf2(pbkdf2::PBKDF2_HMAC_SHA512, rest),
            _ => None,
        }?;
        Some(Self { text: text.to_owned(), recipe, salt, output })
    }

    /// The Argon2id hash with these parts.
    pub(super) fn argon2id(cost: Cost, salt: &[u8], output: &[u8]) -> Self {
        let Cost { memory_kib, iterations, parallelism } = cost;
        let (shown_salt, shown_output) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(output));
        Self {
            text: format!("$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${shown_salt}${shown_output}"),
            recipe: Recipe::Argon2(Algorithm::Argon2id, cost),
            salt: salt.to_vec(),
            output: output.to_vec(),
        }
    }

    /// The text to store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the password should be hashed anew at its next use: the hash is foreign, or made
    /// with less than `current`. A hash that cost more stays.
    #[must_use]
    pub fn needs_rehash(&self, current: Cost) -> bool {
        match self.recipe {
            Recipe::Argon2(Algorithm::Argon2id, cost) => {
                cost.falls_short_of(current) || self.salt.len() < 16 || self.output.len() < 32
            }
            _ => true,
        }
    }

    /// Memory in KiB that checking a password against this takes.
    #[must_use]
    pub fn memory_kib(&self) -> u32 {
        match &self.recipe {
            Recipe::Argon2(_, cost) => cost.memory_kib,
            Recipe::Scrypt(params) => u32::try_from(params.n() * u64::from(params.r()) / 8).unwrap_or(MAX_MEMORY_KIB),
            Recipe::Bcrypt { .. } | Recipe::Pbkdf2(..) => 8,
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PasswordHash").finish_non_exhaustive()
    }
}

type Parts = (Recipe, Vec<u8>, Vec<u8>);

fn argon2(algorithm: Algorithm, rest: &str) -> Option<Parts> {
    let (costs, salt, output) = phc_parts(rest.strip_prefix("v=19$")?)?;
    let [memory_kib, iterations, parallelism] = numbers(costs, ["m", "t", "p"])?;
    let cost = Cost::new(memory_kib, iterations, parallelism).ok()?;
    // Argon2 itself takes no shorter salt (RFC 9106, 3.1).
    (salt.len() >= 8).then_some((Recipe::Argon2(algorithm, cost), salt, output))
}

fn bcrypt(rest: &str) -> Option<Parts> {
    let (rounds, digits) = rest.split_once('$')?;
    let rounds = number(rounds).filter(|_| rounds.len() == 2)?;
    if !(4..=MAX_BCRYPT_ROUNDS).contains(&rounds) || digits.len() != 53 || !digits.is_ascii() {
        return None;
    }
    let (salt, output) = digits.split_at(22);
    let (salt, output) = (BCRYPT_BASE64.decode(salt).ok()?, BCRYPT_BASE64.decode(output).ok()?);
    Some((Recipe::Bcrypt { rounds }, salt, output))
}

fn scrypt(rest: &str) -> Option<Parts> {
    let (costs, salt, output) = phc_parts(rest)?;
    let [log_n, r, p] = numbers(costs, ["ln", "r", "p"])?;
    if !(1..=20).contains(&log_n) || !(1..=32).contains(&r) || !(1..=MAX_PARALLELISM).contains(&p) {
        return None;
    }
    let memory_kib = (u64::from(r) << log_n) / 8;
    if memory_kib > u64::from(MAX_MEMORY_KIB) || memory_kib * u64::from(p) > MAX_KIB_PASSES / 2 {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(log_n).ok()?, r, p).ok()?;
    Some((Recipe::Scrypt(params), salt, output))
}

fn pbkdf2(digest: pbkdf2::Algorithm, rest: &str) -> Option<Parts> {
    let (costs, salt, output) = phc_parts(rest)?;
    let (iterations, length) = match numbers(costs, ["i", "l"]) {
        Some([iterations, length]) => (iterations, usize::try_from(length).ok()?),
        None => (numbers(costs, ["i"])?[0], output.len()),
    };
    if iterations > MAX_PBKDF2_ITERATIONS || length != output.len() {
        return None;
    }
    Some((Recipe::Pbkdf2(digest, NonZeroU32::new(iterations)?), salt, output))
}

/// `costs$salt$output`. An output of under 16 bytes could be met by chance.
fn phc_parts(text: &str) -> Option<(&str, Vec<u8>, Vec<u8>)> {
    let mut parts = text.split('$');
    let (costs, salt, output, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let (salt, output) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(output).ok()?);
    ((1..=64).contains(&salt.len()) && (16..=64).contains(&output.len())).then_some((costs, salt, output))
}

/// `a=1,b=2` with exactly these names in this order, as the PHC format demands.
fn numbers<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let mut parts = text.split(',');
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        let digits = parts.next()?.strip_prefix(name)?.strip_prefix('=')?;
        // Without zeros before it, so that a hash has one spelling.
        *value = number(digits).filter(|value| *value == 0 || !digits.starts_with('0'))?;
    }
    parts.next().is_none().then_some(values)
}

/// A decimal number without sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
    const OUTPUT: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI";

    fn parse(costs: &str) -> Option<PasswordHash> {
        PasswordHash::parse(&format!("{costs}${SALT}${OUTPUT}"))
    }

    #[test]
    fn known_forms_are_read_and_kept_as_they_are() {
        for costs in [
            "$argon2id$v=19$m=19456,t=2,p=1",
            "$argon2i$v=19$m=64,t=3,p=4",
            "$argon2d$v=19$m=64,t=3,p=4",
            "$scrypt$ln=17,r=8,p=1",
            "$pbkdf2-sha256$i=600000",
            "$pbkdf2-sha512$i=210000,l=32",
        ] {
            let stored = parse(costs).unwrap_or_else(|| panic!("{costs}"));
            assert_eq!(stored.as_str(), format!("{costs}${SALT}${OUTPUT}"));
        }
        assert!(PasswordHash::parse("$2y$12$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u").is_some());
    }

    #[test]
    fn costs_that_would_harm_the_machine_are_refused() {
        for costs in [
            "$argon2id$v=19$m=1048577,t=1,p=1",
            "$argon2id$v=19$m=1048576,t=5,p=1",
            "$argon2id$v=19$m=4294967295,t=4294967295,p=1",
            "$argon2id$v=19$m=8192,t=1,p=4294967295",
            "$argon2id$v=19$m=7,t=1,p=1",
            "$argon2id$v=19$m=64,t=0,p=1",
            "$scrypt$ln=63,r=8,p=1",
            "$scrypt$ln=20,r=9,p=1",
            "$scrypt$ln=20,r=8,p=3",
            "$scrypt$ln=14,r=0,p=1",
            "$pbkdf2-sha256$i=5000001",
            "$pbkdf2-sha256$i=0",
        ] {
            assert!(parse(costs).is_none(), "{costs}");
        }
        assert!(PasswordHash::parse("$2b$17$L6Bc/AlTQHyd9liGgGEZyOFLPHNgyxeEPfgYfBCVxJ7JIlwxyVU3u").is_none());
    }

    #[test]
    fn other_forms_are_refused() {
        for costs in [
            "$argon2id$v=16$m=64,t=1,p=1",
            "$argon2id$m=64,t=1,p=1",
            "$argon2id$v=19$t=1,m=64,p=1",
            "$argon2id$v=19$m=64,t=1,p=1,keyid=AAAA",
            "$argon2id$v=19$m=+64,t=1,p=1",
            "$argon2id$v=19$m=064,t=1,p=1",
            "$pbkdf2-sha256$i=1000,l=20",
            "$pbkdf2-sha1$i=1000",
            "$2x$12",
            "$6",
            "",
        ] {
            assert!(parse(costs).is_none(), "{costs}");
        }
        assert!(PasswordHash::parse(&format!("$argon2id$v=19$m=64,t=1,p=1${SALT}$AAAA")).is_none());
        assert!(PasswordHash::parse(&format!("$argon2id$v=19$m=64,t=1,p=1$AAAA${OUTPUT}")).is_none());
    }

    #[test]
    fn what_is_weaker_than_now_or_foreign_is_due_for_a_new_hash() {
        let now = Cost::DEFAULT;
        for (costs, due) in [
            ("$argon2id$v=19$m=19456,t=2,p=1", false),
            ("$argon2id$v=19$m=65536,t=3,p=4", false),
            ("$argon2id$v=19$m=19455,t=2,p=1", true),
            ("$argon2id$v=19$m=65536,t=1,p=1", true),
            ("$argon2i$v=19$m=19456,t=2,p=1", true),
            ("$scrypt$ln=17,r=8,p=1", true),
            ("$pbkdf2-sha256$i=600000", true),
        ] {
            assert_eq!(parse(costs).unwrap().needs_rehash(now), due, "{costs}");
        }
    }

    #[test]
    fn a_made_hash_is_read_back_the_same() {
        let made = PasswordHash::argon2id(Cost::DEFAULT, &[7; 16], &[9; 32]);
        let read = PasswordHash::parse(made.as_str()).unwrap();
        assert_eq!((read.salt, read.output), (made.salt, made.output));
        assert!(matches!(read.recipe, Recipe::Argon2(Algorithm::Argon2id, Cost::DEFAULT)));
    }

    proptest! {
        #[test]
        fn hostile_texts_never_panic(
            scheme in "\\$(argon2id\\$v=19|2[aby]|scrypt|pbkdf2-sha256|\\PC{0,8})",
            rest in "(\\$[a-z]{0,2}=?[0-9]{0,12}(,[a-z]{1,2}=[0-9]{0,12}){0,3})?\\PC{0,80}",
        ) {
            if let Some(stored) = PasswordHash::parse(&format!("{scheme}{rest}")) {
                prop_assert!(stored.memory_kib() <= MAX_MEMORY_KIB);
            }
        }
    }
}
