//! Projects.

use super::sql::{row, statements};
use super::{Change, Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::project::{Counters, Project, ProjectAccess, ProjectFlags};

macro_rules! columns {
    () => {
        "id, user_id, name, kind, partner, status, total_duration, max_schedules, schedules_count, task_count, \
         hourly_task_count, hourly_time, flags, created_at"
    };
}

statements! {
    BY_ID: (ProjectId) -> ProjectRow = concat!("select ", columns!(), " from projects where id = $1");
    OWNER: (ProjectId) -> (UserId,) = "select user_id from projects where id = $1";
    ACCESS: (ProjectId) -> (UserId, Option<UserId>) = "select projects.user_id, project_shares.user_id
        from projects left join project_shares on project_shares.project_id = projects.id where projects.id = $1";
    IDS_OF_OWNER: (UserId) -> (ProjectId,) = "select id from projects where user_id = $1";
    OF_USER: (UserId, UserId, ProjectId, i64) -> ProjectRow = concat!("select ", columns!(), " from projects
        where id in (select id from projects where user_id = $1
            union select project_id from project_shares where user_id = $2) and id > $3
        order by id limit $4");
    NEWEST: (ProjectId) -> ProjectRow =
        concat!("select ", columns!(), " from projects where id <= $1 order by id desc limit 101");
    NEWEST_OF_OWNER: (UserId, ProjectId) -> ProjectRow = concat!("select ", columns!(), " from projects
        where user_id = $1 and id <= $2 order by id desc limit 101");
    /// By the time among equal names: where it was the id, PostgreSQL would go along all ids for few of a name.
    NAMED: (String, Timestamp, ProjectId) -> ProjectRow = concat!("select ", columns!(), " from projects
        where lower(name) = $1 and (created_at, id) >= ($2, $3) order by created_at, id limit 101");
    NAMED_OF_OWNER: (UserId, String, Timestamp, ProjectId) -> ProjectRow = concat!("select ", columns!(), " from projects
        where user_id = $1 and lower(name) = $2 and (created_at, id) >= ($3, $4) order by created_at, id limit 101");
    NAMED_BEHIND: (String, String) -> ProjectRow = concat!("select ", columns!(), " from projects
        where lower(name) > $1 and lower(name) < $2 order by lower(name), created_at, id limit 101");
    NAMED_BEHIND_OF_OWNER: (UserId, String, String) -> ProjectRow = concat!("select ", columns!(), " from projects
        where user_id = $1 and lower(name) > $2 and lower(name) < $3 order by lower(name), created_at, id limit 101");
    COUNT: () -> (i64,) = "select count(*) from projects";
    INSERT: (
        ProjectId, UserId, String, String, String, String, i64, i64, i64, i64, i64, Timestamp, String, Timestamp
    ) -> () = concat!("insert into projects (", columns!(), ")
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)");
    UPDATE: (
        String, String, String, String, i64, i64, i64, i64, i64, Timestamp, String, ProjectId
    ) -> () = "update projects set name = $1, kind = $2, partner = $3, status = $4, total_duration = $5,
        max_schedules = $6, schedules_count = $7, task_count = $8, hourly_task_count = $9, hourly_time = $10,
        flags = $11 where id = $12";
    DELETE: (ProjectId) -> () = "delete from projects where id = $1";
}

row! {
    struct ProjectRow {
        id: ProjectId,
        user_id: UserId,
        name: String,
        kind: String,
        partner: String,
        status: String,
        total_duration: i64,
        max_schedules: i64,
        schedules_count: i64,
        task_count: i64,
        hourly_task_count: i64,
        hourly_time: Timestamp,
        flags: String,
        created_at: Timestamp,
    }
}

impl ProjectRow {
    fn into_project(self) -> Result<Project> {
        let flags: ProjectFlags = serde_json::from_str(&self.flags)
            .map_err(|_| Error::Internal(format!("the flags of project {} cannot be read", self.id)))?;
        Ok(Project {
            id: self.id,
            user_id: self.user_id,
            name: self.name,
            kind: self.kind,
            partner: self.partner,
            status: self.status,
            counters: Counters {
                total_duration: self.total_duration,
                max_schedules: self.max_schedules,
                schedules_count: self.schedules_count,
                task_count: self.task_count,
                hourly_task_count: self.hourly_task_count,
            },
            hourly_time: self.hourly_time,
            flags,
            created_at: self.created_at,
        })
    }
}

pub(crate) async fn find(reads: &Reads<'_>, id: ProjectId) -> Result<Option<Project>> {
    reads.first(&BY_ID, (id,)).await?.map(ProjectRow::into_project).transpose()
}

pub(crate) async fn find_owner(reads: &Reads<'_>, id: ProjectId) -> Result<Option<UserId>> {
    Ok(reads.first(&OWNER, (id,)).await?.map(|(owner,)| owner))
}

/// Who may use a project.
pub(crate) async fn find_access(reads: &Reads<'_>, id: ProjectId) -> Result<Option<ProjectAccess>> {
    let rows = reads.all(&ACCESS, (id,)).await?;
    let Some((owner, _)) = rows.first() else { return Ok(None) };
    let shared_with = rows.iter().filter_map(|(_, user)| *user).collect();
    Ok(Some(ProjectAccess::new(*owner, shared_with)))
}

/// At most `limit` projects that the user owns or that are shared with them, ascending by id.
pub(crate) async fn list_of_user(
    reads: &Reads<'_>,
    user: UserId,
    after: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<Project>> {
    let after = after.unwrap_or(ProjectId::from_bytes([0; 12]));
    let rows = reads.all(&OF_USER, (user, user, after, limit)).await?;
    rows.into_iter().map(ProjectRow::into_project).collect()
}

/// The next [`super::users::search::FOUND_AT_ONCE`] projects from `from` on, of an owner or of all, the
/// newest first.
pub(crate) async fn newest(reads: &Reads<'_>, owner: Option<UserId>, from: ProjectId) -> Result<Vec<Project>> {
    let rows = match owner {
        Some(owner) => reads.all(&NEWEST_OF_OWNER, (owner, from)).await?,
        None => reads.all(&NEWEST, (from,)).await?,
    };
    rows.into_iter().map(ProjectRow::into_project).collect()
}

/// A project's name in the form that is looked for: without regard to the case of the letters from A to Z.
pub(crate) fn name_key(name: &str) -> String {
    name.to_ascii_lowercase()
}

/// A place among projects in the order of their names.
pub(crate) struct NamedPlace {
    /// The name, as [`name_key`] has it.
    pub(crate) key: String,
    /// Among equal names the older ones come first.
    pub(crate) created_at: Timestamp,
    /// And then those with the lesser id.
    pub(crate) id: ProjectId,
}

/// The next projects by their names, of an owner or of all: from a place on, and with a key before `below`.
/// [`super::users::search::FOUND_AT_ONCE`] of them, or up to as many more.
pub(crate) async fn by_name(
    reads: &Reads<'_>,
    owner: Option<UserId>,
    from: &NamedPlace,
    below: &str,
) -> Result<Vec<Project>> {
    let key = from.key.as_str();
    // Two statements: SQLite does not find its place among equal names by one.
    let mut rows = match owner {
        Some(owner) => reads.all(&NAMED_OF_OWNER, (owner, key, from.created_at, from.id)).await?,
        None => reads.all(&NAMED, (key, from.created_at, from.id)).await?,
    };
    if rows.len() < super::users::search::FOUND_AT_ONCE {
        rows.extend(match owner {
            Some(owner) => reads.all(&NAMED_BEHIND_OF_OWNER, (owner, key, below)).await?,
            None => reads.all(&NAMED_BEHIND, (key, below)).await?,
        });
    }
    rows.into_iter().map(ProjectRow::into_project).collect()
}

/// How many projects there are.
pub(crate) async fn count(reads: &Reads<'_>) -> Result<u64> {
    reads.count(&COUNT, ()).await
}

pub(crate) async fn insert(tx: &Tx<'_>, project: &Project) -> Result<()> {
    let counters = project.counters;
    tx.execute(
        &INSERT,
        (
            project.id,
            project.user_id,
            &project.name,
            &project.kind,
            &project.partner,
            &project.status,
            counters.total_duration,
            counters.max_schedules,
            counters.schedules_count,
            counters.task_count,
            counters.hourly_task_count,
            project.hourly_time,
            &to_text(&project.flags),
            project.created_at,
        ),
    )
    .await
    .map(drop)
}

/// Writes everything but the owner.
pub(crate) async fn update(tx: &Tx<'_>, project: &Project) -> Result<()> {
    let counters = project.counters;
    tx.execute(
        &UPDATE,
        (
            &project.name,
            &project.kind,
            &project.partner,
            &project.status,
            counters.total_duration,
            counters.max_schedules,
            counters.schedules_count,
            counters.task_count,
            counters.hourly_task_count,
            project.hourly_time,
            &to_text(&project.flags),
            project.id,
        ),
    )
    .await
    .map(drop)
}

/// Deletes a project; false where there is none.
pub(crate) async fn delete(tx: &Tx<'_>, id: ProjectId) -> Result<bool> {
    let deleted = tx.execute(&DELETE, (id,)).await? == 1;
    tx.record(Change::Project(id));
    Ok(deleted)
}

/// Notes that the projects of a user who is about to be deleted go with them.
pub(crate) async fn record_deletion_of_owner(tx: &Tx<'_>, owner: UserId) -> Result<()> {
    for (id,) in tx.all(&IDS_OF_OWNER, (owner,)).await? {
        tx.record(Change::Project(id));
    }
    Ok(())
}

fn to_text(flags: &ProjectFlags) -> String {
    serde_json::to_string(flags).unwrap_or_else(|_| "{}".to_owned())
}
