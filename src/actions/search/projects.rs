//! Looks for projects, of an owner or of all, by what their names begin with.

use super::{NEWEST, Page, cursor, named, size};
use crate::app::App;
use crate::clock::Timestamp;
use crate::domain::caller::Caller;
use crate::domain::error::Result;
use crate::domain::id::{ID_BYTES, ProjectId, UserId};
use crate::domain::project::Project;
use crate::store;
use crate::store::projects::{NamedPlace, name_key};

/// What projects are looked for.
#[derive(Clone, Debug, Default)]
pub struct ProjectSearch {
    /// What the name begins with, without regard to the case of the letters from A to Z, or a whole id; all
    /// where empty.
    pub text: String,
    /// Of this owner.
    pub owner: Option<UserId>,
}

/// Projects, each with what its owner is shown by, for administrators: the newest first or, where a text is
/// looked for, in the order of their names. At most `limit`, and 100.
///
/// # Errors
///
/// [`crate::domain::error::Error::Forbidden`] without administrator power,
/// [`crate::domain::error::Error::Invalid`] where `after` is not what an earlier page gave.
pub async fn projects(
    app: &App,
    caller: &Caller,
    search: &ProjectSearch,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<(Project, String)>> {
    caller.require_admin()?;
    let reads = app.store().reads();
    let text = search.text.trim();
    let page = if text.is_empty() {
        let from = cursor::id(after, ProjectId::parse)?.unwrap_or(ProjectId::from_bytes(NEWEST));
        let found = store::projects::newest(&reads, search.owner, from).await?;
        Page::of(found, size(limit), |project| project.id.to_string())
    } else if let Some(project) = by_id(app, search, text).await? {
        Page { rows: vec![project], next: None }
    } else {
        by_name(app, search.owner, &name_key(text), after, limit).await?
    };
    named(&reads, page, |project| project.user_id).await
}

async fn by_id(app: &App, search: &ProjectSearch, text: &str) -> Result<Option<Project>> {
    let Some(id) = ProjectId::parse(text) else { return Ok(None) };
    let found = store::projects::find(&app.store().reads(), id).await?;
    Ok(found.filter(|project| search.owner.is_none_or(|owner| project.user_id == owner)))
}

async fn by_name(
    app: &App,
    owner: Option<UserId>,
    prefix: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<Project>> {
    let first = || NamedPlace {
        key: prefix.to_owned(),
        created_at: Timestamp::from_micros(i64::MIN),
        id: ProjectId::from_bytes([0; ID_BYTES]),
    };
    let from = cursor::key(after, |key| read(key, prefix))?.unwrap_or_else(first);
    let Some(below) = cursor::above(prefix) else {
        return Ok(Page { rows: Vec::new(), next: None });
    };
    let found = store::projects::by_name(&app.store().reads(), owner, &from, &below).await?;
    Ok(Page::of(found, size(limit), write))
}

/// A cursor is the place that the page begins at.
fn write(project: &Project) -> String {
    let (created_at, id) = (project.created_at.micros().to_be_bytes(), project.id.as_bytes());
    cursor::write(&[&created_at, id.as_slice(), name_key(&project.name).as_bytes()].concat())
}

fn read(cursor: &[u8], prefix: &str) -> Option<NamedPlace> {
    let (created_at, rest) = cursor.split_first_chunk()?;
    let (id, key) = rest.split_first_chunk()?;
    let key = cursor::text(key).filter(|key| key.starts_with(prefix))?.to_owned();
    let created_at = Timestamp::from_micros(i64::from_be_bytes(*created_at));
    Some(NamedPlace { key, created_at, id: ProjectId::from_bytes(*id) })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_only_where_it_lies_among_what_is_looked_for(
            bytes: Vec<u8>, key in "[ab]{0,3}\\PC{0,5}", prefix in "[ab]{0,2}"
        ) {
            let made = [[7; 20].as_slice(), key.as_bytes()].concat();
            prop_assert_eq!(read(&made, &prefix).is_some(), key.starts_with(&prefix));
            prop_assert!(read(&bytes, &prefix).is_none_or(|place| place.key.starts_with(&prefix)));
        }
    }
}
