//! One user, as administrators see and change them.

use askama::Template;
use axum::response::Response;

use crate::actions::account::{self, Administration, UpdateUser};
use crate::actions::users::{self, Grant};
use crate::actions::{page_sessions, recovery, sessions};
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::permission::Permission;
use crate::domain::user::{JsonObject, Status, User, UserRef};
use crate::secret::{ExposeSecret, Secret};
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/console/users";

#[derive(Template)]
#[template(path = "pages/console/user.html")]
struct Page<'p> {
    frame: &'p Frame,
    user: &'p User,
    give: &'p Typed,
    flags: &'p Typed,
    link: Option<&'p str>,
}

async fn page(member: &Member, give: &Typed, flags: Option<Typed>, link: Option<Secret>) -> Result<Response> {
    let user = &find(member).await?;
    let flags = &flags.unwrap_or_else(|| Typed::with([("flags", written(&user.flags))]));
    let wrong = if flags.is_wrong() { flags } else { give };
    let link = link.as_ref().map(ExposeSecret::expose_secret);
    Ok(member.frame.show_form(wrong, &Page { frame: &member.frame, user, give, flags, link }))
}

fn written(flags: &JsonObject) -> String {
    serde_json::to_string_pretty(flags).unwrap_or_default()
}

/// Whom the path names.
fn named(member: &Member) -> Result<UserRef> {
    UserId::parse(&member.named).map(UserRef::Id).ok_or(Error::NotFound)
}

async fn find(member: &Member) -> Result<User> {
    users::get(&member.app, &member.actor.caller, &named(member)?).await
}

fn back(member: &Member, done: &str) -> Response {
    go_to(&links::after(&format!("{PATH}/{}", member.named), done))
}

pub(super) async fn show(member: Member) -> Result<Response> {
    page(&member, &Typed::default(), None, None).await
}

pub(super) async fn change_permissions(mut member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::PermissionGranted)?;
    let typed = Typed::of(&mut member.form, &["give", "take"]);
    let (grant, text) = match (typed.value("give"), typed.value("take")) {
        ("", take) => (Grant::Take, take),
        (give, _) => (Grant::Give, give),
    };
    let permission = Permission::parse(text.trim()).map_err(|fault| Error::invalid("give", fault));
    let changed = match permission {
        Ok(permission) => users::set_permission(&member.app, &member.actor, &named(&member)?, permission, grant).await,
        Err(fault) => Err(fault),
    };
    match changed {
        Ok(_) => Ok(back(&member, "permissions_changed")),
        Err(error) => page(&member, &typed.wrong(member.frame.t, error)?, None, None).await,
    }
}

pub(super) async fn change_flags(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["flags"]);
    let flags = serde_json::from_str::<JsonObject>(typed.value("flags"));
    let changed = match flags {
        Ok(flags) => {
            let administration = Administration { flags: Some(flags), ..Administration::default() };
            let change = UpdateUser { email: None, password: None, current_password: None, administration };
            account::update(&member.app, &member.actor, &named(&member)?, change).await
        }
        Err(_) => Err(Error::invalid("flags", "must be a JSON object")),
    };
    match changed {
        Ok(_) => Ok(back(&member, "saved")),
        Err(error) => page(&member, &Typed::default(), Some(typed.wrong(member.frame.t, error)?), None).await,
    }
}

pub(super) async fn make_reset_link(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::ResetRequested)?;
    let link = recovery::reset_link(&member.app, &member.actor, &named(&member)?).await?;
    page(&member, &Typed::default(), None, Some(link)).await
}

pub(super) async fn end_sessions(member: Member) -> Result<Response> {
    sessions::revoke_all(&member.app, &member.actor, &named(&member)?).await?;
    Ok(back(&member, "sessions_ended"))
}

async fn disabling(member: &Member) -> Result<Question> {
    let (user, t) = (find(member).await?, member.frame.t);
    Ok(Question {
        heading: t.disable_user(user.login()),
        text: t.disable_lead.to_owned(),
        action: format!("{PATH}/{}/disable", user.id),
        button: t.disable,
        back: format!("{PATH}/{}", user.id),
        typed: None,
    })
}

pub(super) async fn ask_disable(member: Member) -> Result<Response> {
    Ok(disabling(&member).await?.ask(&member.frame, &Typed::default()))
}

pub(super) async fn disable(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::UserDisabled)?;
    match users::set_status(&member.app, &member.actor, &named(&member)?, Status::Disabled).await {
        Ok(_) => Ok(back(&member, "user_disabled")),
        Err(error) => {
            let form = Typed::default().wrong(member.frame.t, error)?;
            Ok(disabling(&member).await?.ask(&member.frame, &form))
        }
    }
}

pub(super) async fn enable(member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::UserEnabled)?;
    users::set_status(&member.app, &member.actor, &named(&member)?, Status::Active).await?;
    Ok(back(&member, "user_enabled"))
}

async fn deleting(member: &Member) -> Result<Question> {
    let (user, t) = (find(member).await?, member.frame.t);
    Ok(Question {
        heading: t.delete_user(user.login()),
        text: t.delete_user_lead.to_owned(),
        action: format!("{PATH}/{}/delete", user.id),
        button: t.delete,
        back: format!("{PATH}/{}", user.id),
        typed: Some(user.login().to_owned()),
    })
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    Ok(deleting(&member).await?.ask(&member.frame, &Typed::default()))
}

pub(super) async fn delete(mut member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::UserDeleted)?;
    let typed = Typed::of(&mut member.form, &["typed"]);
    let question = deleting(&member).await?;
    if let Some(again) = question.unless_confirmed(&member.frame, &typed) {
        return Ok(again);
    }
    match account::delete(&member.app, &member.actor, &named(&member)?, None).await {
        Ok(()) => Ok(go_to(&links::after(PATH, "user_deleted"))),
        Err(error) => Ok(question.ask(&member.frame, &typed.wrong(member.frame.t, error)?)),
    }
}
