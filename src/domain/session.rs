//! Sessions: one row each, from sign-in to sign-out.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::id::{SessionId, UserId};

/// Where a session begins, and where it was asked for something: a wire dialect, or the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// IronAuth.
    Iron,
    /// Authentication API v1.0.0.
    Rest,
    /// `x-access-token`.
    XAccessToken,
    /// The Argon panel.
    Argon,
    /// The server's own pages, in a browser.
    Pages,
}

impl Dialect {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 5] = [Self::Iron, Self::Rest, Self::XAccessToken, Self::Argon, Self::Pages];

    /// Those that clients of other servers speak, which come first.
    pub const WIRE: usize = 4;

    /// The name in settings, tokens (`client_id`) and tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Iron => "iron",
            Self::Rest => "rest",
            Self::XAccessToken => "x_access_token",
            Self::Argon => "argon",
            Self::Pages => "pages",
        }
    }

    /// Reads a name that [`Dialect::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == text)
    }
}

/// How long the credentials of one dialect live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// Of an access token.
    pub access: Duration,
    /// Of the session itself, and so of its refresh tokens.
    pub session: Duration,
}

/// A session as the store keeps it.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id; access tokens carry it as `sid`.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Where it began.
    pub dialect: Dialect,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub last_used_at: Timestamp,
    /// When it is over whatever happens.
    pub expires_at: Timestamp,
    /// How often it was refreshed.
    pub generation: i64,
    /// The root key that the current generation's refresh token is made with.
    pub key_id: i64,
    /// When the current generation began.
    pub rotated_at: Timestamp,
    /// When it was ended, if it was.
    pub ended_at: Option<Timestamp>,
    /// The client's address at its start.
    pub address: Option<String>,
    /// The client's name of itself at its start.
    pub user_agent: Option<String>,
}
