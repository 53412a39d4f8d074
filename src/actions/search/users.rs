//! Looks for users by what their email or username begins with. The two have an index each, which are
//! walked side by side: in the order of all names, and each user once, at the first that fits.

use futures_util::future::{try_join, try_join_all};

use super::{NEWEST, Page, cursor, size};
use crate::app::App;
use crate::domain::caller::Caller;
use crate::domain::error::Result;
use crate::domain::id::UserId;
use crate::domain::user::{Email, Status, User, Username};
use crate::store::users::search::{FOUND_AT_ONCE, Found, Named, by_name, newest};
use crate::store::{self, Reads, UserFilter};

/// How often a page asks for more where all that was found is on an earlier one already.
const ROUNDS: usize = 20;

/// What users are looked for.
#[derive(Clone, Debug, Default)]
pub struct UserSearch {
    /// What the email or username begins with, without regard to case, or a whole id; all where empty.
    pub text: String,
    /// Of this status.
    pub status: Option<Status>,
    /// Who hold `admin`.
    pub admins: bool,
}

/// Users, for administrators: the newest first or, where a text is looked for, in the order of their names.
/// At most `limit`, and 100.
///
/// # Errors
///
/// [`crate::domain::error::Error::Forbidden`] without administrator power,
/// [`crate::domain::error::Error::Invalid`] where `after` is not what an earlier page gave.
pub async fn users(
    app: &App,
    caller: &Caller,
    search: &UserSearch,
    after: Option<&str>,
    limit: i64,
) -> Result<Page<User>> {
    caller.require_admin()?;
    let reads = app.store().reads();
    let filter = UserFilter { status: search.status, admins: search.admins };
    let text = search.text.trim();
    if text.is_empty() {
        let from = cursor::id(after, UserId::parse)?.unwrap_or(UserId::from_bytes(NEWEST));
        let found = newest(&reads, filter, from).await?;
        return filled(&reads, Page::of(found, size(limit), ToString::to_string)).await;
    }
    if let Some(user) = by_id(&reads, filter, text).await? {
        return Ok(Page { rows: vec![user], next: None });
    }
    let after = cursor::key(after, |key| cursor::text(key).map(str::to_owned))?;
    let Some(walk) = Walk::new(text, filter) else { return Ok(Page { rows: Vec::new(), next: None }) };
    let page = walk.page(&reads, after.unwrap_or_default(), size(limit)).await?;
    filled(&reads, page).await
}

async fn by_id(reads: &Reads<'_>, filter: UserFilter, text: &str) -> Result<Option<User>> {
    let Some(id) = UserId::parse(text) else { return Ok(None) };
    let fits =
        |user: &User| filter.status.is_none_or(|status| user.status == status) && (!filter.admins || user.is_admin());
    Ok(store::users::find(reads, id).await?.filter(fits))
}

/// The users of these ids; who is deleted meanwhile is left out.
async fn filled(reads: &Reads<'_>, page: Page<UserId>) -> Result<Page<User>> {
    // Asked together: on a network they come together, too.
    let users = try_join_all(page.rows.iter().map(|id| store::users::find(reads, *id))).await?;
    Ok(Page { rows: users.into_iter().flatten().collect(), next: page.next })
}

/// The texts that begin with one: from it on, and below another.
struct Range {
    from: String,
    below: String,
}

impl Range {
    fn of(prefix: String) -> Option<Self> {
        let below = cursor::above(&prefix)?;
        Some(Self { from: prefix, below })
    }

    fn holds(&self, key: &str) -> bool {
        self.from.as_str() <= key && key < self.below.as_str()
    }
}

/// A walk through the names that begin with a text.
struct Walk {
    filter: UserFilter,
    emails: Range,
    usernames: Range,
}

/// A name that fits, and whose it is.
struct Hit {
    key: String,
    id: UserId,
    /// The user's other name fits too, and comes before.
    is_met_before: bool,
}

impl Walk {
    /// `None` where no name can begin so.
    fn new(text: &str, filter: UserFilter) -> Option<Self> {
        let (emails, usernames) = (Range::of(Email::beginning(text))?, Range::of(Username::beginning(text))?);
        Some(Self { filter, emails, usernames })
    }

    /// The next users whose first name that fits is `at` or behind it.
    async fn page(&self, reads: &Reads<'_>, mut at: String, limit: usize) -> Result<Page<UserId>> {
        let mut rows = Vec::new();
        for _ in 0..ROUNDS {
            let (hits, next) = self.look(reads, &at).await?;
            for hit in hits.into_iter().filter(|hit| !hit.is_met_before) {
                if rows.len() == limit {
                    return Ok(Page { rows, next: Some(cursor::write(hit.key.as_bytes())) });
                }
                rows.push(hit.id);
            }
            match next {
                Some(next) => at = next,
                None => return Ok(Page { rows, next: None }),
            }
        }
        Ok(Page { rows, next: Some(cursor::write(at.as_bytes())) })
    }

    /// The next names of both kinds in their order, and where to go on.
    async fn look(&self, reads: &Reads<'_>, at: &str) -> Result<(Vec<Hit>, Option<String>)> {
        let range = |range: &'_ Range| (range.from.as_str().max(at).to_owned(), range.below.clone());
        let (emails, usernames) = (range(&self.emails), range(&self.usernames));
        let found = try_join(
            by_name(reads, self.filter, Named::Email, (&emails.0, &emails.1)),
            by_name(reads, self.filter, Named::Username, (&usernames.0, &usernames.1)),
        );
        let (by_email, by_username) = found.await?;
        let is_full = [by_email.len() == FOUND_AT_ONCE, by_username.len() == FOUND_AT_ONCE];
        let by_email: Vec<Hit> = by_email.into_iter().filter_map(|found| self.by_email(found)).collect();
        let by_username: Vec<Hit> = by_username.into_iter().filter_map(|found| self.by_username(found)).collect();
        // Behind the last one of either there may be others that nobody has seen yet.
        let last = |hits: &[Hit], is_full: bool| hits.last().filter(|_| is_full).map(|hit| hit.key.clone());
        let ends = [last(&by_email, is_full[0]), last(&by_username, is_full[1])];
        let next = ends.into_iter().flatten().min();
        let mut hits: Vec<Hit> = by_email.into_iter().chain(by_username).collect();
        hits.retain(|hit| next.as_ref().is_none_or(|next| hit.key < *next));
        hits.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((hits, next))
    }

    fn by_email(&self, found: Found) -> Option<Hit> {
        let key = found.email_key?;
        let other = found.username_key.filter(|other| self.usernames.holds(other) && *other < key);
        Some(Hit { key, id: found.id, is_met_before: other.is_some() })
    }

    fn by_username(&self, found: Found) -> Option<Hit> {
        let key = found.username_key?;
        let other = found.email_key.filter(|other| self.emails.holds(other) && *other < key);
        Some(Hit { key, id: found.id, is_met_before: other.is_some() })
    }
}
