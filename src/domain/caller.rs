//! Who asks, and with what right.

use std::net::IpAddr;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{SessionId, TokenId, UserId};
use crate::domain::session::Dialect;

/// A session this young proves its user as well as the password would.
pub const FRESH_SESSION: Duration = Duration::from_mins(10);

/// From where a request came; recorded with sessions and events. By the default it is this machine
/// itself: the command line, or the server.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The client's address, where there is one.
    pub address: Option<IpAddr>,
    /// The client's name of itself, cut to 256 characters; never trusted.
    pub user_agent: Option<String>,
    /// The dialect that it was asked in, where there is one.
    pub dialect: Option<Dialect>,
}

/// What the caller showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// An access token of a session.
    Session {
        /// The session.
        id: SessionId,
        /// When its user last proved the password.
        began: Timestamp,
        /// The user's credential version that it was issued under.
        version: i64,
    },
    /// An API token.
    ApiToken {
        /// The token's id.
        id: TokenId,
        /// Whether it carries its administrator's power.
        admin: bool,
    },
    /// The command line on the data directory: whoever owns the files may do everything.
    Operator,
}

/// A user, with what of them decides what a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub id: UserId,
    /// Whether they hold the permission `admin` now.
    pub is_admin: bool,
}

/// Who asks for a change, and from where: what an action that changes something is told.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Who, and with what right.
    pub caller: Caller,
    /// From where.
    pub origin: Origin,
}

impl Actor {
    /// The command line.
    #[must_use]
    pub fn operator() -> Self {
        Self { caller: Caller::operator(), origin: Origin::default() }
    }
}

/// A verified caller.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// The user; for the operator there is none.
    principal: Option<Principal>,
    credential: Credential,
}

impl Caller {
    /// A user by a verified credential.
    #[must_use]
    pub const fn user(principal: Principal, credential: Credential) -> Self {
        Self { principal: Some(principal), credential }
    }

    /// The command line.
    #[must_use]
    pub const fn operator() -> Self {
        Self { principal: None, credential: Credential::Operator }
    }

    /// What was shown.
    #[must_use]
    pub const fn credential(&self) -> Credential {
        self.credential
    }

    /// The user who asks.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for the operator, who is no user.
    pub fn require_user(&self) -> Result<UserId> {
        self.principal.map(|principal| principal.id).ok_or(Error::Forbidden("the command line is no user"))
    }

    /// Administrator power: the user holds `admin` now, and the credential carries it.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        match self.credential {
            Credential::Operator => true,
            Credential::Session { .. } => self.holds_admin(),
            Credential::ApiToken { admin, .. } => admin && self.holds_admin(),
        }
    }

    fn holds_admin(&self) -> bool {
        self.principal.is_some_and(|principal| principal.is_admin)
    }

    /// Whether the caller is this user.
    #[must_use]
    pub fn is(&self, id: UserId) -> bool {
        self.principal.is_some_and(|principal| principal.id == id)
    }

    /// Whether the credential is a session begun less than ten minutes ago. Where the clock was set back
    /// since, that is not known of one that begins far ahead.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let is_near = |began: Timestamp| now.since(began).max(began.since(now)) < FRESH_SESSION;
        matches!(self.credential, Credential::Session { began, .. } if is_near(began))
    }

    /// Only a session token changes things outside the iron dialect.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for an API token in another dialect.
    pub fn may_change_in(&self, dialect: Dialect) -> Result<()> {
        match self.credential {
            Credential::ApiToken { .. } if dialect != Dialect::Iron => {
                Err(Error::Forbidden("an API token reads here; changes need a session token"))
            }
            _ => Ok(()),
        }
    }

    /// Requires administrator power.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] without it.
    pub fn require_admin(&self) -> Result<()> {
        if self.is_admin() { Ok(()) } else { Err(Error::Forbidden("this needs an administrator")) }
    }
}
