//! Begins sessions and makes their tokens.

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::Origin;
use crate::domain::error::{Error, Result};
use crate::domain::id::{SessionId, UserId};
use crate::domain::session::{Dialect, Session};
use crate::domain::user::User;
use crate::guard::jwt::AccessClaims;
use crate::secret::{Secret, random};
use crate::store::{self, NewSession, Tx};

/// A token and the moment it is over.
pub struct Token {
    /// Its text.
    pub secret: Secret,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// What a sign-in gives.
pub struct Issued {
    /// Who signed in.
    pub user: User,
    /// The access token.
    pub access: Token,
    /// The refresh token, for the dialects that have one.
    pub refresh: Token,
}

/// A session that is about to be inserted, with what its tokens need.
pub(super) struct Beginning {
    id: SessionId,
    dialect: Dialect,
    now: Timestamp,
    expires_at: Timestamp,
    key_id: i64,
    origin: Origin,
}

impl Beginning {
    pub(super) fn new(app: &App, dialect: Dialect, origin: &Origin) -> Self {
        let now = app.now();
        Self {
            id: SessionId::generate(now, App::entropy()),
            dialect,
            now,
            expires_at: now.plus(app.settings().lifetimes(dialect).session),
            key_id: app.keyring().current_root_id(),
            origin: origin.clone(),
        }
    }

    pub(super) async fn insert(&self, tx: &Tx<'_>, user_id: UserId) -> Result<()> {
        let address = self.origin.address.map(|address| address.to_string());
        let new = NewSession {
            id: self.id,
            user_id,
            dialect: self.dialect,
            created_at: self.now,
            expires_at: self.expires_at,
            key_id: self.key_id,
            address: address.as_deref(),
            user_agent: self.origin.user_agent.as_deref(),
        };
        store::sessions::insert(tx, &new).await
    }

    /// The tokens, once the session is committed. `user` is as that transaction left it.
    pub(super) fn issue(self, app: &App, user: User) -> Result<Issued> {
        let session = Session {
            id: self.id,
            user_id: user.id,
            dialect: self.dialect,
            created_at: self.now,
            last_used_at: self.now,
            expires_at: self.expires_at,
            generation: 0,
            key_id: self.key_id,
            rotated_at: self.now,
            ended_at: None,
            address: None,
            user_agent: None,
        };
        issue(app, &session, user, self.now)
    }
}

/// The tokens of a session's present generation.
pub(super) fn issue(app: &App, session: &Session, user: User, now: Timestamp) -> Result<Issued> {
    let expires_at = now.plus(app.settings().lifetimes(session.dialect).access).min(session.expires_at);
    let claims = AccessClaims {
        user_id: user.id,
        session_id: session.id,
        dialect: session.dialect,
        jti: random(),
        issued_at: now,
        expires_at,
        auth_time: session.created_at,
        credential_version: user.credential_version,
    };
    let access = Token { secret: app.keyring().sign(&claims)?.into(), expires_at };
    let refresh = app
        .keyring()
        .refresh_token(session.id, session.generation, session.key_id)
        .ok_or_else(|| Error::Internal(format!("root key {} is missing", session.key_id)))?;
    Ok(Issued { user, access, refresh: Token { secret: refresh.into(), expires_at: session.expires_at } })
}
