//! Whom the ids on a page belong to.

use std::collections::HashMap;

use futures_util::future::try_join_all;

use crate::actions::users;
use crate::domain::error::{Error, Result};
use crate::domain::id::{ID_BYTES, UserId};
use crate::domain::user::UserRef;
use crate::web::visit::Member;

/// Somebody whom a page names.
#[derive(Clone)]
pub(super) struct Named {
    pub(super) id: UserId,
    /// The email or username; of whoever is no longer there, the id.
    pub(super) name: String,
}

impl Named {
    /// Whether there is a page about them.
    pub(super) fn is_there(&self) -> bool {
        self.name != self.id.to_string()
    }
}

/// Names for ids, each looked up once.
pub(super) struct Names(HashMap<UserId, String>);

impl Names {
    /// Of these users.
    pub(super) async fn of(member: &Member, mut wanted: Vec<UserId>) -> Result<Self> {
        wanted.sort_unstable();
        wanted.dedup();
        // Asked together: on a network they come together, too.
        let found = wanted.into_iter().map(async |id| {
            match users::get(&member.app, &member.actor.caller, &UserRef::Id(id)).await {
                Ok(user) => Ok((id, user.login().to_owned())),
                Err(Error::NotFound) => Ok((id, id.to_string())),
                Err(error) => Err(error),
            }
        });
        Ok(Self(try_join_all(found).await?.into_iter().collect()))
    }

    /// Whose id it is.
    pub(super) fn get(&self, id: Option<&[u8]>) -> Option<Named> {
        let id = user(id?)?;
        let name = self.0.get(&id).cloned().unwrap_or_else(|| id.to_string());
        Some(Named { id, name })
    }
}

/// An id as the log keeps it.
pub(super) fn user(id: &[u8]) -> Option<UserId> {
    <[u8; ID_BYTES]>::try_from(id).ok().map(UserId::from_bytes)
}
