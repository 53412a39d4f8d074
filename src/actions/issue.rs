//! Begins sessions and makes their tokens.

use std::time::Duration;

use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::Origin;
use crate::domain::error::{Error, Result};
use crate::domain::id::{SessionId, UserId};
use crate::domain::network::Network;
use crate::domain::session::Dialect;
use crate::domain::user::User;
use crate::guard::jwt::AccessClaims;
use crate::secret::{Secret, unique};
use crate::store::sessions::Standing;
use crate::store::{self, NewSession, Tx};

/// A token and the moment it is over.
pub struct Token {
    /// Its text.
    pub secret: Secret,
    /// When it is over.
    pub expires_at: Timestamp,
}

/// The tokens of a session's present generation.
pub struct Tokens {
    /// The access token.
    pub access: Token,
    /// The refresh token, for the dialects that have one.
    pub refresh: Token,
}

/// What a sign-in gives.
pub struct Issued {
    /// Who signed in.
    pub user: User,
    /// What they go on with.
    pub tokens: Tokens,
}

/// A session in a browser.
pub struct PageSession {
    /// Who signed in.
    pub user: User,
    /// What the browser shows from now on.
    pub cookie: Secret,
}

/// That a user signed in from a network is written down once in this time.
pub(super) const NOTED_EVERY: Duration = Duration::from_hours(24);

fn notes_networks(app: &App) -> bool {
    let throttle = &app.settings().throttle;
    throttle.enabled && !throttle.known_network.is_zero()
}

/// A session that is about to be inserted, with what its tokens need.
#[derive(Clone)]
pub(super) struct Beginning {
    id: SessionId,
    dialect: Dialect,
    now: Timestamp,
    expires_at: Timestamp,
    key_id: i64,
    origin: Origin,
    /// A sign-in from a network that was noted later than this is not noted again; `None` where none is.
    noted: Option<Timestamp>,
}

impl Beginning {
    pub(super) fn new(app: &App, dialect: Dialect, origin: &Origin) -> Self {
        let now = app.now();
        Self {
            id: SessionId::generate(now, App::entropy()),
            dialect,
            now,
            expires_at: now.plus(app.settings().unused_lifetime(dialect)),
            key_id: app.keyring().current_root_id(now),
            origin: origin.clone(),
            noted: notes_networks(app).then(|| now.minus(NOTED_EVERY)),
        }
    }

    /// The session's id.
    pub(super) const fn id(&self) -> SessionId {
        self.id
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
        store::sessions::insert(tx, &new).await?;
        match self.origin.address.zip(self.noted) {
            Some((address, noted)) => {
                store::known_networks::note(tx, user_id, Network::of_client(address), self.now, noted).await
            }
            None => Ok(()),
        }
    }

    /// The session once it is committed. `user` is as that transaction left it.
    pub(super) const fn done(self, user: User) -> Begun {
        Begun { beginning: self, user }
    }
}

/// A session that has begun, and whose it is.
pub(super) struct Begun {
    beginning: Beginning,
    user: User,
}

impl Begun {
    /// The tokens that clients go on with.
    pub(super) fn issue(self, app: &App) -> Result<Issued> {
        let Self { beginning, user } = self;
        let grounds = Grounds {
            session_id: beginning.id,
            user_id: user.id,
            dialect: beginning.dialect,
            created_at: beginning.now,
            expires_at: beginning.expires_at,
            generation: 0,
            key_id: beginning.key_id,
            credential_version: user.credential_version,
        };
        Ok(Issued { tokens: issue(app, &grounds, beginning.now)?, user })
    }

    /// What a browser goes on with.
    pub(super) fn open(self, app: &App) -> Result<PageSession> {
        let Self { beginning, user } = self;
        let cookie = app.keyring().page_session(beginning.id, beginning.key_id);
        let cookie = cookie.ok_or_else(|| missing(beginning.key_id))?;
        Ok(PageSession { user, cookie })
    }
}

/// What tokens are issued on: a live session and its user's credential version.
pub(super) struct Grounds {
    pub(super) session_id: SessionId,
    pub(super) user_id: UserId,
    pub(super) dialect: Dialect,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) generation: i64,
    pub(super) key_id: i64,
    pub(super) credential_version: i64,
}

impl Grounds {
    pub(super) const fn of(session_id: SessionId, standing: &Standing) -> Self {
        Self {
            session_id,
            user_id: standing.user_id,
            dialect: standing.dialect,
            created_at: standing.created_at,
            expires_at: standing.expires_at,
            generation: standing.generation,
            key_id: standing.key_id,
            credential_version: standing.credential_version,
        }
    }
}

/// The tokens of a session's present generation.
pub(super) fn issue(app: &App, grounds: &Grounds, now: Timestamp) -> Result<Tokens> {
    let expires_at = now.plus(app.settings().lifetimes(grounds.dialect).access).min(grounds.expires_at);
    let claims = AccessClaims {
        user_id: grounds.user_id,
        session_id: grounds.session_id,
        dialect: grounds.dialect,
        jti: unique(),
        issued_at: now,
        expires_at,
        auth_time: grounds.created_at,
        credential_version: grounds.credential_version,
    };
    let access = Token { secret: app.keyring().sign(&claims)?.into(), expires_at };
    let refresh = app
        .keyring()
        .refresh_token(grounds.session_id, grounds.generation, grounds.key_id)
        .ok_or_else(|| missing(grounds.key_id))?;
    Ok(Tokens { access, refresh: Token { secret: refresh.into(), expires_at: grounds.expires_at } })
}

fn missing(key_id: i64) -> Error {
    Error::Internal(format!("root key {key_id} is missing"))
}
