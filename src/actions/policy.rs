//! The rule for new passwords, as every action that sets one applies it.

use crate::domain::error::{Error, Result};
use crate::domain::password::{NewPassword, Password};
use crate::domain::user::{Email, Username};

/// Applies the policy for new passwords; the fault names `field`.
///
/// # Errors
///
/// [`Error::Invalid`] with the reason.
pub fn check(
    password: Password,
    email: Option<&Email>,
    username: Option<&Username>,
    field: &'static str,
) -> Result<NewPassword> {
    let email = email.into_iter().flat_map(|email| [email.as_str(), email.canonical()]);
    let username = username.into_iter().flat_map(|username| [username.as_str(), username.canonical()]);
    let logins: Vec<&str> = email.chain(username).collect();
    NewPassword::parse(password, &logins).map_err(|reason| Error::invalid(field, reason))
}
