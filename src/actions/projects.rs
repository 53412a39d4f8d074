//! Projects and sharing.

use futures_util::future::try_join_all;

use super::{credentials, users};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::project::{Counters, Project, ProjectFlags, ProjectName};
use crate::domain::user::UserRef;
use crate::store::{self, Reads, Tx};

/// A project with the users it is shared with.
pub struct SharedProject {
    /// The project.
    pub project: Project,
    /// Whom it is shared with, ascending.
    pub shared_with: Vec<UserId>,
}

/// Makes a project of the caller's, or of another user's for an administrator.
///
/// # Errors
///
/// [`Error::Forbidden`] for another's without administrator power, [`Error::NotFound`].
pub async fn create(app: &App, actor: &Actor, name: ProjectName, owner: Option<&UserRef>) -> Result<SharedProject> {
    let event = actor.event(Action::ProjectCreated);
    app.audit().note(&event, make(app, actor, event.clone(), name, owner).await)
}

async fn make(
    app: &App,
    actor: &Actor,
    event: Event,
    name: ProjectName,
    owner: Option<&UserRef>,
) -> Result<SharedProject> {
    let owner = match owner {
        Some(owner) => {
            actor.caller.require_admin()?;
            users::get(app, &actor.caller, owner).await?.id
        }
        None => actor.caller.require_user()?,
    };
    let now = app.now();
    let project = Project {
        id: ProjectId::generate(now, App::entropy()),
        user_id: owner,
        name: name.as_str().to_owned(),
        kind: String::new(),
        partner: String::new(),
        status: "active".to_owned(),
        counters: Counters::default(),
        hourly_time: now,
        flags: ProjectFlags::new(),
        created_at: now,
    };
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        users::reread(tx.shared(), owner).await?;
        store::projects::insert(tx, &project).await?;
        tx.audit(event.about(project.id).of(owner));
        Ok(SharedProject { project, shared_with: Vec::new() })
    })
    .await
}

async fn load(reads: &Reads<'_>, id: ProjectId) -> Result<SharedProject> {
    let project = store::projects::find(reads, id).await?.ok_or(Error::NotFound)?;
    let shared_with = store::shares::list(reads, id).await?;
    Ok(SharedProject { project, shared_with })
}

/// A project, for its owner, those it is shared with, and administrators.
///
/// # Errors
///
/// [`Error::NotFound`] for anybody else.
pub async fn get(app: &App, caller: &Caller, id: ProjectId) -> Result<SharedProject> {
    let found = load(&app.store().reads(), id).await?;
    let known =
        caller.is_admin() || caller.is(found.project.user_id) || found.shared_with.iter().any(|user| caller.is(*user));
    if known { Ok(found) } else { Err(Error::NotFound) }
}

/// A project that the caller may change: its owner, and administrators.
async fn get_own(app: &App, actor: &Actor, id: ProjectId) -> Result<SharedProject> {
    let found = get(app, &actor.caller, id).await?;
    if actor.caller.is_admin() || actor.caller.is(found.project.user_id) {
        return Ok(found);
    }
    Err(Error::Forbidden("only the project's owner may do this"))
}

/// At most `limit` projects above `after` that a user owns or that are shared with them: the
/// caller, or another user for an administrator.
///
/// # Errors
///
/// [`Error::NotFound`] for another's without administrator power.
pub async fn list(
    app: &App,
    caller: &Caller,
    user: Option<&UserRef>,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<SharedProject>> {
    let user = match user {
        Some(user) => users::get(app, caller, user).await?.id,
        None => caller.require_user()?,
    };
    let reads = app.store().reads();
    let projects = store::projects::list_of_user(&reads, user, after, limit).await?;
    // Asked together: on a network they come together, too.
    try_join_all(projects.into_iter().map(async |project| {
        let shared_with = store::shares::list(&reads, project.id).await?;
        Ok(SharedProject { project, shared_with })
    }))
    .await
}

/// A change of some of a project's fields.
#[derive(Clone, Default)]
pub struct UpdateProject {
    /// Another name.
    pub name: Option<ProjectName>,
    /// What only administrators set; from others it is passed over.
    pub administration: ProjectAdministration,
}

/// The fields of a project that administrators set.
#[derive(Clone, Default)]
pub struct ProjectAdministration {
    /// `type` on the wire.
    pub kind: Option<String>,
    /// A free text.
    pub partner: Option<String>,
    /// A free text.
    pub status: Option<String>,
    /// Boolean switches.
    pub flags: Option<ProjectFlags>,
    /// Seconds of work done.
    pub total_duration: Option<i64>,
    /// How many schedules are allowed.
    pub max_schedules: Option<i64>,
    /// How many schedules there are.
    pub schedules_count: Option<i64>,
    /// How many tasks there were.
    pub task_count: Option<i64>,
    /// How many tasks there were in the hour.
    pub hourly_task_count: Option<i64>,
    /// When that hour began.
    pub hourly_time: Option<Timestamp>,
}

impl ProjectAdministration {
    fn apply(self, project: &mut Project) {
        fn set<T>(field: &mut T, wanted: Option<T>) {
            if let Some(wanted) = wanted {
                *field = wanted;
            }
        }
        set(&mut project.kind, self.kind);
        set(&mut project.partner, self.partner);
        set(&mut project.status, self.status);
        set(&mut project.flags, self.flags);
        set(&mut project.counters.total_duration, self.total_duration);
        set(&mut project.counters.max_schedules, self.max_schedules);
        set(&mut project.counters.schedules_count, self.schedules_count);
        set(&mut project.counters.task_count, self.task_count);
        set(&mut project.counters.hourly_task_count, self.hourly_task_count);
        set(&mut project.hourly_time, self.hourly_time);
    }
}

/// Changes a project, for its owner and administrators.
///
/// # Errors
///
/// [`Error::NotFound`], or [`Error::Forbidden`] for those it is only shared with.
pub async fn update(app: &App, actor: &Actor, id: ProjectId, input: UpdateProject) -> Result<SharedProject> {
    let event = actor.event(Action::ProjectUpdated).about(id);
    app.audit().note(&event, change(app, actor, event.clone(), id, input).await)
}

async fn change(app: &App, actor: &Actor, event: Event, id: ProjectId, input: UpdateProject) -> Result<SharedProject> {
    get_own(app, actor, id).await?;
    let administration = if actor.caller.is_admin() { input.administration } else { ProjectAdministration::default() };
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        let mut found = load(tx, id).await?;
        let before = found.project.clone();
        if let Some(name) = input.name {
            name.as_str().clone_into(&mut found.project.name);
        }
        administration.apply(&mut found.project);
        tx.audit(event.of(found.project.user_id).with(found.project.fields_that_differ(&before)));
        store::projects::update(tx, &found.project).await?;
        Ok(found)
    })
    .await
}

