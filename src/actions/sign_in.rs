//! Proves who somebody is by a password, and begins a session.

use super::issue::{Beginning, Issued};
use crate::app::App;
use crate::domain::audit::{Action, Means};
use crate::domain::caller::Origin;
use crate::domain::error::{Error, Result};
use crate::domain::password::{Password, PasswordHash};
use crate::domain::session::Dialect;
use crate::domain::user::{LoginName, User};
use crate::guard::hash_gate::Verdict;
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
/// [`Error::WrongCredentials`], or [`Error::Busy`] where no hashing is to be had.
pub async fn sign_in(app: &App, input: SignIn, origin: &Origin) -> Result<Issued> {
    let account = store::users::account_by_login(&app.store().reads(), &input.login).await?;
    let attempt = origin.event(Action::SignIn).of(account.as_ref().map(|account| account.user.id));
    app.audit().note(&attempt, begin(app, account, input, origin).await)
}

async fn begin(app: &App, account: Option<Account>, input: SignIn, origin: &Origin) -> Result<Issued> {
    let (account, replacement) = prove(app, account, input.password).await?;
    let beginning = Beginning::new(app, input.dialect, origin);
    let event = origin.event(Action::SignIn).by(account.user.id, Means::Password).about(beginning.id());
    let (beginning, user) = app
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
        .await?;
    beginning.issue(app, user)
}

/// Checks a password against an account, which may be none; the account comes back with the hash
/// that should replace its own, where that is out of date.
async fn prove(app: &App, account: Option<Account>, password: Password) -> Result<(Account, Option<PasswordHash>)> {
    let stored = account
        .as_ref()
        .filter(|account| account.user.is_active())
        .and_then(|account| account.password.as_deref().and_then(PasswordHash::parse));
    let verdict = app.gate().verify(password, stored).await?;
    match (verdict, account) {
        (Verdict::Right, Some(account)) => Ok((account, None)),
        (Verdict::RightButOutdated(hash), Some(account)) => Ok((account, Some(hash))),
        (Verdict::Right | Verdict::RightButOutdated(_) | Verdict::Wrong, _) => Err(Error::WrongCredentials),
    }
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
/// [`Error::WrongCurrentPassword`].
pub(super) async fn check_current_password(app: &App, user: &User, password: Password) -> Result<()> {
    let account = store::users::account(&app.store().reads(), user.id).await?;
    match prove(app, account, password).await {
        Ok(_) => Ok(()),
        Err(Error::WrongCredentials) => Err(Error::WrongCurrentPassword),
        Err(other) => Err(other),
    }
}
