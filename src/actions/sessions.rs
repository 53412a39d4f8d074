//! Goes on with sessions, and ends them.

use super::credentials;
use super::issue::{Grounds, Tokens, issue};
use super::users;
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::{Caller, Credential, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::id::SessionId;
use crate::domain::session::Session;
use crate::domain::token::RefreshClaims;
use crate::domain::user::{User, UserRef};
use crate::store::{self, AuditEvent, Tx};

/// What a refresh token turned out to be.
enum Outcome {
    /// It still worked, or had worked a moment ago: what its successors are issued on.
    Fresh(Grounds),
    /// It had been used before: the session is over.
    Reused,
}

/// Trades a refresh token for its successor and a new access token. The one just before gives the
/// same successor again for a short while; any older one ends the session.
///
/// # Errors
///
/// [`Error::BadToken`] where it is forged, over or reused.
pub async fn refresh(app: &App, token: &str, origin: &Origin) -> Result<Tokens> {
    let claims = app.keyring().verify_refresh(token).ok_or(Error::BadToken)?;
    let (now, grace, key_id) = (app.now(), app.settings().sessions.rotation_grace, app.keyring().current_root_id());
    let address = origin.address.map(|address| address.to_string());
    let outcome = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            // One statement for nearly all of them; only one that changed nothing is asked why.
            if let Some(grounds) = advance(tx, &claims, key_id, now).await? {
                return Ok(Outcome::Fresh(grounds));
            }
            let (session, user) = live(tx, claims.session_id, now).await?;
            if is_in_grace(&claims, &session, grace, now) {
                return Ok(Outcome::Fresh(Grounds::of(&session, &user)));
            }
            end_reused(tx, &session, address.as_deref(), now).await?;
            Ok(Outcome::Reused)
        })
        .await?;
    match outcome {
        Outcome::Fresh(grounds) => issue(app, &grounds, now),
        Outcome::Reused => Err(Error::BadToken),
    }
}

/// Takes a live session from the generation that was shown to the next.
async fn advance(tx: &Tx<'_>, shown: &RefreshClaims, key_id: i64, now: Timestamp) -> Result<Option<Grounds>> {
    let advanced = store::sessions::advance(tx, shown.session_id, shown.generation, key_id, now).await?;
    Ok(advanced.map(|advanced| Grounds {
        session_id: shown.session_id,
        user_id: advanced.user_id,
        dialect: advanced.dialect,
        created_at: advanced.created_at,
        expires_at: advanced.expires_at,
        generation: shown.generation + 1,
        key_id,
        credential_version: advanced.credential_version,
    }))
}

async fn live(tx: &Tx<'_>, id: SessionId, now: Timestamp) -> Result<(Session, User)> {
    let session = store::sessions::find(tx, id).await?.filter(|session| session.lives(now)).ok_or(Error::BadToken)?;
    let user = store::users::find(tx, session.user_id).await?.filter(User::is_active).ok_or(Error::BadToken)?;
    Ok((session, user))
}

fn is_in_grace(claims: &RefreshClaims, session: &Session, grace: std::time::Duration, now: Timestamp) -> bool {
    claims.generation + 1 == session.generation && now.since(session.rotated_at) <= grace
}

async fn end_reused(tx: &Tx<'_>, session: &Session, address: Option<&str>, now: Timestamp) -> Result<()> {
    store::sessions::end(tx, session.id, now).await?;
    let subject = session.id.to_string();
    let event = AuditEvent {
        at: now,
        action: "session.reuse_detected",
        user_id: Some(session.user_id),
        subject: &subject,
        address,
    };
    store::audit::insert(tx, &event).await
}

/// Ends the session of a refresh token, whatever its generation.
///
/// # Errors
///
/// [`Error::BadToken`] where it is forged or its session over.
pub async fn sign_out_by_refresh_token(app: &App, token: &str) -> Result<()> {
    let claims = app.keyring().verify_refresh(token).ok_or(Error::BadToken)?;
    let now = app.now();
    app.store()
        .write(async move |tx: &Tx<'_>| {
            live(tx, claims.session_id, now).await?;
            store::sessions::end(tx, claims.session_id, now).await.map(drop)
        })
        .await
}

/// Ends the caller's own session.
///
/// # Errors
///
/// [`Error::Forbidden`] for an API token, which has none.
pub async fn sign_out(app: &App, caller: &Caller) -> Result<()> {
    let Credential::Session { id, .. } = caller.credential() else {
        return Err(Error::Forbidden("an API token has no session to end"));
    };
    end(app, id).await.map(drop)
}

async fn end(app: &App, id: SessionId) -> Result<bool> {
    let now = app.now();
    app.store().write(async move |tx: &Tx<'_>| store::sessions::end(tx, id, now).await).await
}

/// The live sessions of a user, for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no such user.
pub async fn list(app: &App, caller: &Caller, user: &UserRef) -> Result<Vec<Session>> {
    let user = users::get(app, caller, user).await?;
    store::sessions::list_live(&app.store().reads(), user.id, app.now()).await
}

/// Ends one session, for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] where there is none that lives.
pub async fn revoke(app: &App, caller: &Caller, id: SessionId) -> Result<()> {
    caller.require_admin()?;
    if end(app, id).await? { Ok(()) } else { Err(Error::NotFound) }
}

/// Ends all sessions of a user, for an administrator; how many there were.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no such user.
pub async fn revoke_all(app: &App, caller: &Caller, user: &UserRef) -> Result<u64> {
    caller.require_admin()?;
    let user = users::get(app, caller, user).await?;
    let now = app.now();
    credentials::write_as(app, caller, async move |tx: &Tx<'_>| users::end_sessions(tx, user.id, now).await).await
}