/// Gives a project another name, for its owner and administrators.
///
/// # Errors
///
/// As [`update`].
pub async fn rename(app: &App, actor: &Actor, id: ProjectId, name: ProjectName) -> Result<SharedProject> {
    update(app, actor, id, UpdateProject { name: Some(name), ..UpdateProject::default() }).await
}

/// Deletes a project, for its owner and administrators.
///
/// # Errors
///
/// [`Error::NotFound`], or [`Error::Forbidden`] for those it is only shared with.
pub async fn delete(app: &App, actor: &Actor, id: ProjectId) -> Result<()> {
    let event = actor.event(Action::ProjectDeleted).about(id);
    app.audit().note(&event, take_away(app, actor, event.clone(), id).await)
}

async fn take_away(app: &App, actor: &Actor, event: Event, id: ProjectId) -> Result<()> {
    let owner = get_own(app, actor, id).await?.project.user_id;
    credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        tx.audit(event.of(owner));
        if store::projects::delete(tx, id).await? { Ok(()) } else { Err(Error::NotFound) }
    })
    .await
}

/// What to do with the users of a share request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// They may use the project.
    Share,
    /// They may not.
    Unshare,
}

/// Shares a project with users, or takes it back; all of them or, where one is unknown, none.
///
/// # Errors
///
/// [`Error::NotFound`] for the project or one of the users, [`Error::Forbidden`] for those it is
/// only shared with.
pub async fn set_sharing(
    app: &App,
    actor: &Actor,
    id: ProjectId,
    with: Vec<UserRef>,
    sharing: Sharing,
) -> Result<SharedProject> {
    let action = match sharing {
        Sharing::Share => Action::ProjectShared,
        Sharing::Unshare => Action::ProjectUnshared,
    };
    let event = actor.event(action).about(id);
    app.audit().note(&event, share(app, actor, event.clone(), (id, with), sharing).await)
}

async fn share(
    app: &App,
    actor: &Actor,
    event: Event,
    (id, with): (ProjectId, Vec<UserRef>),
    sharing: Sharing,
) -> Result<SharedProject> {
    get_own(app, actor, id).await?;
    // Whoever is told that there is no such user asks who there is.
    let asking = if actor.caller.is_admin() { None } else { Some(app.throttle().look_up(actor.origin.address)?) };
    let shared = credentials::write_as(app, actor, async move |tx: &Tx<'_>| {
        let owner = store::projects::find_owner(tx, id).await?.ok_or(Error::NotFound)?;
        for user in &with {
            let user = users::find(tx.shared(), user).await?.ok_or(Error::NotFound)?.id;
            let is_changed = match sharing {
                // The owner has it anyway.
                Sharing::Share if user == owner => false,
                Sharing::Share => store::shares::insert(tx, id, user).await?,
                Sharing::Unshare => store::shares::delete(tx, id, user).await?,
            };
            if is_changed {
                tx.audit(event.clone().of(user));
            }
        }
        load(tx, id).await
    })
    .await;
    if let Some(asking) = asking
        && !matches!(shared, Err(Error::NotFound))
    {
        asking.withdraw();
    }
    shared
}

/// Somebody who may use a project.
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// The address, else the username.
    pub login: String,
    /// Whether it is the owner.
    pub owner: bool,
}

/// Who may use a project, the owner first; for all of them and administrators.
///
/// # Errors
///
/// [`Error::NotFound`] for anybody else.
pub async fn members(app: &App, caller: &Caller, id: ProjectId) -> Result<Vec<Member>> {
    let found = get(app, caller, id).await?;
    let reads = app.store().reads();
    let owner = store::users::find(&reads, found.project.user_id).await?.ok_or(Error::NotFound)?;
    let mut members = vec![Member { user_id: owner.id, login: login(owner.email, owner.username), owner: true }];
    for (user_id, email, username) in store::shares::list_members(&reads, id).await? {
        members.push(Member { user_id, login: login(email, username), owner: false });
    }
    Ok(members)
}

fn login(email: Option<String>, username: Option<String>) -> String {
    email.or(username).unwrap_or_default()
}
