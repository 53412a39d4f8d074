//! Everybody's projects.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::users_filter::UserFilter;
use crate::actions::page_sessions;
use crate::actions::projects;
use crate::actions::search::{self, ProjectSearch};
use crate::domain::audit::Action;
use crate::domain::error::{Error, Result};
use crate::domain::id::ProjectId;
use crate::domain::project::Project;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/console/projects";

#[derive(Template)]
#[template(path = "pages/console/projects.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    of_user: Option<String>,
    rows: Vec<(Project, String)>,
    pages: Ways,
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let form = Typed::of(&mut member.form, &["text", "owner", "after"]);
    let filter = UserFilter::read(&member, form.value("owner")).await?;
    let Member { app, frame, actor, .. } = &member;
    let after = Some(form.value("after")).filter(|after| !after.is_empty());
    let wanted = ProjectSearch { text: form.value("text").trim().to_owned(), owner: filter.id };
    let found = search::projects(app, &actor.caller, &wanted, after, ROWS).await?;
    let filters = [("text", &*wanted.text), ("owner", form.value("owner"))];
    let pages = Ways::new(PATH, &filters, after, found.next.as_deref());
    let rows = found.rows;
    Ok(frame.show(StatusCode::OK, &Page { frame, form: &form, of_user: filter.name, rows, pages }))
}

async fn question(member: &Member) -> Result<Question> {
    let id = ProjectId::parse(&member.named).ok_or(Error::NotFound)?;
    let project = projects::get(&member.app, &member.actor.caller, id).await?.project;
    Ok(Question::delete_project(member.frame.t, project, PATH, PATH.to_owned()))
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    Ok(question(&member).await?.ask(&member.frame, &Typed::default()))
}

pub(super) async fn delete(mut member: Member) -> Result<Response> {
    page_sessions::require_fresh(&member.app, &member.actor, Action::ProjectDeleted)?;
    let typed = Typed::of(&mut member.form, &["typed"]);
    if let Some(again) = question(&member).await?.unless_confirmed(&member.frame, &typed) {
        return Ok(again);
    }
    let id = ProjectId::parse(&member.named).ok_or(Error::NotFound)?;
    projects::delete(&member.app, &member.actor, id).await?;
    Ok(go_to(&links::after(PATH, "project_deleted")))
}
