//! Changes a user's own account, or another's for an administrator.

use super::credentials;
use super::issue::{Beginning, Begun, Grounds, Issued, issue};
use super::post::Post;
use super::sign_in::check_current_password;
use super::{policy, sessions, users};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Credential, Origin};
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::{SessionId, UserId};
use crate::domain::password::{Password, PasswordHash};
use crate::domain::session::Dialect;
use crate::domain::user::{Email, JsonObject, Status, User, UserRef, Username};
use crate::mail::Mail;
use crate::store::sessions::Standing;
use crate::store::{self, Tx, UserChange};

/// What an administrator alone may set; from others these are passed over.
#[derive(Clone, Default)]
pub struct Administration {
    /// Whether the user may sign in.
    pub status: Option<Status>,
    /// Free-form JSON.
    pub flags: Option<JsonObject>,
    /// Free-form JSON.
    pub plan_worker: Option<JsonObject>,
}

/// A change of some of a user's fields.
pub struct UpdateUser {
    /// Another address.
    pub email: Option<Email>,
    /// Another password.
    pub password: Option<Password>,
    /// The one that holds now, which changes of one's own ask for.
    pub current_password: Option<Password>,
    /// What only administrators set.
    pub administration: Administration,
}

/// Changes a user: oneself, or another for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] for another's account, [`Error::ReauthenticationRequired`] or
/// [`Error::WrongCurrentPassword`] for one's own, [`Error::Taken`], [`Error::LastAdministrator`].
pub async fn update(app: &App, actor: &Actor, user: &UserRef, input: UpdateUser) -> Result<User> {
    let event = actor.event(match (&input.password, &input.email) {
        (Some(_), _) => Action::PasswordChanged,
        (None, Some(_)) => Action::EmailChanged,
        (None, None) => Action::UserUpdated,
    });
    let event = event.about_named(user);
    app.audit().note(&event, change(app, actor, user, input).await)
}

async fn change(app: &App, actor: &Actor, user: &UserRef, input: UpdateUser) -> Result<User> {
    let user = users::get(app, &actor.caller, user).await?;
    let administration = if actor.caller.is_admin() { input.administration } else { Administration::default() };
    let email = input.email.filter(|email| user.email.as_deref() != Some(email.as_str()));
    let own = actor.caller.is(user.id) && (email.is_some() || input.password.is_some());
    if own {
        prove_oneself(app, actor, &user, input.current_password).await?;
    }
    let hash = match input.password {
        Some(password) => {
            let (now_email, username) = user.names();
            let email = email.as_ref().or(now_email.as_ref());
            let password = policy::check(password, email, username.as_ref(), "password")?;
            Some(app.gate().hash(password).await?)
        }
        None => None,
    };
    let (id, now) = (user.id, app.now());
    let event = actor.event(Action::UserUpdated).about_user(id);
    let notices = notices(app, &user, &actor.origin, email.as_ref(), hash.is_some());
    let post = notices.clone();
    let changed = credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        if own {
            require_unchanged(tx, &user).await?;
        }
        if let Some(email) = &email {
            change_email(tx, id, email, now).await?;
            tx.audit(event.also(Action::EmailChanged));
        }
        if let Some(hash) = &hash {
            users::replace_password(tx, id, hash.as_str(), now).await?;
            tx.audit(event.also(Action::PasswordChanged));
        }
        administer(tx, id, &administration, event, now).await?;
        post.enqueue(tx).await?;
        users::reread(tx, id).await
    })
    .await?;
    notices.dispatch_or_log(app).await;
    Ok(changed)
}

/// What tells a user that their address or their password was changed.
fn notices(app: &App, user: &User, origin: &Origin, email: Option<&Email>, is_password: bool) -> Post {
    let mut post = Post::default();
    if email.is_some_and(|email| is_another(user, email)) {
        post = post.and(Post::notice(app, user, origin, Mail::email_changed));
    }
    if is_password {
        post = post.and(Post::notice(app, user, origin, Mail::password_changed));
    }
    post
}

/// Whether an address is another one than the user's, and not the same in other letters.
pub(super) fn is_another(user: &User, email: &Email) -> bool {
    user.names().0.is_none_or(|own| own.canonical() != email.canonical())
}

