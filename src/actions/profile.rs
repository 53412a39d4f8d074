//! Changes what a user says of themselves: no proof is asked for, since nothing of it is a credential.

use super::{credentials, users};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::Actor;
use crate::domain::error::{Error, Result};
use crate::domain::user::{Bio, DisplayName, User, Username};
use crate::store::{self, Tx, UserChange};

/// A change of some of one's own fields. `None` leaves a field, `Some(None)` clears it.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// The display name.
    pub name: Option<Option<DisplayName>>,
    /// The text about oneself.
    pub bio: Option<Option<Bio>>,
    /// The username.
    pub username: Option<Option<Username>>,
}

/// Changes the caller's own name, text or username, all that is asked for or nothing. What is so
/// already is not changed, and not recorded.
///
/// # Errors
///
/// [`Error::Taken`] for a username, [`Error::Invalid`] where one is cleared that alone names its user,
/// [`Error::Forbidden`] for the operator, who is no user.
pub async fn update(app: &App, actor: &Actor, change: ProfileChange) -> Result<User> {
    let action = if change.username.is_some() { Action::UsernameChanged } else { Action::UserUpdated };
    let event = actor.event(action);
    app.audit().note(&event, apply(app, actor, &event, change).await)
}

async fn apply(app: &App, actor: &Actor, event: &Event, change: ProfileChange) -> Result<User> {
    let (id, now) = (actor.caller.require_user()?, app.now());
    let event = event.clone().about_user(id);
    credentials::write_as_oneself(app, actor, async move |tx: &Tx<'_>| {
        let user = users::reread(tx, id).await?;
        if let Some(username) = &change.username {
            set_username(tx, &user, username.as_ref(), &event, now).await?;
        }
        set_texts(tx, &user, &change, &event, now).await?;
        users::reread(tx, id).await
    })
    .await
}

async fn set_username(
    tx: &Tx<'_>,
    user: &User,
    wanted: Option<&Username>,
    event: &Event,
    now: Timestamp,
) -> Result<()> {
    if user.username.as_deref() == wanted.map(Username::as_str) {
        return Ok(());
    }
    let change = match wanted {
        Some(username) => UserChange::Username(username),
        None if user.email.is_none() => {
            return Err(Error::invalid(
                "username",
                "cannot be cleared: without an email address nothing else names you",
            ));
        }
        None => UserChange::NoUsername,
    };
    tx.audit(event.also(Action::UsernameChanged));
    store::users::update(tx, user.id, change, now).await
}

async fn set_texts(tx: &Tx<'_>, user: &User, change: &ProfileChange, event: &Event, now: Timestamp) -> Result<()> {
    let (name, bio) = (user.name.as_deref(), user.bio.as_deref());
    let wanted_name = change.name.as_ref().map_or(name, |name| name.as_ref().map(DisplayName::as_str));
    let wanted_bio = change.bio.as_ref().map_or(bio, |bio| bio.as_ref().map(Bio::as_str));
    let fields = match (wanted_name != name, wanted_bio != bio) {
        (false, false) => return Ok(()),
        (true, false) => "name",
        (false, true) => "bio",
        (true, true) => "name,bio",
    };
    tx.audit(event.also(Action::UserUpdated).with(fields));
    store::users::update(tx, user.id, UserChange::Profile(wanted_name, wanted_bio), now).await
}
