//! Proves who somebody is by a password, and begins a session.

use super::guess::{self, Proof};
use super::issue::{Beginning, Begun, Issued};
use crate::app::App;
use crate::domain::audit::{Action, Means};
use crate::domain::caller::Origin;
use crate::domain::error::{Error, Result};
use crate::domain::password::Password;
use crate::domain::session::Dialect;
use crate::domain::user::{LoginName, User};
use crate::store::{self, Account, Tx};

/// What somebody types to sign in.
pub struct SignIn {
    /// Email or username.
    pub login: LoginName,
    /// The password as typed.
    pub password: Password,
    /// Where the session begins.
    pub dialect: Dialect,
}

/// Signs in. An unknown name, a disabled user, one without a password and a wrong password cost
/// the same work and give the same error.
///
/// # Errors
///
/// [`Error::WrongCredentials`], [`Error::TooMany`], or [`Error::Busy`] where no hashing is to be had.
pub async fn sign_in(app: &App, input: SignIn, origin: &Origin) -> Result<Issued> {
    begin_session(app, input, origin).await?.issue(app)
}

/// Begins a session by a password.
///
/// # Errors
///
/// Those of [`sign_in`].
pub(super) async fn begin_session(app: &App, input: SignIn, origin: &Origin) -> Result<Begun> {
    let event = origin.event(Action::SignIn);
    app.audit().note(&event, app.throttle().admit(origin.address))?;
    let account = store::users::account_by_login(&app.store().reads(), &input.login).await?;
    let event = event.of(account.as_ref().map(|account| account.user.id));
    app.audit().note(&event, begin(app, account, input, origin).await)
}

async fn begin(app: &App, account: Option<Account>, input: SignIn, origin: &Origin) -> Result<Begun> {
    let Proof { account, replacement, attempt } =
        guess::check(app, &input.login, account, input.password, origin).await?;
    let beginning = Beginning::new(app, input.dialect, origin);
    let event = origin.event(Action::SignIn).by(account.user.id, Means::Password).about(beginning.id());
    let begun = app
        .store()
        .write(async move |tx: &Tx<'_>| {
            let user = still_the_same(tx, &account.user).await?;
            if let (Some(new), Some(old)) = (&replacement, &account.password) {
                store::users::replace_hash(tx, user.id, old, new.as_str()).await?;
            }
            beginning.insert(tx, user.id).await?;
            tx.audit(event);
            Ok((beginning, user))
        })
        .await;
    // Whoever knew the password did not guess it, whatever came in between.
    attempt.succeeded();
    let (beginning, user) = begun?;
    Ok(beginning.done(user))
}

/// Between the check of the password and the transaction the user may have been disabled, or the
/// password changed.
async fn still_the_same(tx: &Tx<'_>, checked: &User) -> Result<User> {
    store::users::find(tx, checked.id)
        .await?
        .filter(|user| user.is_active() && user.credential_version == checked.credential_version)
        .ok_or(Error::WrongCredentials)
}

/// Checks the current password of a user who is signed in already.
///
/// # Errors
///
/// [`Error::WrongCurrentPassword`], or [`Error::TooMany`]: whoever got hold of a token may not guess the
/// password by it either.
pub(super) async fn check_current_password(app: &App, user: &User, password: Password, origin: &Origin) -> Result<()> {
    let account = store::users::account(&app.store().reads(), user.id).await?;
    match guess::check(app, &LoginName::Nobody, account, password, origin).await {
        Ok(proof) => {
            proof.attempt.succeeded();
            Ok(())
        }
        Err(Error::WrongCredentials) => Err(Error::WrongCurrentPassword),
        Err(other) => Err(other),
    }
}
