//! Who asks, and whether they may use a project: the questions that are asked all the time.

use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::error::{Error, Result};
use crate::domain::id::ProjectId;

/// The caller that a token identifies, in whatever dialect it was given out.
///
/// # Errors
///
/// [`Error::Unauthenticated`] with the reason.
pub async fn verify(app: &App, token: &str) -> Result<Caller> {
    app.guard().verify(token, app.now()).await
}

/// Whether the caller may use a project: its owner, those it is shared with, administrators.
///
/// # Errors
///
/// [`Error::NotFound`] where there is no such project, or none that the caller may know of.
pub async fn use_project(app: &App, caller: &Caller, project: ProjectId) -> Result<()> {
    let access = app.guard().project_access(project).await?.ok_or(Error::NotFound)?;
    let admitted = caller.is_admin() || access.admits(caller.require_user()?.id);
    if admitted { Ok(()) } else { Err(Error::NotFound) }
}