/// Changes to oneself need the current password or a fresh session; an administrator changes
/// others without.
pub(super) async fn prove_oneself(app: &App, actor: &Actor, user: &User, current: Option<Password>) -> Result<()> {
    match current {
        Some(password) => check_current_password(app, user, password, &actor.origin).await,
        None if actor.caller.is_fresh(app.now()) => Ok(()),
        None => Err(Error::ReauthenticationRequired),
    }
}

/// While hashes were waited for, the caller's credentials may have ended. Whoever knew the old
/// password would undo the reset that ended them.
async fn require_unchanged(tx: &Tx<'_>, before: &User) -> Result<()> {
    let present = users::reread(tx, before.id).await?;
    if present.is_active() && present.credential_version == before.credential_version {
        Ok(())
    } else {
        Err(Error::Unauthenticated(Unauthenticated::Ended))
    }
}

/// Another address is unproven, and what was mailed to the old one is worthless.
async fn change_email(tx: &Tx<'_>, id: UserId, email: &Email, now: Timestamp) -> Result<()> {
    let before = users::reread(tx, id).await?;
    let verified_at = before.email_verified_at.filter(|_| !is_another(&before, email));
    store::users::update(tx, id, UserChange::Email(email, verified_at), now).await?;
    store::mail_secrets::delete_of_user(tx, id).await
}

async fn administer(tx: &Tx<'_>, id: UserId, wanted: &Administration, event: Event, now: Timestamp) -> Result<()> {
    let user = users::reread(tx, id).await?;
    if let Some(status) = wanted.status {
        users::change_status(tx, &user, status, &event, now).await?;
    }
    if wanted.flags.is_some() || wanted.plan_worker.is_some() {
        let flags = wanted.flags.as_ref().unwrap_or(&user.flags);
        let plan_worker = wanted.plan_worker.as_ref().unwrap_or(&user.plan_worker);
        store::users::update(tx, id, UserChange::Objects(flags, plan_worker), now).await?;
        let fields = [("flags", wanted.flags.is_some()), ("plan_worker", wanted.plan_worker.is_some())];
        let set: Vec<_> = fields.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
        tx.audit(event.with(set.join(",")));
    }
    Ok(())
}

/// Deletes a user with everything that is theirs: oneself, or another for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] for another's account, [`Error::ReauthenticationRequired`] for one's own,
/// [`Error::LastAdministrator`].
pub async fn delete(app: &App, actor: &Actor, user: &UserRef, current_password: Option<Password>) -> Result<()> {
    let event = actor.event(Action::UserDeleted).about_named(user);
    app.audit().note(&event, take_away(app, actor, &event, user, current_password).await)
}

async fn take_away(
    app: &App,
    actor: &Actor,
    event: &Event,
    user: &UserRef,
    current_password: Option<Password>,
) -> Result<()> {
    let user = users::get(app, &actor.caller, user).await?;
    let own = actor.caller.is(user.id);
    if own {
        prove_oneself(app, actor, &user, current_password).await?;
    }
    let event = event.clone().about_user(user.id);
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        if own {
            require_unchanged(tx, &user).await?;
        }
        let user = users::reread(tx, user.id).await?;
        tx.audit(event);
        users::keep_an_administrator(tx, &user).await?;
        store::projects::record_deletion_of_owner(tx, user.id).await?;
        store::tokens::delete_of_user(tx, user.id).await?;
        if store::users::delete(tx, user.id).await? { Ok(()) } else { Err(Error::NotFound) }
    })
    .await
}

/// A change of one's own name, password, or both.
pub struct ChangeProfile {
    /// Another username.
    pub new_username: Option<Username>,
    /// Another password, and the one that holds now.
    pub new_password: Option<(Password, Password)>,
    /// What the form calls the new password, for what is wrong with it.
    pub password_field: &'static str,
}

/// What became of a change of one's profile.
pub struct Profile {
    /// The user and fresh tokens: of a new session after a change of password, else of the caller's.
    pub issued: Issued,
    /// Whether anything was changed.
    pub changed: bool,
}

