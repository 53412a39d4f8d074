//! A list of one user's things.

use crate::actions::users;
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::user::UserRef;
use crate::web::visit::Member;

/// Whose things a list is of: everybody's where none is named.
pub(super) struct UserFilter {
    pub(super) id: Option<UserId>,
    /// The email or username.
    pub(super) name: Option<String>,
}

impl UserFilter {
    /// Reads an id from a query.
    pub(super) async fn read(member: &Member, text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self { id: None, name: None });
        }
        let id = UserId::parse(text).ok_or(Error::NotFound)?;
        let user = users::get(&member.app, &member.actor.caller, &UserRef::Id(id)).await?;
        Ok(Self { id: Some(id), name: Some(user.login().to_owned()) })
    }
}
