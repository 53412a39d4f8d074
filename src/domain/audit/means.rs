//! By what right something is done, and to what.

use crate::domain::caller::Credential;
use crate::domain::id::{ProjectId, SessionId, TokenId, UserId};

/// What somebody showed to be let do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Means {
    /// Nothing, or nothing that counted.
    Nothing,
    /// The password.
    Password,
    /// An access token of this session.
    Session(SessionId),
    /// A refresh token of this session.
    RefreshToken(SessionId),
    /// This API token.
    ApiToken(TokenId),
    /// A secret from a reset link.
    ResetSecret,
    /// The command line: whoever owns the files may do everything.
    Operator,
}

impl Means {
    /// The word that is kept and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "none",
            Self::Password => "password",
            Self::Session(_) => "session",
            Self::RefreshToken(_) => "refresh_token",
            Self::ApiToken(_) => "api_token",
            Self::ResetSecret => "reset_secret",
            Self::Operator => "operator",
        }
    }

    /// The id of the session or token.
    #[must_use]
    pub const fn id(&self) -> Option<&[u8]> {
        match self {
            Self::Session(id) | Self::RefreshToken(id) => Some(id.as_bytes()),
            Self::ApiToken(id) => Some(id.as_bytes()),
            Self::Nothing | Self::Password | Self::ResetSecret | Self::Operator => None,
        }
    }
}

impl From<Credential> for Means {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Session { id, .. } => Self::Session(id),
            Credential::ApiToken { id, .. } => Self::ApiToken(id),
            Credential::Operator => Self::Operator,
        }
    }
}

/// What something was done to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A user.
    User(UserId),
    /// A session.
    Session(SessionId),
    /// An API token.
    Token(TokenId),
    /// A project.
    Project(ProjectId),
}

impl Subject {
    /// The word that is kept and shown.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Session(_) => "session",
            Self::Token(_) => "token",
            Self::Project(_) => "project",
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &[u8] {
        match self {
            Self::User(id) => id.as_bytes(),
            Self::Session(id) => id.as_bytes(),
            Self::Token(id) => id.as_bytes(),
            Self::Project(id) => id.as_bytes(),
        }
    }
}

macro_rules! subjects {
    ($($id:ty: $variant:ident),*) => {$(
        impl From<$id> for Subject {
            fn from(id: $id) -> Self {
                Self::$variant(id)
            }
        }
    )*};
}

subjects!(UserId: User, SessionId: Session, TokenId: Token, ProjectId: Project);
