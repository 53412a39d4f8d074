//! Passwords: what was typed, what may be set, and what is kept of it. Pure computation; which
//! thread pays for it, and how many may at once, is the hash gate's business.

mod hashing;
mod stored;

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use crate::domain::common_passwords;
use crate::secret::{ExposeSecret, Secret, same};

pub use hashing::{Workspace, dummy, hash, verify};
pub use stored::{Cost, PasswordHash};

const MIN_CHARACTERS: usize = 8;
const MAX_BYTES: usize = 1_024;

/// Composing leaves more than a quarter of any text, so a longer one can never fit: it is
/// refused before any work that grows with its length.
const MAX_TYPED_BYTES: usize = 4 * MAX_BYTES;

/// A password as typed, in Unicode NFC: the same whichever keyboard composed it.
#[derive(Clone, Debug)]
pub struct Password(Secret);

impl Password {
    /// Reads what was typed. Anything up to 1,024 bytes is a password, the empty text included:
    /// the policy rules what is set, never what is tried.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let too_long = || "must be at most 1,024 bytes".to_owned();
        if text.len() > MAX_TYPED_BYTES {
            return Err(too_long());
        }
        let length = text.nfc().map(char::len_utf8).sum();
        if length > MAX_BYTES {
            return Err(too_long());
        }
        // The exact capacity: a string that grows leaves copies of the secret behind.
        let mut composed = String::with_capacity(length);
        composed.extend(text.nfc());
        Ok(Self(Secret::from(composed)))
    }

    /// Whether nothing was typed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }

    /// Whether both are one password, however each was typed.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        same(self.as_bytes(), other.as_bytes())
    }

    fn as_str(&self) -> &str {
        self.0.expose_secret()
    }

    fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }
}

/// A password that the policy allows to be set.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    /// Holds a password against the policy; `logins` are the names that its user signs in with.
    ///
    /// # Errors
    ///
    /// A sentence that says how to mend it.
    pub fn parse(password: Password, logins: &[&str]) -> Result<Self, String> {
        let text = password.as_str();
        if text.chars().count() < MIN_CHARACTERS {
            return Err(format!("must be at least {MIN_CHARACTERS} characters"));
        }
        let folded = Zeroizing::new(text.to_lowercase());
        if logins.iter().any(|login| folded.nfc().eq(login.nfc().collect::<String>().to_lowercase().nfc())) {
            return Err("must not be the login name".to_owned());
        }
        if common_passwords::is_common(text) {
            return Err("is among the most common passwords; choose another".to_owned());
        }
        Ok(Self(password))
    }

    /// A password that the operator insists on, whatever the policy says
    /// (`super_user.allow_weak`).
    #[must_use]
    pub const fn without_policy(password: Password) -> Self {
        Self(password)
    }

    /// The password itself.
    #[must_use]
    pub const fn password(&self) -> &Password {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn new(text: &str, logins: &[&str]) -> Result<(), String> {
        NewPassword::parse(Password::parse(text)?, logins).map(drop)
    }

    #[test]
    fn composed_and_decomposed_spellings_are_one_password() {
        let composed = Password::parse("caf\u{e9} noir").unwrap();
        let decomposed = Password::parse("cafe\u{301} noir").unwrap();
        assert_eq!(composed.as_bytes(), decomposed.as_bytes());
    }

    #[test]
    fn length_is_measured_in_bytes_after_composition() {
        assert!(Password::parse("").is_ok());
        assert!(Password::parse(&"x".repeat(1_024)).is_ok());
        assert!(Password::parse(&"x".repeat(1_025)).is_err());
        assert!(Password::parse(&"e\u{301}".repeat(512)).is_ok());
        assert!(Password::parse(&"e\u{301}".repeat(513)).is_err());
        assert!(Password::parse(&"x".repeat(1_000_000)).is_err());
    }

    #[test]
    fn eight_characters_are_counted_after_composition() {
        assert!(new("ö7ßq-Жx", &[]).is_err());
        assert!(new("e\u{301}7ßq-Жx", &[]).is_err());
        assert!(new("ö7ßq-Жx!", &[]).is_ok());
    }

    #[test]
    fn a_password_is_not_the_login_name_in_any_letter_case() {
        let logins = ["Ann.Lee@Example.com", "Jo\u{308}rgensen"];
        assert!(new("ann.lee@example.COM", &logins).is_err());
        assert!(new("J\u{d6}RGENSEN", &logins).is_err());
        assert!(new("ann.lee@example.com!", &logins).is_ok());
    }

    #[test]
    fn common_passwords_are_refused_in_any_letter_case() {
        for text in ["password1", "PassWord1", "iloveyou", "12345678", "football1"] {
            assert!(new(text, &[]).is_err(), "{text}");
        }
    }

    #[test]
    fn refusals_hold_nothing_of_the_password_and_logs_neither() {
        let password = Password::parse("correct horse battery").unwrap();
        assert!(!format!("{password:?}").contains("horse"));
        assert!(!new("iloveyou", &[]).unwrap_err().contains("iloveyou"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_reading_is_stable(text in "\\PC{0,400}") {
            if let Ok(password) = Password::parse(&text) {
                let again = Password::parse(password.as_str()).unwrap();
                prop_assert_eq!(again.as_bytes(), password.as_bytes());
            }
        }
    }
}