/// Changes one's own name and password, together or not at all. A new password ends every
/// session; the answer carries a new one. A new name alone goes on with the caller's: a session
/// that began anew would pass for a proof of the password.
///
/// # Errors
///
/// [`Error::Taken`], [`Error::WrongCurrentPassword`], a password that the policy refuses,
/// [`Error::Forbidden`] for an API token, [`Error::Unauthenticated`] where the session ended meanwhile.
pub async fn change_profile(app: &App, actor: &Actor, input: ChangeProfile, dialect: Dialect) -> Result<Profile> {
    let changed = change_own(app, actor, input, dialect).await?;
    let Changed { session_id, standing, user, begun, anything } = changed;
    let issued = match begun {
        Some(begun) => begun.issue(app)?,
        None => Issued { tokens: issue(app, &Grounds::of(session_id, &standing), app.now())?, user },
    };
    Ok(Profile { issued, changed: anything })
}

/// What became of a change of oneself.
pub(super) struct Changed {
    session_id: SessionId,
    /// What the caller's session stood on.
    standing: Standing,
    user: User,
    /// The session that replaces all others, after a change of password.
    pub(super) begun: Option<Begun>,
    anything: bool,
}

/// Changes one's own name and password, together or not at all.
///
/// # Errors
///
/// Those of [`change_profile`].
pub(super) async fn change_own(app: &App, actor: &Actor, input: ChangeProfile, dialect: Dialect) -> Result<Changed> {
    let is_password = input.new_password.is_some();
    let event = actor.event(if is_password { Action::PasswordChanged } else { Action::UsernameChanged });
    app.audit().note(&event, rename(app, actor, input, dialect).await)
}

async fn rename(app: &App, actor: &Actor, input: ChangeProfile, dialect: Dialect) -> Result<Changed> {
    let user = credentials::user(app, &actor.caller).await?;
    let Credential::Session { id: session_id, .. } = actor.caller.credential() else {
        return Err(Error::Forbidden("a profile is changed with a session token"));
    };
    let new_username = input.new_username.filter(|name| user.username.as_deref() != Some(name.as_str()));
    let field = input.password_field;
    let hash = match input.new_password {
        Some((new, current)) => Some(new_hash(app, actor, &user, new_username.as_ref(), (new, current), field).await?),
        None => None,
    };
    let is_changed = new_username.is_some() || hash.is_some();
    let beginning = Beginning::new(app, dialect, &actor.origin);
    let (id, now) = (user.id, app.now());
    let event = actor.event(Action::UsernameChanged).about_user(id);
    let notice = match &hash {
        Some(_) => Post::notice(app, &user, &actor.origin, Mail::password_changed),
        None => Post::default(),
    };
    let post = notice.clone();
    let (standing, beginning, user): (_, Option<Beginning>, User) =
        credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
            let standing = sessions::live(tx, session_id, now).await?;
            let standing = standing.ok_or(Error::Unauthenticated(Unauthenticated::Ended))?;
            if let Some(username) = &new_username {
                store::users::update(tx, id, UserChange::Username(username), now).await?;
                tx.audit(event.clone());
            }
            if let Some(hash) = &hash {
                users::replace_password(tx, id, hash.as_str(), now).await?;
                beginning.insert(tx, id).await?;
                tx.audit(event.also(Action::PasswordChanged));
                tx.audit(event.also(Action::SessionBegan).about(beginning.id()));
                post.enqueue(tx).await?;
            }
            Ok((standing, hash.is_some().then_some(beginning), users::reread(tx, id).await?))
        })
        .await?;
    notice.dispatch_or_log(app).await;
    let begun = beginning.map(|beginning| beginning.done(user.clone()));
    Ok(Changed { session_id, standing, user, begun, anything: is_changed })
}

async fn new_hash(
    app: &App,
    actor: &Actor,
    user: &User,
    new_username: Option<&Username>,
    (new, current): (Password, Password),
    field: &'static str,
) -> Result<PasswordHash> {
    let (email, username) = user.names();
    let password = policy::check(new, email.as_ref(), new_username.or(username.as_ref()), field)?;
    check_current_password(app, user, current, &actor.origin).await?;
    app.gate().hash(password).await
}
