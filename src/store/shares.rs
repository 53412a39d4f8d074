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
