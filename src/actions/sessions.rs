//! Goes on with sessions, and ends them.

use std::time::Duration;

use super::credentials;
use super::issue::{Grounds, Tokens, issue};
use super::users;
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event, Means, Reason};
use crate::domain::caller::{Actor, Caller, Credential, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::id::{ID_BYTES, SessionId};
use crate::domain::session::Session;
use crate::domain::token::RefreshClaims;
use crate::domain::user::{Status, UserRef};
use crate::guard::jwt::LEEWAY;
use crate::store::sessions::Standing;
use crate::store::{self, Tx};

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
    let event = origin.event(Action::SessionRefreshed);
    let Some(claims) = app.keyring().verify_refresh(token) else {
        return app.audit().note(&event, Err(Error::BadToken));
    };
    let event = event.about(claims.session_id);
    let (now, grace) = (app.now(), app.settings().sessions.rotation_grace);
    let key_id = app.keyring().current_root_id(now);
    let reused = origin.event(Action::SessionReused).shown(Means::RefreshToken(claims.session_id));
    let outcome = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let mut standing = live(tx, claims.session_id, now).await?.ok_or(Error::BadToken)?;
            if claims.generation == standing.generation {
                if !store::sessions::advance(tx, claims.session_id, claims.generation, key_id, now).await? {
                    return Err(Error::Internal("a session changed beside its transaction".to_owned()));
                }
                (standing.generation, standing.key_id) = (claims.generation + 1, key_id);
            } else if !is_in_grace(&claims, &standing, grace, now) {
                store::sessions::end(tx, claims.session_id, now).await?;
                let reused = reused.about(claims.session_id).of(standing.user_id);
                tx.audit(reused.refused(Reason::Reused));
                return Ok(Outcome::Reused);
            }
            Ok(Outcome::Fresh(Grounds::of(claims.session_id, &standing)))
        })
        .await;
    match app.audit().note(&event, outcome)? {
        Outcome::Fresh(grounds) => issue(app, &grounds, now),
        Outcome::Reused => Err(Error::BadToken),
    }
}

/// What a session stands on that is not over, of a user who may sign in.
pub(super) async fn live(tx: &Tx<'_>, id: SessionId, now: Timestamp) -> Result<Option<Standing>> {
    let standing = store::sessions::find_standing(tx, id).await?;
    let lives = |it: &Standing| it.ended_at.is_none() && now < it.expires_at && it.status == Status::Active;
    Ok(standing.filter(lives))
}

/// A clock that was set back shows an earlier moment than that of the rotation. Within the leeway the
/// grace goes on, and beyond it there is none: it must not last until the clock has caught up.
fn is_in_grace(claims: &RefreshClaims, standing: &Standing, grace: Duration, now: Timestamp) -> bool {
    let (since, until) = (now.since(standing.rotated_at), standing.rotated_at.since(now));
    claims.generation + 1 == standing.generation && since <= grace && until <= grace + LEEWAY
}

/// Ends the session of a refresh token, whatever its generation.
///
/// # Errors
///
/// [`Error::BadToken`] where it is forged or its session over.
pub async fn sign_out_by_refresh_token(app: &App, token: &str, origin: &Origin) -> Result<()> {
    let event = origin.event(Action::SignOut);
    let Some(claims) = app.keyring().verify_refresh(token) else {
        return app.audit().note(&event, Err(Error::BadToken));
    };
    let event = event.about(claims.session_id).shown(Means::RefreshToken(claims.session_id));
    let (ending, now) = (event.clone(), app.now());
    let ended = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let standing = live(tx, claims.session_id, now).await?.ok_or(Error::BadToken)?;
            tx.audit(ending.clone().by(standing.user_id, ending.means));
            store::sessions::end(tx, claims.session_id, now).await.map(drop)
        })
        .await;
    app.audit().note(&event, ended)
}

/// Ends the caller's own session.
///
/// # Errors
///
/// [`Error::Forbidden`] for an API token, which has none.
pub async fn sign_out(app: &App, actor: &Actor) -> Result<()> {
    let event = actor.event(Action::SignOut);
    let Credential::Session { id, .. } = actor.caller.credential() else {
        return app.audit().note(&event, Err(Error::Forbidden("an API token has no session to end")));
    };
    end(app, id, event).await.map(drop)
}

