//! `/1/projects`, and the clusters that clients ask for and of which there are none.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use super::failure::{FailedDeletion, Failure};
use super::request::{Named, Page, actor, caller};
use super::tokens::parse_moment;
use super::wire::{self, ProjectList};
use crate::actions::projects::{self, ProjectAdministration, UpdateProject};
use crate::app::App;
use crate::domain::audit::Action;
use crate::domain::error::Result;
use crate::domain::id::ProjectId;
use crate::domain::project::{ProjectFlags, ProjectName, parse_label};
use crate::domain::session::Dialect;
use crate::domain::user::JsonObject;
use crate::http::answer;
use crate::http::exchange::Exchange;
use crate::http::form::Form;

pub(super) async fn create(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    let mut form = exchange.json_form()?;
    let name = form.required("name", ProjectName::parse);
    let name = form.finish(name)?;
    Ok(wire::project(&projects::create(&app, &actor, name, None).await?, None))
}

pub(super) async fn list(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    let page = Page::read(&parts, ProjectId::parse)?;
    let found = projects::list(&app, &caller, None, page.after, page.limit).await?;
    Ok(answer::json(StatusCode::OK, &ProjectList::of(&found)))
}

pub(super) async fn get(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let caller = caller(&app, &parts).await?;
    Ok(wire::project(&projects::get(&app, &caller, named.project()?).await?, None))
}

pub(super) async fn update(State(app): State<App>, named: Named, request: Request) -> Result<Response, Failure> {
    let exchange = Exchange::read(&app, Dialect::Iron, request).await?;
    let actor = actor(&app, &exchange.parts).await?;
    // Whether there is such a project comes before what is wrong with the body.
    let id = named.project()?;
    let attempt = actor.event(Action::ProjectUpdated).about(id);
    app.audit().note(&attempt, projects::get(&app, &actor.caller, id).await)?;
    let mut form = exchange.json_form()?;
    let name = form.optional("name", ProjectName::parse);
    // From others these are not even read.
    let administration =
        if actor.caller.is_admin() { administration(&mut form) } else { ProjectAdministration::default() };
    form.finish(())?;
    let input = UpdateProject { name, administration };
    Ok(wire::project(&projects::update(&app, &actor, id, input).await?, None))
}

fn administration(form: &mut Form) -> ProjectAdministration {
    const COUNTER: std::ops::RangeInclusive<i64> = 0..=i64::MAX;
    let flags = form.object("flags");
    ProjectAdministration {
        kind: form.optional("type", parse_label),
        partner: form.optional("partner", parse_label),
        status: form.optional("status", parse_label),
        flags: flags.and_then(|flags| form.check("flags", read_flags(&flags))),
        total_duration: form.integer("total_duration", COUNTER),
        max_schedules: form.integer("max_schedules", COUNTER),
        schedules_count: form.integer("schedules_count", COUNTER),
        task_count: form.integer("task_count", COUNTER),
        hourly_task_count: form.integer("hourly_task_count", COUNTER),
        hourly_time: form.optional("hourly_time", parse_moment),
    }
}

fn read_flags(flags: &JsonObject) -> Result<ProjectFlags, String> {
    let read = |(name, value): (&String, &Value)| Some((name.clone(), value.as_bool()?));
    flags.iter().map(read).collect::<Option<_>>().ok_or_else(|| "must be an object of booleans".to_owned())
}

pub(super) async fn delete(State(app): State<App>, named: Named, request: Request) -> Result<Response, FailedDeletion> {
    let (parts, _) = request.into_parts();
    let actor = actor(&app, &parts).await?;
    projects::delete(&app, &actor, named.project()?).await?;
    Ok(wire::success())
}

pub(super) async fn clusters(State(app): State<App>, request: Request) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    caller(&app, &parts).await?;
    Ok(answer::json(StatusCode::OK, &json!({ "clusters": [], "msg": "success" })))
}
