//! Users and what names them. Every text that names a user has its own type, whose `parse` is
//! the only door; each keeps what was typed beside the canonical form that look-ups use.

use email_address::EmailAddress;
use precis_profiles::UsernameCaseMapped;
use precis_profiles::precis_core::profile::PrecisFastInvocation;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization;

use crate::clock::Timestamp;
use crate::domain::id::{self, UserId};
use crate::domain::permission::Permissions;

const USERNAME_MAX_CHARACTERS: usize = 128;
const EMAIL_MAX_BYTES: usize = 254;
const NAME_MAX_CHARACTERS: usize = 100;
const BIO_MAX_CHARACTERS: usize = 2_000;

/// An email address: as typed for mail, and its canonical form for look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    typed: String,
    canonical: String,
}

impl Email {
    /// Reads one bare address (RFC 5321 shape, no display name, no comment).
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fault = || "must be one email address, such as ann@example.com".to_owned();
        if text.len() > EMAIL_MAX_BYTES
            || text.chars().any(|c| c.is_control() || c.is_whitespace() || is_bidi_control(c))
        {
            return Err(fault());
        }
        let composed: String = text.nfc().collect();
        let (local, domain) = composed.rsplit_once('@').ok_or_else(fault)?;
        if !EmailAddress::is_valid(&composed) || local.starts_with('"') || domain.starts_with('[') {
            return Err(fault());
        }
        let domain = idna::domain_to_ascii_strict(&domain.to_lowercase()).map_err(|_| fault())?;
        let local: String = local.to_lowercase().nfc().collect();
        let canonical = format!("{local}@{domain}");
        // Such as the capital I with a dot, of which lower case makes two characters: nobody could type it so.
        if !EmailAddress::is_valid(&canonical) {
            return Err(fault());
        }
        Ok(Self { typed: text.to_owned(), canonical })
    }

    /// The address as typed: where mail goes.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// NFC, lower case, the domain as IDNA A-labels: what look-ups compare.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What the canonical form of an address that begins with `text` begins with. Of a domain that is not
    /// written in ASCII that is known only once it is whole.
    #[must_use]
    pub fn beginning(text: &str) -> String {
        Self::parse(text)
            .map_or_else(|_| text.nfc().collect::<String>().to_lowercase().nfc().collect(), |it| it.canonical)
    }
}

/// A username: as typed for display, and its canonical form for look-ups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    typed: String,
    canonical: String,
}

impl Username {
    /// Reads a username: 1 to 128 characters, no `@`, no control or bidi characters, no id.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let characters = text.chars().count();
        if characters == 0 || characters > USERNAME_MAX_CHARACTERS {
            return Err(format!("must be 1 to {USERNAME_MAX_CHARACTERS} characters"));
        }
        let canonical = canonical_username(text);
        // A form that is no name itself could not be typed: some characters become a space and another one.
        for form in [text, &canonical] {
            if form.trim() != form {
                return Err("must not begin or end with a space".to_owned());
            }
            if form.contains('@') {
                return Err("must not contain @".to_owned());
            }
            if form.chars().any(|c| c.is_control() || is_bidi_control(c)) {
                return Err("must not contain control characters".to_owned());
            }
            if id::looks_like_id(form) {
                return Err("must not look like an identifier".to_owned());
            }
        }
        if canonical.trim().is_empty() {
            return Err("must contain a visible character".to_owned());
        }
        Ok(Self { typed: text.to_owned(), canonical })
    }

    /// The username as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.typed
    }

    /// What look-ups compare.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// What the canonical form of a username that begins with `text` begins with.
    #[must_use]
    pub fn beginning(text: &str) -> String {
        canonical_username(text)
    }
}

/// PRECIS `UsernameCaseMapped` (RFC 8265) where it applies, else NFKC and lower case.
fn canonical_username(text: &str) -> String {
    UsernameCaseMapped::enforce(text)
        .map_or_else(|_| text.nfkc().collect::<String>().to_lowercase().nfkc().collect(), std::borrow::Cow::into_owned)
}

fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// What a person types to sign in: an email where it holds an `@`, else a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginName {
    /// Looked up among emails only.
    Email(Email),
    /// Looked up among usernames only: a username never contains an `@`.
    Username(Username),
    /// Nobody can have this name; it is looked up nowhere and costs the same work.
    Nobody,
}

impl LoginName {
    /// Reads what was typed. Never fails: a text that can name nobody is [`LoginName::Nobody`].
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.contains('@') {
            Email::parse(text).map_or(Self::Nobody, Self::Email)
        } else {
            Username::parse(text).map_or(Self::Nobody, Self::Username)
        }
    }

    /// Reads an email only, for the dialects that ask for one.
    #[must_use]
    pub fn parse_email(text: &str) -> Self {
        Email::parse(text).map_or(Self::Nobody, Self::Email)
    }
}

/// How an endpoint names a user: by id or by login name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserRef {
    /// By id, in either spelling.
    Id(UserId),
    /// By email or username.
    Login(LoginName),
}

impl UserRef {
    /// Reads an id in either spelling, else a login name.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        UserId::parse(text).map_or_else(|| Self::Login(LoginName::parse(text)), Self::Id)
    }
}

/// A display name, 1 to 100 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayName(String);

