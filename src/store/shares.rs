//! Whom projects are shared with.

use super::sql::statements;
use super::{Change, Reads, Tx};
use crate::domain::error::Result;
use crate::domain::id::{ProjectId, UserId};

statements! {
    OF_PROJECT: (ProjectId) -> (UserId,) =
        "select user_id from project_shares where project_id = $1 order by user_id";
    MEMBERS: (ProjectId) -> (UserId, Option<String>, Option<String>) = "select users.id, users.email, users.username
        from project_shares join users on users.id = project_shares.user_id
        where project_shares.project_id = $1 order by users.id";
    OF_OWNER: (UserId) -> (ProjectId, UserId, Option<String>, Option<String>) =
        "select project_shares.project_id, users.id, users.email, users.username from projects
        join project_shares on project_shares.project_id = projects.id
        join users on users.id = project_shares.user_id
        where projects.user_id = $1 order by projects.id desc limit 10001";
    WITH_USER: (UserId) -> (ProjectId, String, UserId, Option<String>, Option<String>) =
        "select projects.id, projects.name, users.id, users.email, users.username from project_shares
        join projects on projects.id = project_shares.project_id
        join users on users.id = projects.user_id
        where project_shares.user_id = $1 order by project_shares.project_id desc limit 10001";
    INSERT: (ProjectId, UserId) -> () =
        "insert into project_shares (project_id, user_id) values ($1, $2) on conflict do nothing";
    DELETE: (ProjectId, UserId) -> () = "delete from project_shares where project_id = $1 and user_id = $2";
}

/// The users a project is shared with, ascending.
pub(crate) async fn list(reads: &Reads<'_>, project: ProjectId) -> Result<Vec<UserId>> {
    Ok(reads.all(&OF_PROJECT, (project,)).await?.into_iter().map(|(user,)| user).collect())
}

/// The same with their email and username.
pub(crate) async fn list_members(
    reads: &Reads<'_>,
    project: ProjectId,
) -> Result<Vec<(UserId, Option<String>, Option<String>)>> {
    reads.all(&MEMBERS, (project,)).await
}

/// With whom the projects of an owner are shared, and what each of those is shown by: of the newest
/// projects, at most 10,001.
pub(crate) async fn list_of_owner(reads: &Reads<'_>, owner: UserId) -> Result<Vec<(ProjectId, UserId, String)>> {
    let shown = |(project, user, email, username): (_, _, Option<String>, Option<String>)| {
        (project, user, email.or(username).unwrap_or_default())
    };
    Ok(reads.all(&OF_OWNER, (owner,)).await?.into_iter().map(shown).collect())
}

/// A project that is shared with somebody.
pub(crate) struct SharedWith {
    /// Which.
    pub(crate) project: ProjectId,
    /// Its name.
    pub(crate) name: String,
    /// Whose it is.
    pub(crate) owner: UserId,
    /// What the owner is shown by.
    pub(crate) owner_name: String,
}

/// The projects that are shared with a user: the newest, at most 10,001.
pub(crate) async fn list_with_user(reads: &Reads<'_>, user: UserId) -> Result<Vec<SharedWith>> {
    let shared = |(project, name, owner, email, username): (_, _, _, Option<String>, Option<String>)| SharedWith {
        project,
        name,
        owner,
        owner_name: email.or(username).unwrap_or_default(),
    };
    Ok(reads.all(&WITH_USER, (user,)).await?.into_iter().map(shared).collect())
}

/// Shares a project with a user; false where it was already.
pub(crate) async fn insert(tx: &Tx<'_>, project: ProjectId, user: UserId) -> Result<bool> {
    let inserted = tx.execute(&INSERT, (project, user)).await?;
    tx.record(Change::Project(project));
    Ok(inserted > 0)
}

/// Takes that back; false where it was not shared with them.
pub(crate) async fn delete(tx: &Tx<'_>, project: ProjectId, user: UserId) -> Result<bool> {
    let deleted = tx.execute(&DELETE, (project, user)).await?;
    tx.record(Change::Project(project));
    Ok(deleted > 0)
}
