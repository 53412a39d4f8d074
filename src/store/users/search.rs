//! Looks for users: the newest, or those whose email or username begins with a text, of all or of some.
//! A statement for each, so that each has an index of its own: what is looked for may be rare among millions.

use crate::domain::error::Result;
use crate::domain::id::UserId;
use crate::domain::user::Status;
use crate::store::Reads;
use crate::store::sql::{Statement, statements};

/// How many rows a statement of a search gives at the most. The statements say the number themselves:
/// where it was a parameter, PostgreSQL would plan for many.
pub(crate) const FOUND_AT_ONCE: usize = 101;

macro_rules! newest {
    ($filter:literal) => {
        concat!("select id from users where ", $filter, "id <= $1 order by id desc limit 101")
    };
}

macro_rules! by_email {
    ($filter:literal) => {
        concat!(
            "select id, email_key, username_key from users where ",
            $filter,
            "email_key >= $1 and email_key < $2 order by email_key limit 101"
        )
    };
}

macro_rules! by_username {
    ($filter:literal) => {
        concat!(
            "select id, email_key, username_key from users where ",
            $filter,
            "username_key >= $1 and username_key < $2 order by username_key limit 101"
        )
    };
}

// Of administrators there are few, whatever their status: `coalesce` keeps the index of that out of it.
statements! {
    NEWEST: (UserId) -> (UserId,) = newest!("");
    NEWEST_ACTIVE: (UserId) -> (UserId,) = newest!("status = 'active' and ");
    NEWEST_DISABLED: (UserId) -> (UserId,) = newest!("status = 'disabled' and ");
    NEWEST_ADMINS: (UserId) -> (UserId,) = newest!("admin = true and ");
    NEWEST_ACTIVE_ADMINS: (UserId) -> (UserId,) = newest!("admin = true and coalesce(status, '') = 'active' and ");
    NEWEST_DISABLED_ADMINS: (UserId) -> (UserId,) = newest!("admin = true and coalesce(status, '') = 'disabled' and ");
    BY_EMAIL: (String, String) -> (UserId, Option<String>, Option<String>) = by_email!("");
    BY_EMAIL_ACTIVE: (String, String) -> (UserId, Option<String>, Option<String>) = by_email!("status = 'active' and ");
    BY_EMAIL_DISABLED: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_email!("status = 'disabled' and ");
    BY_EMAIL_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) = by_email!("admin = true and ");
    BY_EMAIL_ACTIVE_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_email!("admin = true and coalesce(status, '') = 'active' and ");
    BY_EMAIL_DISABLED_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_email!("admin = true and coalesce(status, '') = 'disabled' and ");
    BY_USERNAME: (String, String) -> (UserId, Option<String>, Option<String>) = by_username!("");
    BY_USERNAME_ACTIVE: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_username!("status = 'active' and ");
    BY_USERNAME_DISABLED: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_username!("status = 'disabled' and ");
    BY_USERNAME_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_username!("admin = true and ");
    BY_USERNAME_ACTIVE_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_username!("admin = true and coalesce(status, '') = 'active' and ");
    BY_USERNAME_DISABLED_ADMINS: (String, String) -> (UserId, Option<String>, Option<String>) =
        by_username!("admin = true and coalesce(status, '') = 'disabled' and ");
    NAMES: (UserId) -> (Option<String>, Option<String>) = "select email, username from users where id = $1";
}

type Newest = Statement<(UserId,), (UserId,)>;
type ByKey = Statement<(String, String), (UserId, Option<String>, Option<String>)>;

/// Which users are looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UserFilter {
    /// Of this status.
    pub status: Option<Status>,
    /// Who hold `admin`.
    pub admins: bool,
}

impl UserFilter {
    const fn newest(self) -> &'static Newest {
        match (self.admins, self.status) {
            (false, None) => &NEWEST,
            (false, Some(Status::Active)) => &NEWEST_ACTIVE,
            (false, Some(Status::Disabled)) => &NEWEST_DISABLED,
            (true, None) => &NEWEST_ADMINS,
            (true, Some(Status::Active)) => &NEWEST_ACTIVE_ADMINS,
            (true, Some(Status::Disabled)) => &NEWEST_DISABLED_ADMINS,
        }
    }

    const fn by_email(self) -> &'static ByKey {
        match (self.admins, self.status) {
            (false, None) => &BY_EMAIL,
            (false, Some(Status::Active)) => &BY_EMAIL_ACTIVE,
            (false, Some(Status::Disabled)) => &BY_EMAIL_DISABLED,
            (true, None) => &BY_EMAIL_ADMINS,
            (true, Some(Status::Active)) => &BY_EMAIL_ACTIVE_ADMINS,
            (true, Some(Status::Disabled)) => &BY_EMAIL_DISABLED_ADMINS,
        }
    }

    const fn by_username(self) -> &'static ByKey {
        match (self.admins, self.status) {
            (false, None) => &BY_USERNAME,
            (false, Some(Status::Active)) => &BY_USERNAME_ACTIVE,
            (false, Some(Status::Disabled)) => &BY_USERNAME_DISABLED,
            (true, None) => &BY_USERNAME_ADMINS,
            (true, Some(Status::Active)) => &BY_USERNAME_ACTIVE_ADMINS,
            (true, Some(Status::Disabled)) => &BY_USERNAME_DISABLED_ADMINS,
        }
    }
}

/// By which of their names users are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Their address.
    Email,
    /// Their username.
    Username,
}

/// A user that was found by a name, with the canonical forms of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// Who.
    pub(crate) id: UserId,
    /// The address.
    pub(crate) email_key: Option<String>,
    /// The username.
    pub(crate) username_key: Option<String>,
}

/// The next [`FOUND_AT_ONCE`] users from `from` on, the newest first.
pub(crate) async fn newest(reads: &Reads<'_>, filter: UserFilter, from: UserId) -> Result<Vec<UserId>> {
    Ok(reads.all(filter.newest(), (from,)).await?.into_iter().map(|(id,)| id).collect())
}

/// The next [`FOUND_AT_ONCE`] users whose name is not before `from` and before `below`, in its order.
pub(crate) async fn by_name(
    reads: &Reads<'_>,
    filter: UserFilter,
    named: Named,
    (from, below): (&str, &str),
) -> Result<Vec<Found>> {
    let statement = match named {
        Named::Email => filter.by_email(),
        Named::Username => filter.by_username(),
    };
    let found = |(id, email_key, username_key)| Found { id, email_key, username_key };
    Ok(reads.all(statement, (from, below)).await?.into_iter().map(found).collect())
}

/// What a user is shown by, the address before the username; `None` where there is no such user.
pub(crate) async fn shown_name(reads: &Reads<'_>, id: UserId) -> Result<Option<String>> {
    let names = reads.first(&NAMES, (id,)).await?;
    Ok(names.map(|(email, username)| email.or(username).unwrap_or_default()))
}
