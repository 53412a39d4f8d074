//! Who one is: name, username, a few words, and the address.

use askama::Template;
use axum::response::Response;

use crate::actions::profile::{self, ProfileChange};
use crate::actions::{email_change, recovery};
use crate::domain::error::Result;
use crate::domain::user::{Bio, DisplayName, Email, User, Username};
use crate::http::form::Form;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::typed::{Typed, filled};
use crate::web::visit::Member;

#[derive(Template)]
#[template(path = "pages/account/profile.html")]
struct Page<'p> {
    frame: &'p Frame,
    user: &'p User,
    form: &'p Typed,
    address: &'p Typed,
    /// The address that was asked for and is not confirmed yet.
    pending: Option<String>,
}

async fn page(member: &Member, form: &Typed, address: &Typed) -> Result<Response> {
    let Member { app, frame, actor, user, .. } = member;
    let pending = email_change::pending(app, &actor.caller).await?;
    let wrong = if address.is_wrong() { address } else { form };
    Ok(frame.show_form(wrong, &Page { frame, user, form, address, pending }))
}

fn kept(user: &User) -> Typed {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    Typed::with([("name", text(&user.name)), ("username", text(&user.username)), ("bio", text(&user.bio))])
}

pub(super) async fn show(member: Member) -> Result<Response> {
    page(&member, &kept(&member.user), &Typed::default()).await
}

pub(super) async fn save(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["name", "username", "bio"]);
    let saved = match read(std::mem::replace(&mut member.form, Form::empty())) {
        Ok(change) => profile::update(&member.app, &member.actor, change).await,
        Err(fault) => Err(fault),
    };
    match saved {
        Ok(_) => Ok(go_to(&links::after(links::ACCOUNT, "saved"))),
        Err(error) => page(&member, &typed.wrong(member.frame.t, error)?, &Typed::default()).await,
    }
}

/// An empty field is one that is cleared.
fn read(mut form: Form) -> Result<ProfileChange> {
    let name = form.optional("name", |text| filled(text, DisplayName::parse));
    let username = form.optional("username", |text| filled(text, Username::parse));
    let bio = form.optional("bio", |text| filled(&text.replace("\r\n", "\n"), Bio::parse));
    form.finish(())?;
    Ok(ProfileChange { name, bio, username })
}

pub(super) async fn change_address(mut member: Member) -> Result<Response> {
    let mut form = std::mem::replace(&mut member.form, Form::empty());
    let typed = Typed::of(&mut form, &["email"]);
    let email = form.required("email", |text| Email::parse(text.trim()));
    let password = form.password("current_password");
    let asked = match form.finish((email, password)) {
        Ok((email, password)) => email_change::request(&member.app, &member.actor, email, Some(password)).await,
        Err(fault) => Err(fault),
    };
    match asked {
        Ok(()) => Ok(go_to(&links::after(links::ACCOUNT, "confirm_email_sent"))),
        Err(error) => page(&member, &kept(&member.user), &typed.wrong(member.frame.t, error)?).await,
    }
}

pub(super) async fn send_verification(member: Member) -> Result<Response> {
    recovery::send_verification(&member.app, &member.actor).await?;
    Ok(go_to(&links::after(links::ACCOUNT, "verification_sent")))
}
