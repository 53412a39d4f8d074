//! One's projects, and those that others share.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::actions::projects::{self, Member as Sharer, Sharing};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::project::{Project, ProjectName};
use crate::domain::user::{LoginName, UserRef};
use crate::http::form::Form;
use crate::web::frame::{Frame, go_to};
use crate::web::links;
use crate::web::pages_of::{ROWS, Ways};
use crate::web::question::Question;
use crate::web::typed::Typed;
use crate::web::visit::Member;

const PATH: &str = "/account/projects";

struct Row {
    id: ProjectId,
    name: String,
    is_owner: bool,
    members: usize,
    created_at: Timestamp,
}

#[derive(Template)]
#[template(path = "pages/account/projects.html")]
struct Page<'p> {
    frame: &'p Frame,
    form: &'p Typed,
    rows: Vec<Row>,
    pages: Ways,
}

async fn page(member: &Member, form: &Typed, after: Option<&str>) -> Result<Response> {
    let Member { app, frame, actor, user, .. } = member;
    let bad = || Error::invalid("after", "is no place in this list");
    let last = after.map(|after| ProjectId::parse(after).ok_or_else(bad)).transpose()?;
    let mut found = projects::list(app, &actor.caller, None, last, ROWS + 1).await?;
    let has_more = found.len() > usize::try_from(ROWS).unwrap_or_default();
    if has_more {
        found.pop();
    }
    let next = found.last().filter(|_| has_more).map(|shared| shared.project.id.to_string());
    let rows = found.into_iter().map(|shared| Row {
        id: shared.project.id,
        name: shared.project.name,
        is_owner: shared.project.user_id == user.id,
        members: shared.shared_with.len() + 1,
        created_at: shared.project.created_at,
    });
    let pages = Ways::new(PATH, &[], after, next.as_deref());
    Ok(frame.show_form(form, &Page { frame, form, rows: rows.collect(), pages }))
}

pub(super) async fn list(mut member: Member) -> Result<Response> {
    let after = member.form.optional("after", |text| Ok(text.to_owned()));
    page(&member, &Typed::default(), after.as_deref()).await
}

pub(super) async fn create(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["name"]);
    let name = member.form.required("name", |text| ProjectName::parse(text.trim()));
    let created = match std::mem::replace(&mut member.form, Form::empty()).finish(name) {
        Ok(name) => projects::create(&member.app, &member.actor, name, None).await,
        Err(fault) => Err(fault),
    };
    match created {
        Ok(shared) => Ok(go_to(&links::after(&format!("{PATH}/{}", shared.project.id), "project_made"))),
        Err(error) => page(&member, &typed.wrong(member.frame.t, error)?, None).await,
    }
}

#[derive(Template)]
#[template(path = "pages/account/project.html")]
struct One<'p> {
    frame: &'p Frame,
    project: &'p Project,
    is_owner: bool,
    members: Vec<Sharer>,
    form: &'p Typed,
    share: &'p Typed,
}

async fn one(member: &Member, form: Option<Typed>, share: &Typed) -> Result<Response> {
    let Member { app, frame, actor, user, .. } = member;
    let id = id(member)?;
    let shared = projects::get(app, &actor.caller, id).await?;
    let members = projects::members(app, &actor.caller, id).await?;
    let project = &shared.project;
    let form = form.unwrap_or_else(|| Typed::with([("name", project.name.as_str())]));
    let wrong = if share.is_wrong() { share } else { &form };
    let page = One { frame, project, is_owner: project.user_id == user.id, members, form: &form, share };
    Ok(frame.show_form(wrong, &page))
}

fn id(member: &Member) -> Result<ProjectId> {
    ProjectId::parse(&member.named).ok_or(Error::NotFound)
}

pub(super) async fn show(member: Member) -> Result<Response> {
    one(&member, None, &Typed::default()).await
}

pub(super) async fn rename(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["name"]);
    let name = member.form.required("name", |text| ProjectName::parse(text.trim()));
    let id = id(&member)?;
    let renamed = match std::mem::replace(&mut member.form, Form::empty()).finish(name) {
        Ok(name) => projects::rename(&member.app, &member.actor, id, name).await,
        Err(fault) => Err(fault),
    };
    match renamed {
        Ok(_) => Ok(go_to(&links::after(&format!("{PATH}/{id}"), "saved"))),
        Err(error) => one(&member, Some(typed.wrong(member.frame.t, error)?), &Typed::default()).await,
    }
}

pub(super) async fn share(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["email"]);
    let id = id(&member)?;
    let with = vec![UserRef::Login(LoginName::parse(typed.value("email").trim()))];
    match projects::set_sharing(&member.app, &member.actor, id, with, Sharing::Share).await {
        Ok(_) => Ok(go_to(&links::after(&format!("{PATH}/{id}"), "project_shared"))),
        Err(Error::NotFound) => {
            // The project itself may be what is not there.
            projects::get(&member.app, &member.actor.caller, id).await?;
            let nobody = typed.at(StatusCode::NOT_FOUND, "email", member.frame.t.nobody_by_that_name);
            one(&member, None, &nobody).await
        }
        Err(error) => one(&member, None, &typed.wrong(member.frame.t, error)?).await,
    }
}

pub(super) async fn unshare(mut member: Member) -> Result<Response> {
    let id = id(&member)?;
    let user = member.form.required("user", |text| UserId::parse(text).ok_or_else(|| "must be an id".to_owned()));
    let user = std::mem::replace(&mut member.form, Form::empty()).finish(user)?;
    projects::set_sharing(&member.app, &member.actor, id, vec![UserRef::Id(user)], Sharing::Unshare).await?;
    Ok(go_to(&links::after(&format!("{PATH}/{id}"), "project_unshared")))
}

async fn question(member: &Member) -> Result<Question> {
    let project = projects::get(&member.app, &member.actor.caller, id(member)?).await?.project;
    let back = format!("{PATH}/{}", project.id);
    Ok(Question::delete_project(member.frame.t, project, PATH, back))
}

pub(super) async fn ask_delete(member: Member) -> Result<Response> {
    Ok(question(&member).await?.ask(&member.frame, &Typed::default()))
}

pub(super) async fn delete(mut member: Member) -> Result<Response> {
    let typed = Typed::of(&mut member.form, &["typed"]);
    if let Some(again) = question(&member).await?.unless_confirmed(&member.frame, &typed) {
        return Ok(again);
    }
    projects::delete(&member.app, &member.actor, id(&member)?).await?;
    Ok(go_to(&links::after(PATH, "project_deleted")))
}
