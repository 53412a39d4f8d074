//! All users: looked for, and made.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::actions::page_sessions;
use crate::actions::search::{self, UserSearch};
use crate::actions::sign_up::{self, CreateUser, InitialPassword};
use crate::domain::audit::Action;
use crate::domain::error::Result;
use crate::domain::permission::Permissions;
use crate::domain::user::{DisplayName, Email, JsonObject, Status, User, Username};
use crate::http::form::Form;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::typed::{Typed, filled};
use crate::web::visit::Member;

const PATH: &str = "/console/users";

#[derive(Template)]
#[template(path = "pages/console/users.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    rows: Vec<User>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let form = Typed::of(&mut member.form, &["text", "status", "role", "after"]);
    let Member { app, frame, actor, .. } = &member;
    let status = Status::parse(form.value("status")).ok();
    let wanted =
        UserSearch { text: form.value("text").trim().to_owned(), status, admins: form.value("role") == "admin" };
    let after = Some(form.value("after")).filter(|after| !after.is_empty());
    let found = search::users(app, &actor.caller, &wanted, after, ROWS).await?;
    let filters = [("text", &*wanted.text), ("status", form.value("status")), ("role", form.value("role"))];
    let pages = Ways::new(PATH, &filters, after, found.next.as_deref());
    Ok(frame.show(StatusCode::OK, &Page { frame, form: &form, rows: found.rows, pages }))
}

#[derive(Template)]
#[template(path = "pages/console/user_new.html")]
struct New<'p> {
    frame: &'p Frame,
    form: &'p Typed,
}

fn new(frame: &Frame, form: &Typed) -> Response {
    frame.show_form(form, &New { frame, form })
}

pub(super) async fn show_new(member: Member) -> Result<Response> {
    Ok(new(&member.frame, &Typed::default()))
}

pub(super) async fn create(member: Member) -> Result<Response> {
    let Member { app, frame, mut form, actor, .. } = member;
    let typed = Typed::of(&mut form, &["email", "username", "name", "admin"]);
    let made = match read(form, typed.value("admin") == "true") {
        // Who makes an administrator, or knows somebody's password, has credentials that outlive a session.
        Ok(input) if input.permissions.is_admin() || input.password.is_some() => {
            page_sessions::require_fresh(&app, &actor, Action::UserCreated)?;
            sign_up::create_user(&app, &actor, input).await
        }
        Ok(input) => sign_up::create_user(&app, &actor, input).await,
        Err(fault) => Err(fault),
    };
    match made {
        Ok(user) => Ok(go_to(&links::after(&format!("{PATH}/{}", user.id), "user_made"))),
        Err(error) => Ok(new(&frame, &typed.wrong(frame.t, error)?)),
    }
}

fn read(mut form: Form, is_admin: bool) -> Result<CreateUser> {
    let email = form.optional("email", |text| filled(text, Email::parse));
    let username = form.optional("username", |text| filled(text, Username::parse));
    let name = form.optional("name", |text| filled(text, DisplayName::parse));
    let password = form.optional_password("password").filter(|password| !password.is_empty());
    form.finish(())?;
    let permissions = if is_admin { Permissions::of_administrator() } else { Permissions::of_new_user() };
    Ok(CreateUser {
        email: email.flatten(),
        username: username.flatten(),
        name: name.flatten(),
        password: password.map(InitialPassword::Typed),
        status: Status::Active,
        permissions,
        flags: JsonObject::new(),
        plan_worker: JsonObject::new(),
    })
}
