//! `doorward user`: makes, shows and changes users.

mod shape;

use self::shape::{UserShape, UserSummary};
use super::arguments::{AddUser, Limit, Permit, UserCommand};
use super::message::{Failure, Subject, about};
use super::operator::Operator;
use super::output;
use super::password::{self, Source};
use crate::actions::sign_up::{CreateUser, InitialPassword, create_user};
use crate::actions::users::{self, Grant};
use crate::actions::{account, recovery, sessions, tokens};
use crate::domain::id::UserId;
use crate::domain::permission::{Permission, Permissions};
use crate::domain::user::{Email, JsonObject, Status, User, UserRef, Username};
use crate::secret::ExposeSecret;

pub(super) async fn run(operator: &Operator, command: UserCommand) -> Result<(), Failure> {
    match command {
        UserCommand::Add(wanted) => add(operator, *wanted).await,
        UserCommand::List { limit, after } => list(operator, &limit, after).await,
        UserCommand::Show(who) => show(operator, &who.login).await,
        UserCommand::Passwd { who, password_stdin } => set_password(operator, &who.login, password_stdin).await,
        UserCommand::Enable(who) => set_status(operator, &who.login, Status::Active).await,
        UserCommand::Disable(who) => set_status(operator, &who.login, Status::Disabled).await,
        UserCommand::Delete { who, yes } => delete(operator, &who.login, yes).await,
        UserCommand::Grant(permit) => set_permission(operator, permit, Grant::Give).await,
        UserCommand::Revoke(permit) => set_permission(operator, permit, Grant::Take).await,
        UserCommand::ResetLink(who) => reset_link(operator, &who.login).await,
    }
}

async fn add(operator: &Operator, wanted: AddUser) -> Result<(), Failure> {
    let (email, username) = names(wanted.login.as_deref(), wanted.email, wanted.username)?;
    let password = if wanted.password.no_password {
        None
    } else if wanted.password.hash_stdin {
        Some(InitialPassword::Imported(password::read_hash()?))
    } else {
        let source = Source::choose(wanted.password.password_stdin, ", or say --no-password")?;
        Some(InitialPassword::Typed(source.read()?))
    };
    let login = email.as_ref().map(Email::as_str).or(username.as_ref().map(Username::as_str));
    let login = login.unwrap_or_default().to_owned();
    let input = CreateUser {
        email,
        username,
        name: wanted.name,
        password,
        status: Status::Active,
        permissions: permissions(wanted.admin, wanted.permissions),
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
    };
    let user = create_user(&operator.app, &operator.actor, input).await.map_err(about(Subject::User(&login)))?;
    done(operator, &user, &format!("was made with id {}", user.id))
}

/// The email and the username: the login that was named is one of them.
fn names(
    login: Option<&str>,
    email: Option<Email>,
    username: Option<Username>,
) -> Result<(Option<Email>, Option<Username>), Failure> {
    let Some(login) = login else { return Ok((email, username)) };
    let fault = |mend: String| Failure::usage(format!("the login {login:?} {mend}"));
    let twice = |flag: &str| Failure::usage(format!("{login:?} and {flag} are two names of one kind: leave one out"));
    if login.contains('@') {
        let named = Email::parse(login).map_err(fault)?;
        return if email.is_none() { Ok((Some(named), username)) } else { Err(twice("--email")) };
    }
    let named = Username::parse(login).map_err(fault)?;
    if username.is_none() { Ok((email, Some(named))) } else { Err(twice("--username")) }
}

fn permissions(admin: bool, further: Vec<Permission>) -> Permissions {
    let mut permissions = if admin { Permissions::of_administrator() } else { Permissions::of_new_user() };
    for permission in further {
        permissions.insert(permission);
    }
    permissions
}

async fn list(operator: &Operator, limit: &Limit, after: Option<UserId>) -> Result<(), Failure> {
    let listed = users::list(&operator.app, &operator.actor.caller, after, limit.to_ask_for()).await;
    let mut listed = listed.map_err(about(Subject::User("")))?;
    let more = limit.cut(&mut listed);
    let shapes: Vec<_> = listed.iter().map(UserShape::new).collect();
    let empty =
        if after.is_some() { "no more users" } else { "no users yet: `doorward user add LOGIN --admin` makes one" };
    let header = ["ID", "EMAIL", "USERNAME", "STATUS", "PERMISSIONS", "CREATED"];
    operator.output.list(&shapes, header, UserShape::row, empty)?;
    if let (true, Some(last)) = (more, listed.last()) {
        output::remark(&format!("there are more: `doorward user list --after {}`", last.id));
    }
    Ok(())
}

