//! Sessions in browsers: a cookie instead of tokens, over sooner where nobody is there, and replaced by a new one
//! whenever somebody proves who they are.

use std::time::Duration;

use super::account::{self, ChangeProfile};
pub use super::issue::PageSession;
use super::issue::{Beginning, Begun};
use super::sign_in::{self, SignIn, check_current_password};
use super::sign_up::{self, SignUp};
use super::{credentials, sessions};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::caller::{Actor, Caller, Credential, Origin, Principal};
use crate::domain::error::{Error, Result};
use crate::domain::id::SessionId;
use crate::domain::password::Password;
use crate::domain::session::{Dialect, Session};
use crate::domain::user::{LoginName, User};
use crate::secret::same;
use crate::store::{self, Tx};

/// That a session is in use is written down once in this time, or in an eighth of that for which it may rest.
const NOTED_EVERY: Duration = Duration::from_mins(1);

/// Signs in by a password; a session that this browser had is over.
///
/// # Errors
///
/// Those of [`sign_in::sign_in`].
pub async fn sign_in(
    app: &App,
    login: LoginName,
    password: Password,
    origin: &Origin,
    before: Option<&Actor>,
) -> Result<PageSession> {
    let input = SignIn { login, password, dialect: Dialect::Pages };
    let session = sign_in::begin_session(app, input, origin).await?.open(app)?;
    leave(app, before).await;
    Ok(session)
}

/// Registers a user, and signs them in; a session that this browser had is over.
///
/// # Errors
///
/// Those of [`sign_up::sign_up`].
pub async fn sign_up(app: &App, input: SignUp, origin: &Origin, before: Option<&Actor>) -> Result<PageSession> {
    let input = SignUp { dialect: Dialect::Pages, ..input };
    let session = sign_up::begin_session(app, input, origin).await?.open(app)?;
    leave(app, before).await;
    Ok(session)
}

/// Ends the session of before. The new one is there already: that the old one cannot be ended must not cost it.
async fn leave(app: &App, before: Option<&Actor>) {
    let Some(actor) = before else { return };
    if let Err(error) = sessions::sign_out(app, actor).await {
        tracing::warn!(%error, "the session before a sign-in could not be ended");
    }
}

/// Proves once more who is there: a new session, which is fresh, in place of the caller's.
///
/// # Errors
///
/// [`Error::WrongCurrentPassword`], [`Error::TooMany`], [`Error::Unauthenticated`] where the session ended meanwhile.
pub async fn prove(app: &App, actor: &Actor, password: Password) -> Result<PageSession> {
    let event = actor.event(Action::SessionBegan);
    app.audit().note(&event, renew(app, actor, password).await)?.open(app)
}

async fn renew(app: &App, actor: &Actor, password: Password) -> Result<Begun> {
    let user = credentials::user(app, &actor.caller).await?;
    let before = session_of(actor)?;
    check_current_password(app, &user, password, &actor.origin).await?;
    let beginning = Beginning::new(app, Dialect::Pages, &actor.origin);
    let (id, now) = (user.id, app.now());
    let event = actor.event(Action::SessionBegan).about(beginning.id());
    let (beginning, user) = credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        beginning.insert(tx, id).await?;
        store::sessions::end(tx, before, now).await?;
        tx.audit(event);
        Ok((beginning, super::users::reread(tx, id).await?))
    })
    .await?;
    Ok(beginning.done(user))
}

fn session_of(actor: &Actor) -> Result<SessionId> {
    match actor.caller.credential() {
        Credential::Session { id, .. } => Ok(id),
        Credential::ApiToken { .. } | Credential::Operator => Err(Error::Forbidden("this needs a session")),
    }
}

/// Sets another password of the caller's: every session ends, and a new one begins here.
///
/// # Errors
///
/// [`Error::WrongCurrentPassword`], [`Error::TooMany`], or a password that the policy refuses.
pub async fn change_password(app: &App, actor: &Actor, new: Password, current: Password) -> Result<PageSession> {
    let input = ChangeProfile { new_username: None, new_password: Some((new, current)), password_field: "password" };
    let changed = account::change_own(app, actor, input, Dialect::Pages).await?;
    changed.begun.ok_or_else(|| Error::Internal("a changed password began no session".to_owned()))?.open(app)
}

/// Somebody who comes back with a session.
pub struct Resumed {
    /// Who asks, and from where.
    pub actor: Actor,
    /// The user as the store has them now.
    pub user: User,
    /// The session.
    pub session: Session,
}

/// Who shows this cookie; nobody where it is forged, or its session is over.
///
/// # Errors
///
/// That the store cannot answer.
pub async fn resume(app: &App, cookie: &str, origin: Origin) -> Result<Option<Resumed>> {
    let Some(id) = app.keyring().verify_page_session(cookie) else { return Ok(None) };
    let (reads, now) = (app.store().reads(), app.now());
    let Some(session) = store::sessions::find(&reads, id).await? else { return Ok(None) };
    if session.ended_at.is_some() || now >= session.expires_at || session.dialect != Dialect::Pages {
        return Ok(None);
    }
    let user = store::users::find(&reads, session.user_id).await?.filter(User::is_active);
    let Some(user) = user else { return Ok(None) };
    go_on(app, &session).await?;
    let principal = Principal { id: user.id, is_admin: user.is_admin() };
    let credential = Credential::Session { id, began: session.created_at, version: user.credential_version };
    Ok(Some(Resumed { actor: Actor { caller: Caller::user(principal, credential), origin }, user, session }))
}

/// A session that is used goes on, until it is over whatever happens.
async fn go_on(app: &App, session: &Session) -> Result<()> {
    let (id, now, pages) = (session.id, app.now(), &app.settings().pages);
    if now.since(session.last_used_at) < NOTED_EVERY.min(pages.idle_lifetime / 8) {
        return Ok(());
    }
    let end = session.created_at.plus(pages.dialect.lifetimes.session);
    let until = now.plus(pages.idle_lifetime).min(end);
    app.store().write(async move |tx: &Tx<'_>| store::sessions::touch(tx, id, now, until).await).await
}

/// What a form has to carry in a browser with this cookie.
#[must_use]
pub fn form_token(app: &App, cookie: &str) -> [u8; 32] {
    app.keyring().form_token(cookie)
}

/// Whether a form carries that.
#[must_use]
pub fn is_form_token(app: &App, cookie: &str, shown: &[u8]) -> bool {
    same(&form_token(app, cookie), shown)
}

/// Refuses an action that changes credentials where the caller proved who they are longer ago than ten minutes.
///
/// # Errors
///
/// [`Error::ReauthenticationRequired`].
pub fn require_fresh(app: &App, actor: &Actor, action: Action) -> Result<()> {
    let is_fresh = actor.caller.is_fresh(app.now());
    let proven = if is_fresh { Ok(()) } else { Err(Error::ReauthenticationRequired) };
    app.audit().note(&actor.event(action), proven)
}
