//! The page that asks before something that cannot be undone.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::frame::Frame;
use super::links;
use super::texts::Texts;
use super::typed::Typed;
use crate::domain::project::Project;
use crate::domain::token::ApiToken;

/// What is asked, and what it takes to say yes.
pub(super) struct Question {
    pub(super) heading: String,
    /// What will happen.
    pub(super) text: String,
    /// Where to send the answer.
    pub(super) action: String,
    /// What the button says.
    pub(super) button: &'static str,
    /// The way back.
    pub(super) back: String,
    /// What has to be typed, for the worst.
    pub(super) typed: Option<String>,
}

#[derive(Template)]
#[template(path = "pages/account/confirm.html")]
struct OfAccount<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    question: &'p Question,
}

#[derive(Template)]
#[template(path = "pages/console/confirm.html")]
struct OfConsole<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    question: &'p Question,
}

impl Question {
    /// Whether an API token shall go, in the list of tokens at `path`.
    pub(super) fn delete_token(t: &Texts, token: &ApiToken, path: &str) -> Self {
        Self {
            heading: t.delete_token.to_owned(),
            text: t.delete_token_lead(&token.name),
            action: format!("{path}/{}/delete", token.id),
            button: t.delete_token,
            back: path.to_owned(),
            typed: None,
        }
    }

    /// Whether a project shall go, in the list of projects at `path`.
    pub(super) fn delete_project(t: &Texts, project: Project, path: &str, back: String) -> Self {
        Self {
            heading: t.delete_project.to_owned(),
            text: t.delete_project_text(&project.name),
            action: format!("{path}/{}/delete", project.id),
            button: t.delete_project,
            back,
            typed: Some(project.name),
        }
    }

    /// The page that asks it, within the account or the console.
    pub(super) fn ask(&self, frame: &Frame, form: &Typed) -> Response {
        if self.action.starts_with(links::CONSOLE) {
            frame.show_form(form, &OfConsole { frame, form, question: self })
        } else {
            frame.show_form(form, &OfAccount { frame, form, question: self })
        }
    }

    /// Asks once more where what was typed is not what was asked for.
    pub(super) fn unless_confirmed(&self, frame: &Frame, typed: &Typed) -> Option<Response> {
        let wanted = self.typed.as_deref()?;
        if wanted.trim() == typed.value("typed").trim() {
            return None;
        }
        let wrong = typed.clone().at(StatusCode::UNPROCESSABLE_ENTITY, "typed", frame.t.not_what_was_asked);
        Some(self.ask(frame, &wrong))
    }
}
