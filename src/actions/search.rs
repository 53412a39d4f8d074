//! What administrators look for among all there is, a page at a time. A page begins where the one before
//! ended, by a key and not by a count: the thousandth costs what the first does.

mod cursor;
mod projects;
mod users;

use std::collections::HashMap;

use futures_util::future::try_join_all;

pub use self::projects::{ProjectSearch, projects};
pub use self::users::{UserSearch, users};
use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::error::Result;
use crate::domain::id::{ID_BYTES, SessionId, TokenId, UserId};
use crate::domain::session::Session;
use crate::domain::token::ApiToken;
use crate::store::users::search::{FOUND_AT_ONCE, shown_name};
use crate::store::{self, Reads};

/// One page of what was looked for.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// What is on it; fewer than were asked for on the last one, and now and then on another.
    pub rows: Vec<T>,
    /// What to give as `after` for the next page; `None` where there is none.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page of the first `limit` of what was found, where the next one begins with the one behind.
    fn of(mut found: Vec<T>, limit: usize, cursor: impl FnOnce(&T) -> String) -> Self {
        let next = found.get(limit).map(cursor);
        found.truncate(limit);
        Self { rows: found, next }
    }
}

/// How many rows a page has: as many as are asked for, at least one, and one less than a statement finds.
fn size(limit: i64) -> usize {
    usize::try_from(limit).unwrap_or(1).clamp(1, FOUND_AT_ONCE - 1)
}

/// Where the newest things begin: no identifier is above.
const NEWEST: [u8; ID_BYTES] = [u8::MAX; ID_BYTES];

/// Users may look at what is their own, administrators at all of it.
fn may_look(caller: &Caller, whose: Option<UserId>) -> Result<()> {
    if whose.is_some_and(|user| caller.is(user)) { Ok(()) } else { caller.require_admin() }
}

/// What sessions are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionSearch {
    /// Of this user.
    pub user: Option<UserId>,
}

/// The live sessions, newest first, each with what its user is shown by, for administrators, and one's own for
/// everybody: at most `limit`, and 100.
///
/// # Errors
///
/// [`crate::domain::error::Error::Forbidden`] for others' without administrator power,
/// [`crate::domain::error::Error::Invalid`] where `after` is not what an earlier page gave.
pub async fn sessions(
    app: &App,
    caller: &Caller,
    search: &SessionSearch,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<(Session, String)>> {
    may_look(caller, search.user)?;
    let from = cursor::id(after, SessionId::parse)?.unwrap_or(SessionId::from_bytes(NEWEST));
    let reads = app.store().reads();
    let found = store::sessions::newest_live(&reads, search.user, app.now(), from).await?;
    let page = Page::of(found, size(limit), |session| session.id.to_string());
    named(&reads, page, |session| session.user_id).await
}

/// What API tokens are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenSearch {
    /// Of this user.
    pub user: Option<UserId>,
}

/// The API tokens, newest first, each with what its user is shown by, for administrators, and one's own for everybody:
/// at most `limit`, and 100.
///
/// # Errors
///
/// As [`sessions`].
pub async fn tokens(
    app: &App,
    caller: &Caller,
    search: &TokenSearch,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<(ApiToken, String)>> {
    may_look(caller, search.user)?;
    let from = cursor::id(after, TokenId::parse)?.unwrap_or(TokenId::from_bytes(NEWEST));
    let reads = app.store().reads();
    let found = store::tokens::newest(&reads, search.user, from).await?;
    let page = Page::of(found, size(limit), |token| token.id.to_string());
    named(&reads, page, |token| token.user_id).await
}

/// Puts to each row what its user is shown by: the address, else the username. What went with its user
/// meanwhile is left out.
async fn named<T>(reads: &Reads<'_>, page: Page<T>, user: impl Fn(&T) -> UserId) -> Result<Page<(T, String)>> {
    let mut users: Vec<UserId> = page.rows.iter().map(&user).collect();
    users.sort_unstable();
    users.dedup();
    // Asked together: on a network they come together, too.
    let names = try_join_all(users.iter().map(|id| shown_name(reads, *id))).await?;
    let names: HashMap<UserId, Option<String>> = users.into_iter().zip(names).collect();
    let name = |row: &T| names.get(&user(row)).cloned().flatten();
    let rows = page.rows.into_iter().filter_map(|row| name(&row).map(|name| (row, name))).collect();
    Ok(Page { rows, next: page.next })
}
