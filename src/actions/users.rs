//! Reads and administers users.

use super::post::Post;
use super::{credentials, policy};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::password::Password;
use crate::domain::permission::Permission;
use crate::domain::user::{LoginName, Status, User, UserRef};
use crate::mail::Mail;
use crate::store::{self, Reads, Tx, UserChange};

/// A user, for themselves and for administrators; for anybody else there is none.
///
/// # Errors
///
/// [`Error::NotFound`].
pub async fn get(app: &App, caller: &Caller, user: &UserRef) -> Result<User> {
    let found = find(&app.store().reads(), user).await?;
    found.filter(|user| caller.is_admin() || caller.is(user.id)).ok_or(Error::NotFound)
}

pub(super) async fn find(reads: &Reads<'_>, user: &UserRef) -> Result<Option<User>> {
    match user {
        UserRef::Id(id) => store::users::find(reads, *id).await,
        UserRef::Login(login) => by_login(reads, login).await,
    }
}

async fn by_login(reads: &Reads<'_>, login: &LoginName) -> Result<Option<User>> {
    Ok(store::users::account_by_login(reads, login).await?.map(|account| account.user))
}

/// At most `limit` users above `after`, ascending by id, for administrators.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power.
pub async fn list(app: &App, caller: &Caller, after: Option<UserId>, limit: i64) -> Result<Vec<User>> {
    caller.require_admin()?;
    store::users::list(&app.store().reads(), after, limit).await
}

/// Sets another user's password, for an administrator: ends all sessions of the user.
///
/// # Errors
///
/// [`Error::NotFound`], or a password that the policy refuses.
pub async fn set_password(app: &App, actor: &Actor, user: &UserRef, password: Password) -> Result<User> {
    let event = actor.event(Action::PasswordChanged).about_named(user);
    app.audit().note(&event, replace(app, actor, &event, user, password).await)
}

async fn replace(app: &App, actor: &Actor, event: &Event, user: &UserRef, password: Password) -> Result<User> {
    actor.caller.require_admin()?;
    let user = get(app, &actor.caller, user).await?;
    let event = event.clone().about_user(user.id);
    let (email, username) = user.names();
    let password = policy::check(password, email.as_ref(), username.as_ref(), "password")?;
    let hash = app.gate().hash(password).await?;
    let now = app.now();
    let notice = Post::notice(app, &user, &actor.origin, Mail::password_changed);
    let post = notice.clone();
    let changed = credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        tx.audit(event);
        post.enqueue(tx).await?;
        replace_password(tx, user.id, hash.as_str(), now).await
    })
    .await?;
    notice.dispatch_or_log(app).await;
    Ok(changed)
}

/// Sets a password's hash and ends what the old one vouched for.
pub(super) async fn replace_password(tx: &Tx<'_>, id: UserId, hash: &str, now: Timestamp) -> Result<User> {
    store::users::update(tx, id, UserChange::Password(hash), now).await?;
    store::mail_secrets::delete_of_user(tx, id).await?;
    end_sessions(tx, id, now).await?;
    reread(tx, id).await
}

/// Ends all sessions of a user: by their rows, and by the number that access tokens carry. How
/// many there were.
pub(super) async fn end_sessions(tx: &Tx<'_>, id: UserId, now: Timestamp) -> Result<u64> {
    store::users::raise_credential_version(tx, id).await?;
    store::known_networks::delete_of_user(tx, id).await?;
    store::sessions::end_of_user(tx, id, now).await
}

/// The user as the transaction has it now.
pub(super) async fn reread(reads: &Reads<'_>, id: UserId) -> Result<User> {
    store::users::find(reads, id).await?.ok_or(Error::NotFound)
}

/// Lets a user sign in, or not, for an administrator. Disabling ends all sessions for good.
///
/// # Errors
///
/// [`Error::LastAdministrator`], or [`Error::NotFound`].
pub async fn set_status(app: &App, actor: &Actor, user: &UserRef, status: Status) -> Result<User> {
    let event = actor.event(setting(status)).about_named(user);
    app.audit().note(&event, switch(app, actor, &event, user, status).await)
}

async fn switch(app: &App, actor: &Actor, event: &Event, user: &UserRef, status: Status) -> Result<User> {
    actor.caller.require_admin()?;
    let (user, event, now) = (user.clone(), event.clone(), app.now());
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        let user = find(tx, &user).await?.ok_or(Error::NotFound)?;
        change_status(tx, &user, status, &event, now).await?;
        reread(tx, user.id).await
    })
    .await
}

/// What making a user's status this is called.
const fn setting(status: Status) -> Action {
    match status {
        Status::Active => Action::UserEnabled,
        Status::Disabled => Action::UserDisabled,
    }
}

pub(super) async fn change_status(
    tx: &Tx<'_>,
    user: &User,
    status: Status,
    event: &Event,
    now: Timestamp,
) -> Result<()> {
    if user.status == status {
        return Ok(());
    }
    tx.audit(event.also(setting(status)).about_user(user.id));
    if status == Status::Disabled {
        keep_an_administrator(tx, user).await?;
        end_sessions(tx, user.id, now).await?;
        store::mail_secrets::delete_of_user(tx, user.id).await?;
    }
    store::users::update(tx, user.id, UserChange::Status(status), now).await
}

/// Refuses what would leave no active administrator.
pub(super) async fn keep_an_administrator(tx: &Tx<'_>, user: &User) -> Result<()> {
    let counts = user.is_admin() && user.is_active();
    if counts {
        store::counters::hold(tx, store::counters::ADMINISTRATORS).await?;
    }
    if counts && !store::users::another_admin_exists(tx, user.id).await? {
        return Err(Error::LastAdministrator);
    }
    Ok(())
}

/// What to do with a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// The user shall hold it.
    Give,
    /// The user shall not.
    Take,
}

/// Gives a permission to a user or takes it away, for an administrator.
///
/// # Errors
///
/// [`Error::LastAdministrator`], or [`Error::NotFound`].
pub async fn set_permission(
    app: &App,
    actor: &Actor,
    user: &UserRef,
    permission: Permission,
    grant: Grant,
) -> Result<User> {
    let action = match grant {
        Grant::Give => Action::PermissionGranted,
        Grant::Take => Action::PermissionTaken,
    };
    let event = actor.event(action).about_named(user).with(permission.as_str().to_owned());
    app.audit().note(&event, settle(app, actor, event.clone(), user, (permission, grant)).await)
}

async fn settle(
    app: &App,
    actor: &Actor,
    event: Event,
    user: &UserRef,
    (permission, grant): (Permission, Grant),
) -> Result<User> {
    actor.caller.require_admin()?;
    let (user, now) = (user.clone(), app.now());
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        let user = find(tx, &user).await?.ok_or(Error::NotFound)?;
        let mut permissions = user.permissions.clone();
        let changed = match grant {
            Grant::Give => permissions.insert(permission),
            Grant::Take => {
                if permission.is_admin() {
                    keep_an_administrator(tx, &user).await?;
                }
                permissions.remove(&permission)
            }
        };
        if changed {
            tx.audit(event.about_user(user.id));
            store::users::update(tx, user.id, UserChange::Permissions(&permissions), now).await?;
        }
        reread(tx, user.id).await
    })
    .await
}