async fn end(app: &App, id: SessionId, event: Event) -> Result<bool> {
    let now = app.now();
    app.store()
        .write(async move |tx: &Tx<'_>| {
            let session = store::sessions::find(tx.unheld(), id).await?;
            let ended = store::sessions::end(tx, id, now).await?;
            if let Some(session) = session.filter(|_| ended) {
                tx.audit(event.about(id).of(session.user_id));
            }
            Ok(ended)
        })
        .await
}

/// Ends one of the caller's own sessions, be it the one that asks.
///
/// # Errors
///
/// [`Error::NotFound`] where the caller has no such session that lives.
pub async fn end_own(app: &App, actor: &Actor, id: SessionId) -> Result<()> {
    let event = actor.event(Action::SignOut).about(id);
    app.audit().note(&event, end_mine(app, actor, event.clone(), id).await)
}

async fn end_mine(app: &App, actor: &Actor, event: Event, id: SessionId) -> Result<()> {
    let (user, now) = (actor.caller.require_user()?, app.now());
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        let session = store::sessions::find(tx.unheld(), id).await?;
        let is_mine = session.is_some_and(|session| session.user_id == user && now < session.expires_at);
        if !is_mine || !store::sessions::end(tx, id, now).await? {
            return Err(Error::NotFound);
        }
        tx.audit(event);
        Ok(())
    })
    .await
}

/// Ends all of the caller's own sessions but the one that asks; how many of them were alive. An API
/// token has no session: all end.
///
/// # Errors
///
/// [`Error::Forbidden`] for the operator, who is no user.
pub async fn end_others(app: &App, actor: &Actor) -> Result<u64> {
    let event = actor.event(Action::OtherSessionsEnded);
    app.audit().note(&event, end_all_others(app, actor, &event).await)
}

async fn end_all_others(app: &App, actor: &Actor, event: &Event) -> Result<u64> {
    let user = actor.caller.require_user()?;
    let (mut after, mut count) = (SessionId::from_bytes([0; ID_BYTES]), 0);
    loop {
        let (ended, last) = end_some(app, actor, event.clone().about_user(user), after).await?;
        count += ended;
        match last {
            Some(last) => after = last,
            None => return Ok(count),
        }
    }
}

/// Ends some of the sessions behind `after`: how many of them were alive, and the last one where there
/// may be more. One by one: what ends user-wide would end the caller's too.
async fn end_some(app: &App, actor: &Actor, event: Event, after: SessionId) -> Result<(u64, Option<SessionId>)> {
    let (user, now) = (actor.caller.require_user()?, app.now());
    let credential = actor.caller.credential();
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        let found = store::sessions::list_unended(tx.unheld(), user, after).await?;
        let is_mine = |session| matches!(credential, Credential::Session { id, .. } if id == session);
        let mut count = 0;
        for (id, expires_at) in found.iter().filter(|(id, _)| !is_mine(*id)) {
            if store::sessions::end(tx, *id, now).await? && now < *expires_at {
                count += 1;
            }
        }
        if count > 0 {
            // Whoever began those may not have been the user.
            store::known_networks::delete_of_user(tx, user).await?;
            tx.audit(event);
        }
        let is_full = found.len() == store::sessions::UNENDED_AT_ONCE;
        Ok((count, found.last().filter(|_| is_full).map(|(id, _)| *id)))
    })
    .await
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
pub async fn revoke(app: &App, actor: &Actor, id: SessionId) -> Result<()> {
    let event = actor.event(Action::SessionEnded).about(id);
    app.audit().note(&event, revoke_one(app, actor, &event, id).await)
}

async fn revoke_one(app: &App, actor: &Actor, event: &Event, id: SessionId) -> Result<()> {
    actor.caller.require_admin()?;
    if end(app, id, event.clone()).await? { Ok(()) } else { Err(Error::NotFound) }
}

/// Ends all sessions of a user, for an administrator; how many there were.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no such user.
pub async fn revoke_all(app: &App, actor: &Actor, user: &UserRef) -> Result<u64> {
    let event = actor.event(Action::UserSessionsEnded).about_named(user);
    app.audit().note(&event, revoke_every(app, actor, &event, user).await)
}

async fn revoke_every(app: &App, actor: &Actor, event: &Event, user: &UserRef) -> Result<u64> {
    actor.caller.require_admin()?;
    let user = users::get(app, &actor.caller, user).await?;
    let (event, now) = (event.clone().about_user(user.id), app.now());
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        tx.audit(event);
        users::end_sessions(tx, user.id, now).await
    })
    .await
}
