//! Who asks, and whether they may use a project: the questions that are asked all the time.

use std::net::IpAddr;
use std::sync::Arc;

use crate::app::App;
use crate::domain::audit::{Action, Reason};
use crate::domain::caller::{Actor, Caller, Credential, Origin};
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::ProjectId;
use crate::domain::session::Dialect;
use crate::domain::user::User;
use crate::guard::Profile;
use crate::store::{self, Reads, Tx};

/// The caller that a token identifies, in whatever dialect it was given out.
///
/// # Errors
///
/// [`Error::Unauthenticated`] with the reason.
pub async fn verify(app: &App, token: &str, dialect: Dialect, address: Option<IpAddr>) -> Result<Caller> {
    recorded(app, dialect, address, app.guard().verify(token, address, app.now()).await)
}

/// The caller that a token identifies, who is about to change something. That it was tried with a
/// credential that is over is on record.
///
/// # Errors
///
/// [`Error::Unauthenticated`] with the reason.
pub async fn verify_actor(app: &App, token: &str, origin: Origin) -> Result<Actor> {
    let verified = app.guard().verify(token, origin.address, app.now()).await;
    let is_nobodys = matches!(verified, Err(Error::Unauthenticated(Unauthenticated::Malformed)));
    let caller = if is_nobodys { verified? } else { app.audit().note(&origin.event(Action::TokenShown), verified)? };
    Ok(Actor { caller, origin })
}

/// The user whose token this is.
///
/// # Errors
///
/// [`Error::Unauthenticated`] with the reason.
pub async fn verify_user(app: &App, token: &str, dialect: Dialect, address: Option<IpAddr>) -> Result<Arc<Profile>> {
    recorded(app, dialect, address, app.guard().verify_user(token, address, app.now()).await)
}

/// That somebody reads with a token that is over is nobody's business; whoever tries too many is on record.
fn recorded<T>(app: &App, dialect: Dialect, address: Option<IpAddr>, verified: Result<T>) -> Result<T> {
    if let Err(error @ Error::TooMany(_)) = &verified
        && let Some(reason) = Reason::of(error)
    {
        let origin = Origin { address, user_agent: None, dialect: Some(dialect) };
        app.audit().refused(origin.event(Action::TokenShown).refused(reason));
    }
    verified
}

/// The user who asks.
///
/// # Errors
///
/// [`Error::Forbidden`] for the operator, who is no user; [`Error::Unauthenticated`] where the user
/// was deleted this very moment.
pub async fn user(app: &App, caller: &Caller) -> Result<Arc<Profile>> {
    let user = app.guard().user(caller.require_user()?).await?;
    user.ok_or(Error::Unauthenticated(Unauthenticated::UserGone))
}

/// Whether the caller may use a project: its owner, those it is shared with, administrators.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no such project, or none that the caller may know of.
pub async fn use_project(app: &App, caller: &Caller, project: ProjectId) -> Result<()> {
    let access = app.guard().project_access(project).await?.ok_or(Error::NotFound)?;
    let admitted = caller.is_admin() || access.admits(caller.require_user()?);
    if admitted { Ok(()) } else { Err(Error::NotFound) }
}

/// Writes on a caller's word. Between the check of a credential and its transaction a password may
/// have been hashed for seconds: what ended meanwhile, or was taken away, writes nothing.
///
/// # Errors
///
/// [`Error::Unauthenticated`] or [`Error::Forbidden`] where the caller's word no longer counts,
/// else what `body` returns.
pub(super) async fn write_as<T, F>(app: &App, actor: &Actor, body: F) -> Result<T>
where
    T: Send + 'static,
    F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
{
    write_holding(app, actor, Hold::WithOthers, body).await
}

/// Like [`write_as`], where `body` may change the caller's own account: nobody else depends on it
/// meanwhile.
///
/// # Errors
///
/// As [`write_as`].
pub(super) async fn write_as_oneself<T, F>(app: &App, actor: &Actor, body: F) -> Result<T>
where
    T: Send + 'static,
    F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
{
    write_holding(app, actor, Hold::Alone, body).await
}

/// How a transaction holds the caller's account.
#[derive(Clone, Copy)]
enum Hold {
    WithOthers,
    Alone,
}

async fn write_holding<T, F>(app: &App, actor: &Actor, hold: Hold, body: F) -> Result<T>
where
    T: Send + 'static,
    F: AsyncFnOnce(&Tx<'_>) -> Result<T> + Clone + Send + 'static,
{
    let caller = actor.caller;
    let standing = async move |tx: &Tx<'_>| {
        let users = match hold {
            Hold::WithOthers => tx.shared(),
            Hold::Alone => tx,
        };
        still_stands(tx, users, &caller).await?;
        body(tx).await
    };
    app.store().write(standing).await
}

/// Whether nothing ended the credential since it was checked. That it expired meanwhile is no
/// matter: it had not when it was shown. What ends user-wide waits for whoever holds the user by
/// `users`; that the credential alone ends in this very moment, no order of the two could tell.
async fn still_stands(tx: &Tx<'_>, users: &Reads<'_>, caller: &Caller) -> Result<()> {
    const ENDED: Error = Error::Unauthenticated(Unauthenticated::Ended);
    let Ok(id) = caller.require_user() else { return Ok(()) };
    let user = store::users::find(users, id).await?.filter(User::is_active).ok_or(ENDED)?;
    let stands = match caller.credential() {
        Credential::Session { id, version, .. } => {
            let session = store::sessions::find(tx.unheld(), id).await?;
            let unended = session.is_some_and(|session| session.ended_at.is_none());
            unended && user.credential_version == version
        }
        Credential::ApiToken { id, .. } => store::tokens::find(tx.unheld(), id).await?.is_some(),
        Credential::Operator => true,
    };
    if !stands {
        return Err(ENDED);
    }
    if caller.is_admin() && !user.is_admin() {
        return Err(Error::Forbidden("this needs an administrator"));
    }
    Ok(())
}
