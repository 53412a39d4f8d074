//! Ways back into an account, and proofs of an address. A link that was mailed is only shown by GET: what reads mails
//! and follows their links uses nothing up. An address is proven by whoever has it and the account both: its reader
//! alone may never have heard of the account.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::{Frame, go_to};
use super::links;
use super::new_password;
use super::typed::Typed;
use super::visit::{Member, Visit};
use crate::actions::{email_change, recovery};
use crate::app::App;
use crate::domain::error::{Error, Result};
use crate::domain::user::Email;
use crate::http::form::Form;

#[derive(Template)]
#[template(path = "pages/forgot.html")]
struct Forgot<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    is_sent: bool,
}

fn forgot(frame: &Frame, form: &Typed, is_sent: bool) -> Response {
    frame.show_form(form, &Forgot { frame, form, is_sent })
}

pub(super) async fn show_forgot(visit: Visit) -> Result<Response> {
    Ok(forgot(&visit.frame, &Typed::default(), false))
}

pub(super) async fn send_forgot(visit: Visit) -> Result<Response> {
    let Visit { app, frame, origin, mut form, .. } = visit;
    let typed = Typed::of(&mut form, &["email"]);
    let email = form.required("email", |text| Email::parse(text.trim()));
    let asked = form.finish(email).and_then(|email| recovery::forgot_password(&app, email, &origin));
    match asked {
        Ok(()) => Ok(forgot(&frame, &Typed::default(), true)),
        Err(error) => Ok(forgot(&frame, &typed.wrong(frame.t, error)?, false)),
    }
}

#[derive(Template)]
#[template(path = "pages/reset.html")]
struct Reset<'p> {
    frame: &'p Frame,
    /// Whose password it will be.
    login: String,
    form: &'p Typed,
}

async fn reset(app: &App, frame: &Frame, form: &Typed) -> Result<Response> {
    match recovery::whose_reset(app, form.value("token")).await? {
        Some(login) => Ok(frame.show_form(form, &Reset { frame, login, form })),
        None => Ok(dead_reset(frame)),
    }
}

#[derive(Template)]
#[template(path = "pages/dead_link.html")]
struct DeadLink<'p> {
    frame: &'p Frame,
    text: &'static str,
    mend: &'static str,
    mend_text: &'static str,
}

/// Of a link that is used, replaced, or too old.
fn dead_link(frame: &Frame, text: &'static str, mend: &'static str, mend_text: &'static str) -> Response {
    frame.show(StatusCode::UNPROCESSABLE_ENTITY, &DeadLink { frame, text, mend, mend_text })
}

fn dead_reset(frame: &Frame) -> Response {
    dead_link(frame, frame.t.dead_reset_link, "/forgot-password", frame.t.send_link)
}

fn dead_proof(frame: &Frame) -> Response {
    dead_link(frame, frame.t.dead_proof_link, links::ACCOUNT, frame.t.go_to_account)
}

pub(super) async fn show_reset(mut visit: Visit) -> Result<Response> {
    let typed = Typed::of(&mut visit.form, &["token"]);
    reset(&visit.app, &visit.frame, &typed).await
}

pub(super) async fn send_reset(visit: Visit) -> Result<Response> {
    let Visit { app, frame, origin, mut form, .. } = visit;
    let typed = Typed::of(&mut form, &["token"]);
    let password = new_password::read(frame.t, &mut form);
    let done = match form.finish(password) {
        Ok(password) => recovery::reset_password(&app, typed.value("token"), password, &origin).await,
        Err(fault) => Err(fault),
    };
    match done {
        Ok(()) => Ok(go_to(&links::after(links::SIGN_IN, "password_reset"))),
        Err(Error::BadToken) => Ok(dead_reset(&frame)),
        Err(error) => reset(&app, &frame, &typed.wrong(frame.t, error)?).await,
    }
}

/// A mailed link that one button uses up.
#[derive(Template)]
#[template(path = "pages/link.html")]
struct Link<'p> {
    frame: &'p Frame,
    action: &'static str,
    heading: &'static str,
    lead: &'static str,
    button: &'static str,
    token: &'p str,
}

fn token(mut form: Form) -> String {
    form.optional("token", |text| Ok(text.to_owned())).unwrap_or_default()
}

pub(super) async fn show_verify(member: Member) -> Result<Response> {
    let Member { app, frame, form, .. } = member;
    let (token, t) = (token(form), frame.t);
    if !recovery::check_verification(&app, &token).await? {
        return Ok(dead_proof(&frame));
    }
    let (action, heading, lead, button) = ("/verify-email", t.verify_heading, t.verify_lead, t.verify_button);
    Ok(frame.show(StatusCode::OK, &Link { frame: &frame, action, heading, lead, button, token: &token }))
}

pub(super) async fn send_verify(member: Member) -> Result<Response> {
    let Member { app, frame, form, actor, .. } = member;
    match recovery::verify_email(&app, &actor, &token(form)).await {
        Ok(()) => Ok(go_to(&links::after(links::ACCOUNT, "email_verified"))),
        Err(Error::BadToken) => Ok(dead_proof(&frame)),
        Err(error) => Err(error),
    }
}

pub(super) async fn show_confirm(member: Member) -> Result<Response> {
    let Member { app, frame, form, .. } = member;
    let (token, t) = (token(form), frame.t);
    if !email_change::check(&app, &token).await? {
        return Ok(dead_proof(&frame));
    }
    let (heading, lead, button) = (t.confirm_email_heading, t.confirm_email_lead, t.confirm_email_button);
    let page = Link { frame: &frame, action: "/confirm-email", heading, lead, button, token: &token };
    Ok(frame.show(StatusCode::OK, &page))
}

pub(super) async fn send_confirm(member: Member) -> Result<Response> {
    let Member { app, frame, form, actor, .. } = member;
    match email_change::confirm(&app, &actor, &token(form)).await {
        Ok(()) => Ok(go_to(&links::after(links::ACCOUNT, "email_changed"))),
        Err(Error::BadToken) => Ok(dead_proof(&frame)),
        Err(error) => Err(error),
    }
}
