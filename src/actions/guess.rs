//! Checks a password that may be a guess, as often as the throttle lets anybody guess.

use std::net::IpAddr;

use super::issue::NOTED_EVERY;
use crate::app::App;
use crate::domain::caller::Origin;
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::network::Network;
use crate::domain::password::{Password, PasswordHash};
use crate::domain::user::LoginName;
use crate::guard::hash_gate::Verdict;
use crate::guard::throttle::{self, Attempt, Familiarity, Refusal};
use crate::store::{self, Account};

/// A password that was right.
pub(super) struct Proof<'a> {
    /// Whose it is.
    pub(super) account: Account,
    /// The hash that should replace the account's own, where that is out of date.
    pub(super) replacement: Option<PasswordHash>,
    /// Counts as failed until the change that it was for is made.
    pub(super) attempt: Attempt<'a>,
}

/// Checks a password against an account, which may be none. An unknown name, a disabled user, one
/// without a password and a wrong password cost the same work and give the same error.
///
/// # Errors
///
/// [`Error::WrongCredentials`], [`Error::TooMany`], or [`Error::Busy`] where no hashing is to be had.
pub(super) async fn check<'a>(
    app: &'a App,
    name: &LoginName,
    account: Option<Account>,
    password: Password,
    origin: &Origin,
) -> Result<Proof<'a>> {
    let whose = account.as_ref().map_or(throttle::Account::Unknown(name), |it| throttle::Account::User(it.user.id));
    let attempt = begin(app, whose, origin.address).await?;
    let stored = account
        .as_ref()
        .filter(|account| account.user.is_active())
        .and_then(|account| account.password.as_deref().and_then(PasswordHash::parse));
    let verdict = match app.gate().verify(password, stored).await {
        Ok(verdict) => verdict,
        Err(error) => {
            attempt.withdraw();
            return Err(error);
        }
    };
    match (verdict, account) {
        (Verdict::Right, Some(account)) => Ok(Proof { account, replacement: None, attempt }),
        (Verdict::RightButOutdated(hash), Some(account)) => Ok(Proof { account, replacement: Some(hash), attempt }),
        (Verdict::Right | Verdict::RightButOutdated(_) | Verdict::Wrong, _) => {
            attempt.stands();
            Err(Error::WrongCredentials)
        }
    }
}

/// Strangers who fail for an account all over the world do not keep its owner out, where that is known.
async fn begin<'a>(app: &'a App, whose: throttle::Account<'_>, address: Option<IpAddr>) -> Result<Attempt<'a>> {
    let begun = match app.throttle().guess(whose, Familiarity::Unasked, address) {
        Err(Refusal::OfAccount(_)) if is_known(app, whose, address).await? => {
            app.throttle().guess(whose, Familiarity::Known, address)
        }
        begun => begun,
    };
    begun.map_err(Error::from)
}

async fn is_known(app: &App, whose: throttle::Account<'_>, address: Option<IpAddr>) -> Result<bool> {
    let Some(address) = address else { return Ok(false) };
    let id = match whose {
        throttle::Account::User(id) => id,
        // Nobody's: whether there is such a user must not show in what it costs to look.
        throttle::Account::Unknown(_) => UserId::from_bytes([0; 12]),
    };
    let signed_in = store::known_networks::find(&app.store().reads(), id, Network::of_client(address)).await?;
    // A sign-in is not noted while one is that is less than a day old.
    let longest = app.settings().throttle.known_network + NOTED_EVERY;
    Ok(signed_in.is_some_and(|at| app.now().since(at) < longest))
}
