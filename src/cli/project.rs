//! `doorward project`: makes, shows, shares and deletes projects.

mod shape;

use self::shape::{ProjectRow, ProjectShape};
use super::arguments::{Limit, ProjectCommand, ShareWith};
use super::message::{Failure, Subject, about};
use super::operator::Operator;
use super::output;
use super::password;
use crate::actions::projects::{self, Sharing};
use crate::domain::id::ProjectId;
use crate::domain::project::ProjectName;
use crate::domain::user::UserRef;

pub(super) async fn run(operator: &Operator, command: ProjectCommand) -> Result<(), Failure> {
    match command {
        ProjectCommand::Add { name, owner } => add(operator, name, &owner).await,
        ProjectCommand::List { user, limit, after } => list(operator, &user, &limit, after).await,
        ProjectCommand::Show(which) => show(operator, which.id).await,
        ProjectCommand::Share(with) => set_sharing(operator, with, Sharing::Share).await,
        ProjectCommand::Unshare(with) => set_sharing(operator, with, Sharing::Unshare).await,
        ProjectCommand::Delete { which, yes } => delete(operator, which.id, yes).await,
    }
}

async fn add(operator: &Operator, name: ProjectName, owner: &str) -> Result<(), Failure> {
    let id = UserRef::Id(operator.user(owner).await?.id);
    let created = projects::create(&operator.app, &operator.actor, name, Some(&id)).await;
    let created = created.map_err(about(Subject::User(owner)))?;
    let shape = load(operator, created.project.id).await?;
    operator.output.done(&shape, &format!("project {:?} was made with id {}", shape.name(), created.project.id))
}

async fn list(operator: &Operator, login: &str, limit: &Limit, after: Option<ProjectId>) -> Result<(), Failure> {
    let user = operator.user(login).await?.id;
    let asked = limit.to_ask_for();
    let listed = projects::list(&operator.app, &operator.actor.caller, Some(&UserRef::Id(user)), after, asked).await;
    let mut listed = listed.map_err(about(Subject::User(login)))?;
    let more = limit.cut(&mut listed);
    let rows: Vec<_> = listed.iter().map(|found| ProjectRow::new(found, user)).collect();
    let empty = if after.is_some() {
        "no more projects".to_owned()
    } else {
        format!("{login:?} has no projects: `doorward project add NAME --owner LOGIN` makes one")
    };
    let header = ["ID", "NAME", "ROLE", "SHARED WITH", "STATUS", "CREATED"];
    operator.output.list(&rows, header, ProjectRow::row, &empty)?;
    if let (true, Some(last)) = (more, listed.last()) {
        let next = format!("there are more: `doorward project list --user LOGIN --after {}`", last.project.id);
        output::remark(&next);
    }
    Ok(())
}

async fn show(operator: &Operator, id: ProjectId) -> Result<(), Failure> {
    let shape = load(operator, id).await?;
    operator.output.fields(&shape, &shape.fields())
}

async fn load(operator: &Operator, id: ProjectId) -> Result<ProjectShape, Failure> {
    let found = projects::get(&operator.app, &operator.actor.caller, id).await.map_err(about(Subject::Project(id)))?;
    let members =
        projects::members(&operator.app, &operator.actor.caller, id).await.map_err(about(Subject::Project(id)))?;
    Ok(ProjectShape::new(found.project, members))
}

async fn set_sharing(operator: &Operator, wanted: ShareWith, sharing: Sharing) -> Result<(), Failure> {
    let id = wanted.which.id;
    // One by one, so that a message can say who or what is missing.
    projects::get(&operator.app, &operator.actor.caller, id).await.map_err(about(Subject::Project(id)))?;
    let mut with = Vec::with_capacity(wanted.logins.len());
    for login in &wanted.logins {
        with.push(UserRef::Id(operator.user(login).await?.id));
    }
    let shared = projects::set_sharing(&operator.app, &operator.actor, id, with, sharing).await;
    shared.map_err(about(Subject::Project(id)))?;
    let shape = load(operator, id).await?;
    operator.output.done(&shape, &format!("project {:?} is shared with {}", shape.name(), shape.shared_with()))
}

async fn delete(operator: &Operator, id: ProjectId, yes: bool) -> Result<(), Failure> {
    let shape = load(operator, id).await?;
    if !yes {
        password::confirm_deletion(&format!("project {:?}", shape.name()), shape.name())?;
    }
    projects::delete(&operator.app, &operator.actor, id).await.map_err(about(Subject::Project(id)))?;
    operator.output.done(&shape, &format!("project {:?} is deleted", shape.name()))
}