impl DisplayName {
    /// Reads a display name.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let characters = text.chars().count();
        if characters == 0 || characters > NAME_MAX_CHARACTERS || text.trim().is_empty() {
            return Err("must be one to a hundred characters".to_owned());
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Free text about oneself, up to 2,000 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bio(String);

impl Bio {
    /// Reads a text about oneself.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.chars().count() > BIO_MAX_CHARACTERS {
            return Err("must be at most two thousand characters".to_owned());
        }
        if text.contains('\0') {
            return Err("must not contain a NUL character".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The text as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a user may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// May sign in.
    Active,
    /// May not; sessions are over, API tokens rest.
    Disabled,
}

impl Status {
    /// Reads `active` or `disabled`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            _ => Err("must be active or disabled".to_owned()),
        }
    }

    /// `active` or `disabled`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// A JSON object that clients store and read back.
pub type JsonObject = Map<String, Value>;

/// A user without the password: what caches hold and answers show.
#[derive(Clone, Debug)]
pub struct User {
    /// The id; never used again after deletion.
    pub id: UserId,
    /// The address as typed.
    pub email: Option<String>,
    /// The username as typed.
    pub username: Option<String>,
    /// The display name.
    pub name: Option<String>,
    /// Free text.
    pub bio: Option<String>,
    /// Whether the user may sign in.
    pub status: Status,
    /// What the user may do.
    pub permissions: Permissions,
    /// Free-form JSON that iron clients store.
    pub flags: JsonObject,
    /// Free-form JSON that iron clients store.
    pub plan_worker: JsonObject,
    /// Raised whenever all sessions of the user end; access tokens carry it.
    pub credential_version: i64,
    /// When the address was proven, if it was.
    pub email_verified_at: Option<Timestamp>,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
}

impl User {
    /// Email and username as parsed values.
    #[must_use]
    pub fn names(&self) -> (Option<Email>, Option<Username>) {
        let email = self.email.as_deref().and_then(|email| Email::parse(email).ok());
        let username = self.username.as_deref().and_then(|username| Username::parse(username).ok());
        (email, username)
    }

    /// Whether the user holds `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.permissions.is_admin()
    }

    /// Whether the user may sign in.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status == Status::Active
    }

    /// The username, else the email: what a panel greets with.
    #[must_use]
    pub fn login(&self) -> &str {
        self.username.as_deref().or(self.email.as_deref()).unwrap_or_default()
    }

    /// The display name, else the username, else the email.
    #[must_use]
    pub fn shown_name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.login())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_email_is_looked_up_by_its_canonical_form() {
        let email = Email::parse("Ann.Lee@Bücher.Example").unwrap();
        assert_eq!(email.as_str(), "Ann.Lee@Bücher.Example");
        assert_eq!(email.canonical(), "ann.lee@xn--bcher-kva.example");
        let decomposed = Email::parse("rene\u{301}@example.com").unwrap();
        assert_eq!(decomposed.canonical(), Email::parse("REN\u{c9}@example.com").unwrap().canonical());
    }

    #[test]
    fn what_is_not_one_bare_address_is_refused() {
        for text in [
            "",
            "ann",
            "@example.com",
            "ann@",
            "ann@example.com,bob@example.com",
            "\u{130}nst@example.com",
            "Ann <ann@example.com>",
            "ann@example.com\r\nBcc: x@y.z",
            "ann@exa mple.com",
            "ann@[127.0.0.1]",
            "\"a b\"@example.com",
            "ann\u{202e}@example.com",
            "a@b@c",
        ] {
            assert!(Email::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn usernames_that_look_alike_by_case_and_width_are_the_same() {
        let canonical = |text: &str| Username::parse(text).unwrap().canonical().to_owned();
        assert_eq!(canonical("Ann"), canonical("ann"));
        assert_eq!(canonical("ａｎｎ"), canonical("ann"));
        assert_eq!(canonical("Ann Lee"), canonical("ann lee"));
    }

    #[test]
    fn a_username_is_never_an_address_an_id_or_invisible() {
        for text in [
            "",
            "a@b",
            "a＠b",
            "0123456789abcdef01234567",
            "01234567-89ab-40cd-80ef-012345670000",
            " ann",
            "\u{1fbf}ann",
            "ann\u{202e}",
            "\u{200b}",
            "a\nb",
            &"x".repeat(129),
        ] {
            assert!(Username::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn what_a_name_begins_with_is_known_in_its_canonical_form() {
        for (name, beginning) in [
            ("Ann.Lee@Example.com", "ANN.L"),
            ("ann@example.com", "Ann@Exa"),
            ("ann@bücher.example", "ann@Bücher.example"),
            ("rene\u{301}@example.com", "REN\u{c9}"),
        ] {
            let canonical = Email::parse(name).unwrap().canonical().to_owned();
            assert!(canonical.starts_with(&Email::beginning(beginning)), "{name}");
        }
        for (name, beginning) in [("Ann Lee", "ann"), ("Ann Lee", "ANN L"), ("ａｎｎ", "An")] {
            let canonical = Username::parse(name).unwrap().canonical().to_owned();
            assert!(canonical.starts_with(&Username::beginning(beginning)), "{name}");
        }
    }

    proptest! {
        #[test]
        fn parsers_of_names_never_panic_and_canonical_forms_are_stable(text in "\\PC{0,140}") {
            if let Ok(name) = Username::parse(&text)
                && let Ok(again) = Username::parse(name.canonical())
            {
                prop_assert_eq!(again.canonical(), name.canonical());
            }
            if let Ok(email) = Email::parse(&text)
                && let Ok(again) = Email::parse(email.canonical())
            {
                prop_assert_eq!(again.canonical(), email.canonical());
            }
            let _ = UserRef::parse(&text);
        }
    }
}
