//! What a mail is about, and for whom. Says nothing in words: that is for the templates.

use std::time::Duration;

use crate::secret::Secret;

/// How long a notice is worth sending.
const NOTICE_LIFETIME: Duration = Duration::from_hours(72);

/// What a mail is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    PasswordReset,
    AddressVerification,
    EmailChange,
    PasswordChanged,
    EmailChanged,
    Test,
}

impl Topic {
    pub(super) const ALL: [Self; 6] = [
        Self::PasswordReset,
        Self::AddressVerification,
        Self::EmailChange,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::Test,
    ];

    /// The name of its templates' files.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::AddressVerification => "address_verification",
            Self::EmailChange => "email_change",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::Test => "test",
        }
    }

    /// Whether it carries a link.
    pub(super) const fn has_link(self) -> bool {
        match self {
            Self::PasswordReset | Self::AddressVerification | Self::EmailChange => true,
            Self::PasswordChanged | Self::EmailChanged | Self::Test => false,
        }
    }
}

/// One mail to one user. Shows nothing of itself in logs.
pub struct Mail {
    pub(super) topic: Topic,
    pub(super) to: String,
    pub(super) link: Option<Secret>,
    lifetime: Duration,
}

impl Mail {
    /// The link with which to choose a new password, good for so long.
    #[must_use]
    pub fn password_reset(to: &str, link: Secret, lifetime: Duration) -> Self {
        Self::with_link(Topic::PasswordReset, to, link, lifetime)
    }

    /// The link that shows the address to be its reader's, good for so long.
    #[must_use]
    pub fn address_verification(to: &str, link: Secret, lifetime: Duration) -> Self {
        Self::with_link(Topic::AddressVerification, to, link, lifetime)
    }

    /// The link that makes this address the user's, good for so long.
    #[must_use]
    pub fn email_change(to: &str, link: Secret, lifetime: Duration) -> Self {
        Self::with_link(Topic::EmailChange, to, link, lifetime)
    }

    /// That the password was changed.
    #[must_use]
    pub fn password_changed(to: &str) -> Self {
        Self::notice(Topic::PasswordChanged, to)
    }

    /// That this is the user's address no more.
    #[must_use]
    pub fn email_changed(to: &str) -> Self {
        Self::notice(Topic::EmailChanged, to)
    }

    /// That mails arrive.
    #[must_use]
    pub fn test(to: &str) -> Self {
        Self::notice(Topic::Test, to)
    }

    /// How long it is worth sending.
    #[must_use]
    pub const fn lifetime(&self) -> Duration {
        self.lifetime
    }

    fn with_link(topic: Topic, to: &str, link: Secret, lifetime: Duration) -> Self {
        Self { topic, to: to.to_owned(), link: Some(link), lifetime }
    }

    fn notice(topic: Topic, to: &str) -> Self {
        Self { topic, to: to.to_owned(), link: None, lifetime: NOTICE_LIFETIME }
    }
}

/// Host and port of a URL.
pub(super) fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}
