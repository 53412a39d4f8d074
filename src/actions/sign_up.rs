//! Makes users: by themselves where registration is open, or by an administrator.

use super::credentials;
use super::issue::{Beginning, Begun, Issued};
use super::policy;
use super::tokens::{Created, Draft};
use crate::app::{App, Registration};
use crate::domain::audit::{Action, Event, Means, Reason};
use crate::domain::caller::{Actor, Origin};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::password::{NewPassword, Password, PasswordHash};
use crate::domain::permission::Permissions;
use crate::domain::session::Dialect;
use crate::domain::user::{Bio, DisplayName, Email, JsonObject, Status, User, Username};
use crate::store::{self, NewUser, Tx};

/// What somebody types to sign up. An email, a username or both.
pub struct SignUp {
    /// The address.
    pub email: Option<Email>,
    /// The username.
    pub username: Option<Username>,
    /// The display name.
    pub name: Option<DisplayName>,
    /// Free text.
    pub bio: Option<Bio>,
    /// The password as typed.
    pub password: Password,
    /// Where the first session begins.
    pub dialect: Dialect,
}

/// Registers a user and signs them in. Never makes an administrator.
///
/// # Errors
///
/// [`Error::Forbidden`] where registration is closed, [`Error::Taken`], [`Error::TooMany`], or a
/// password that the policy refuses.
pub async fn sign_up(app: &App, input: SignUp, origin: &Origin) -> Result<Issued> {
    begin_session(app, input, origin).await?.issue(app)
}

/// Registers a user and begins a session.
///
/// # Errors
///
/// Those of [`sign_up`].
pub(super) async fn begin_session(app: &App, input: SignUp, origin: &Origin) -> Result<Begun> {
    let event = origin.event(Action::SignUp);
    app.audit().note(&event, register(app, input, origin).await)
}

async fn register(app: &App, input: SignUp, origin: &Origin) -> Result<Begun> {
    open(app)?;
    let password = policy::check(input.password.clone(), input.email.as_ref(), input.username.as_ref(), "password")?;
    let attempt = app.throttle().register(origin.address)?;
    let registered = make(app, input, password, origin).await;
    if registered.as_ref().is_err_and(Error::is_no_answer) {
        attempt.withdraw();
    }
    registered
}

async fn make(app: &App, input: SignUp, password: NewPassword, origin: &Origin) -> Result<Begun> {
    let hash = app.gate().hash(password).await?;
    let mut new = blank(app, input.email, input.username, Some(hash));
    new.name = input.name.map(|name| name.as_str().to_owned());
    new.bio = input.bio.map(|bio| bio.as_str().to_owned());
    let beginning = Beginning::new(app, input.dialect, origin);
    let event = origin.event(Action::SignUp).by(new.id, Means::Nothing).about(beginning.id());
    let (beginning, user) = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let user = insert(tx, &new).await?;
            beginning.insert(tx, user.id).await?;
            tx.audit(event);
            Ok((beginning, user))
        })
        .await?;
    Ok(beginning.done(user))
}

/// Refuses where `registration = "closed"` leaves sign-up to administrators.
///
/// # Errors
///
/// [`Error::Forbidden`].
pub fn require_open(app: &App, origin: &Origin) -> Result<()> {
    open(app).inspect_err(|_| app.audit().refused(origin.event(Action::SignUp).refused(Reason::RegistrationClosed)))
}

fn open(app: &App) -> Result<()> {
    match app.settings().registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(Error::Forbidden("registration is closed; ask an administrator")),
    }
}

/// A password that comes as a hash made elsewhere, or in clear.
pub enum InitialPassword {
    /// As typed.
    Typed(Password),
    /// Imported; replaced at the first sign-in where it is not up to date.
    Imported(PasswordHash),
}

/// What an administrator says of a new user.
pub struct CreateUser {
    /// The address.
    pub email: Option<Email>,
    /// The username.
    pub username: Option<Username>,
    /// The display name.
    pub name: Option<DisplayName>,
    /// The password, if the user shall have one.
    pub password: Option<InitialPassword>,
    /// Whether the user may sign in.
    pub status: Status,
    /// What the user may do.
    pub permissions: Permissions,
    /// Free-form JSON.
    pub flags: JsonObject,
    /// Free-form JSON.
    pub plan_worker: JsonObject,
}

/// Makes a user on an administrator's word.
///
/// # Errors
///
/// [`Error::Forbidden`] without administrator power, [`Error::Taken`], or a password that the
/// policy refuses.
pub async fn create_user(app: &App, actor: &Actor, input: CreateUser) -> Result<User> {
    let event = actor.event(Action::UserCreated);
    app.audit().note(&event, create(app, actor, &event, input).await)
}

async fn create(app: &App, actor: &Actor, event: &Event, input: CreateUser) -> Result<User> {
    let new = prepare(app, actor, input).await?;
    let event = created(event, &new);
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        tx.audit(event);
        insert(tx, &new).await
    })
    .await
}

fn created(event: &Event, new: &NewUser) -> Event {
    event.clone().about_user(new.id).with(if new.permissions.is_admin() { "admin" } else { "" })
}

/// Makes a user on an administrator's word, together with an API token of the user's own, which
/// carries no administrator power.
///
/// # Errors
///
/// The same as of [`create_user`].
pub async fn create_user_with_token(app: &App, actor: &Actor, input: CreateUser) -> Result<(User, Created)> {
    let event = actor.event(Action::UserCreated);
    app.audit().note(&event, create_with_token(app, actor, &event, input).await)
}

async fn create_with_token(app: &App, actor: &Actor, event: &Event, input: CreateUser) -> Result<(User, Created)> {
    let new = prepare(app, actor, input).await?;
    let draft = Draft::new(app, new.id)?;
    let events = [created(event, &new), event.also(Action::TokenCreated).about(draft.token.id).of(new.id)];
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        for event in events {
            tx.audit(event);
        }
        Ok((insert(tx, &new).await?, draft.insert(tx).await?))
    })
    .await
}

pub(super) async fn prepare(app: &App, actor: &Actor, input: CreateUser) -> Result<NewUser> {
    actor.caller.require_admin()?;
    if input.email.is_none() && input.username.is_none() {
        return Err(Error::invalid("email", "is required where there is no username"));
    }
    let hash = match input.password {
        Some(InitialPassword::Typed(typed)) => {
            let password = policy::check(typed, input.email.as_ref(), input.username.as_ref(), "password")?;
            Some(app.gate().hash(password).await?)
        }
        Some(InitialPassword::Imported(hash)) => Some(hash),
        None => None,
    };
    let mut new = blank(app, input.email, input.username, hash);
    new.name = input.name.map(|name| name.as_str().to_owned());
    new.status = input.status;
    new.permissions = input.permissions;
    new.flags = input.flags;
    new.plan_worker = input.plan_worker;
    Ok(new)
}

/// A new user's row with nothing but names and password.
pub(super) fn blank(
    app: &App,
    email: Option<Email>,
    username: Option<Username>,
    password: Option<PasswordHash>,
) -> NewUser {
    let now = app.now();
    NewUser {
        id: UserId::generate(now, App::entropy()),
        email,
        username,
        name: None,
        bio: None,
        password: password.map(|hash| hash.as_str().to_owned()),
        status: Status::Active,
        permissions: Permissions::of_new_user(),
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
        email_verified_at: None,
        created_at: now,
    }
}

pub(super) async fn insert(tx: &Tx<'_>, new: &NewUser) -> Result<User> {
    store::users::insert(tx, new).await?;
    store::users::find(tx, new.id).await?.ok_or_else(|| Error::Internal("a new user is not there".to_owned()))
}