async fn show(operator: &Operator, login: &str) -> Result<(), Failure> {
    let user = operator.user(login).await?;
    let id = UserRef::Id(user.id);
    let sessions =
        sessions::list(&operator.app, &operator.actor.caller, &id).await.map_err(about(Subject::User(login)))?;
    let tokens =
        tokens::list(&operator.app, &operator.actor.caller, Some(&id)).await.map_err(about(Subject::User(login)))?;
    let summary = UserSummary { user: UserShape::new(&user), sessions: sessions.len(), tokens: tokens.len() };
    operator.output.fields(&summary, &summary.fields())
}

async fn set_password(operator: &Operator, login: &str, password_stdin: bool) -> Result<(), Failure> {
    let source = Source::choose(password_stdin, "")?;
    let user = operator.user(login).await?;
    let (id, password) = (UserRef::Id(user.id), source.read()?);
    let changed = users::set_password(&operator.app, &operator.actor, &id, password).await;
    let user = changed.map_err(about(Subject::User(login)))?;
    done(operator, &user, "has a new password; all sessions of the user are over")
}

async fn set_status(operator: &Operator, login: &str, status: Status) -> Result<(), Failure> {
    let id = UserRef::Id(operator.user(login).await?.id);
    let changed = users::set_status(&operator.app, &operator.actor, &id, status).await;
    let user = changed.map_err(about(Subject::User(login)))?;
    let news = match status {
        Status::Active => "is enabled; API tokens work again",
        Status::Disabled => "is disabled; all sessions of the user are over, API tokens rest",
    };
    done(operator, &user, news)
}

async fn set_permission(operator: &Operator, permit: Permit, grant: Grant) -> Result<(), Failure> {
    let login = &permit.who.login;
    let id = UserRef::Id(operator.user(login).await?.id);
    let changed = users::set_permission(&operator.app, &operator.actor, &id, permit.permission, grant).await;
    let user = changed.map_err(about(Subject::User(login)))?;
    let held: Vec<_> = user.permissions.iter().collect();
    let held = if held.is_empty() { "nothing".to_owned() } else { held.join(", ") };
    done(operator, &user, &format!("holds {held}"))
}

async fn delete(operator: &Operator, login: &str, yes: bool) -> Result<(), Failure> {
    let user = operator.user(login).await?;
    if !yes {
        let thing = format!("user {:?} with all tokens, sessions and projects", user.login());
        password::confirm_deletion(&thing, user.login())?;
    }
    let deleted = account::delete(&operator.app, &operator.actor, &UserRef::Id(user.id), None).await;
    deleted.map_err(about(Subject::User(login)))?;
    done(operator, &user, "is deleted, with all tokens, sessions and projects")
}

async fn reset_link(operator: &Operator, login: &str) -> Result<(), Failure> {
    let (user, settings) = (operator.user(login).await?, operator.app.settings());
    if !user.is_active() {
        return Err(Failure::Refused(format!(
            "user {login:?} is disabled and could not use the link: `doorward user enable` first"
        )));
    }
    let made = recovery::reset_link(&operator.app, &operator.actor, &UserRef::Id(user.id)).await;
    let link = made.map_err(about(Subject::User(login)))?;
    if operator.output.is_json() {
        return output::document(&serde_json::json!({ "link": link.expose_secret() }));
    }
    if settings.public_url.is_none() && settings.mail.reset_url.is_none() {
        let guess = "public_url is not set, so the link begins with the address that the server listens on: \
                     give --public-url where users reach it by another";
        output::remark(guess);
    }
    let minutes = settings.mail.reset_lifetime.as_secs().div_ceil(60);
    let remark = format!("hand this link to {:?}: it sets a new password, once, within {minutes} min", user.login());
    output::remark(&remark);
    output::line(link.expose_secret())
}

/// Tells what became of a user.
fn done(operator: &Operator, user: &User, news: &str) -> Result<(), Failure> {
    operator.output.done(&UserShape::new(user), &format!("user {:?} {news}", user.login()))
}
