//! Users and their password hashes.

pub(crate) mod search;

use super::sql::{row, statements};
use super::{Change, Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::permission::Permissions;
use crate::domain::user::{Email, JsonObject, LoginName, Status, User, Username};

macro_rules! columns {
    () => {
        "id, email, username, name, bio, password, status, permissions, flags, plan_worker, \
         credential_version, email_verified_at, created_at, updated_at"
    };
}

statements! {
    BY_ID: (UserId) -> UserRow = concat!("select ", columns!(), " from users where id = $1");
    BY_EMAIL: (String) -> UserRow = concat!("select ", columns!(), " from users where email_key = $1");
    BY_USERNAME: (String) -> UserRow = concat!("select ", columns!(), " from users where username_key = $1");
    AFTER: (UserId, i64) -> UserRow =
        concat!("select ", columns!(), " from users where id > $1 order by id limit $2");
    FIRST: (i64) -> UserRow = concat!("select ", columns!(), " from users order by id limit $1");
    ID_OF_EMAIL: (String) -> (UserId,) = "select id from users where email_key = $1";
    ID_OF_USERNAME: (String) -> (UserId,) = "select id from users where username_key = $1";
    ANY: () -> (UserId,) = "select id from users limit 1";
    /// `coalesce` keeps out of it the index of those who are active: that is nearly everybody.
    OTHER_ADMINS: (UserId) -> (UserId,) =
        "select id from users where admin = true and coalesce(status, '') = 'active' and id <> $1 limit 1";
    COUNT: () -> (i64,) = "select count(*) from users";
    COUNT_ADMINS: () -> (i64,) = "select count(*) from users where admin = true";
    COUNT_DISABLED: () -> (i64,) = "select count(*) from users where status = 'disabled'";
    INSERT: (
        UserId, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>,
        Option<String>, Status, String, bool, String, String, Option<Timestamp>, Timestamp, Timestamp
    ) -> () = "insert into users (id, email, email_key, username, username_key, name, bio, password, status,
            permissions, admin, flags, plan_worker, credential_version, email_verified_at, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15, $16)
        on conflict do nothing";
    SET_EMAIL: (Option<String>, Option<String>, Option<Timestamp>, Timestamp, UserId) -> () = "update users
        set email = $1, email_key = $2, email_verified_at = $3, updated_at = $4 where id = $5";
    SET_USERNAME: (Option<String>, Option<String>, Timestamp, UserId) -> () =
        "update users set username = $1, username_key = $2, updated_at = $3 where id = $4";
    SET_PROFILE: (Option<String>, Option<String>, Timestamp, UserId) -> () =
        "update users set name = $1, bio = $2, updated_at = $3 where id = $4";
    SET_PASSWORD: (String, Timestamp, UserId) -> () =
        "update users set password = $1, updated_at = $2 where id = $3";
    REPLACE_HASH: (String, UserId, String) -> () =
        "update users set password = $1 where id = $2 and password = $3";
    SET_STATUS: (Status, Timestamp, UserId) -> () =
        "update users set status = $1, updated_at = $2 where id = $3";
    SET_PERMISSIONS: (String, bool, Timestamp, UserId) -> () =
        "update users set permissions = $1, admin = $2, updated_at = $3 where id = $4";
    SET_OBJECTS: (String, String, Timestamp, UserId) -> () =
        "update users set flags = $1, plan_worker = $2, updated_at = $3 where id = $4";
    SET_VERIFIED: (Timestamp, UserId) -> () = "update users
        set email_verified_at = $1, updated_at = $1 where id = $2 and email_verified_at is null";
    RAISE_VERSION: (UserId) -> () =
        "update users set credential_version = credential_version + 1 where id = $1";
    DELETE: (UserId) -> () = "delete from users where id = $1";
}

row! {
    struct UserRow {
        id: UserId,
        email: Option<String>,
        username: Option<String>,
        name: Option<String>,
        bio: Option<String>,
        password: Option<String>,
        status: Status,
        permissions: String,
        flags: String,
        plan_worker: String,
        credential_version: i64,
        email_verified_at: Option<Timestamp>,
        created_at: Timestamp,
        updated_at: Timestamp,
    }
}

/// The statements of searches, for the tests of all.
#[cfg(test)]
pub(super) const SEARCHES: &[super::sql::Described] = search::ALL;

/// A user together with the stored password hash.
#[derive(Debug)]
pub struct Account {
    /// The user.
    pub user: User,
    /// The hash as stored: a PHC string, an imported form, or none.
    pub password: Option<String>,
}

impl UserRow {
    fn into_account(self) -> Result<Account> {
        let damaged = |what: &str| Error::Internal(format!("the {what} of user {} cannot be read", self.id));
        let user = User {
            id: self.id,
            status: self.status,
            permissions: Permissions::from_json(&self.permissions).ok_or_else(|| damaged("permissions"))?,
            flags: serde_json::from_str(&self.flags).map_err(|_| damaged("flags"))?,
            plan_worker: serde_json::from_str(&self.plan_worker).map_err(|_| damaged("plan_worker"))?,
            email: self.email,
            username: self.username,
            name: self.name,
            bio: self.bio,
            credential_version: self.credential_version,
            email_verified_at: self.email_verified_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
        };
        Ok(Account { user, password: self.password })
    }
}

/// A user to be inserted.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id it gets.
    pub id: UserId,
    /// The address, if it has one.
    pub email: Option<Email>,
    /// The username, if it has one.
    pub username: Option<Username>,
    /// The display name.
    pub name: Option<String>,
    /// Free text.
    pub bio: Option<String>,
    /// The password's hash, if it may sign in by one.
    pub password: Option<String>,
    /// Whether it may sign in.
    pub status: Status,
    /// What it may do.
    pub permissions: Permissions,
    /// Free-form JSON.
    pub flags: JsonObject,
    /// Free-form JSON.
    pub plan_worker: JsonObject,
    /// When the address was proven, if it was.
    pub email_verified_at: Option<Timestamp>,
    /// Now.
    pub created_at: Timestamp,
}

/// One change of a user's row.
#[derive(Debug)]
pub enum UserChange<'c> {
    /// Another address, and whether it is proven.
    Email(&'c Email, Option<Timestamp>),
    /// Another username.
    Username(&'c Username),
    /// No username any more.
    NoUsername,
    /// The display name and the text about oneself.
    Profile(Option<&'c str>, Option<&'c str>),
    /// Another password hash.
    Password(&'c str),
    /// Whether the user may sign in.
    Status(Status),
    /// What the user may do.
    Permissions(&'c Permissions),
    /// The two free-form objects, `flags` first.
    Objects(&'c JsonObject, &'c JsonObject),
    /// The address was proven now, if it had not been before.
    Verified,
}

pub(crate) async fn find(reads: &Reads<'_>, id: UserId) -> Result<Option<User>> {
    Ok(account(reads, id).await?.map(|account| account.user))
}

pub(crate) async fn account(reads: &Reads<'_>, id: UserId) -> Result<Option<Account>> {
    reads.first(&BY_ID, (id,)).await?.map(UserRow::into_account).transpose()
}

pub(crate) async fn account_by_login(reads: &Reads<'_>, login: &LoginName) -> Result<Option<Account>> {
    let row = match login {
        LoginName::Email(email) => reads.first(&BY_EMAIL, (email.canonical(),)).await?,
        LoginName::Username(username) => reads.first(&BY_USERNAME, (username.canonical(),)).await?,
        LoginName::Nobody => None,
    };
    row.map(UserRow::into_account).transpose()
}

/// At most `limit` users, ascending by id, from the first one above `after`.
pub(crate) async fn list(reads: &Reads<'_>, after: Option<UserId>, limit: i64) -> Result<Vec<User>> {
    let rows = match after {
        Some(after) => reads.all(&AFTER, (after, limit)).await?,
        None => reads.all(&FIRST, (limit,)).await?,
    };
    rows.into_iter().map(|row| row.into_account().map(|account| account.user)).collect()
}

/// How many users there are, how many of them hold `admin`, and how many are disabled.
pub(crate) async fn count(reads: &Reads<'_>) -> Result<(u64, u64, u64)> {
    Ok((reads.count(&COUNT, ()).await?, reads.count(&COUNT_ADMINS, ()).await?, reads.count(&COUNT_DISABLED, ()).await?))
}

/// Whether there is any user at all.
pub(crate) async fn any(reads: &Reads<'_>) -> Result<bool> {
    Ok(reads.first(&ANY, ()).await?.is_some())
}

/// Whether an active administrator would be left without `id`. The caller holds
/// [`super::counters::ADMINISTRATORS`], so that it stays true.
pub(crate) async fn another_admin_exists(tx: &Tx<'_>, id: UserId) -> Result<bool> {
    Ok(tx.unheld().first(&OTHER_ADMINS, (id,)).await?.is_some())
}

/// Inserts a user, or says which of the names is taken.
pub(crate) async fn insert(tx: &Tx<'_>, new: &NewUser) -> Result<()> {
    let objects = (to_text(&new.flags), to_text(&new.plan_worker));
    let inserted = tx
        .execute(
            &INSERT,
            (
                new.id,
                new.email.as_ref().map(Email::as_str),
                new.email.as_ref().map(Email::canonical),
                new.username.as_ref().map(Username::as_str),
                new.username.as_ref().map(Username::canonical),
                new.name.as_deref(),
                new.bio.as_deref(),
                new.password.as_deref(),
                new.status,
                &new.permissions.to_json(),
                new.permissions.is_admin(),
                &objects.0,
                &objects.1,
                new.email_verified_at,
                new.created_at,
                new.created_at,
            ),
        )
        .await?;
    if inserted == 1 {
        return Ok(());
    }
    free(tx, new.id, new.email.as_ref(), new.username.as_ref()).await?;
    // Whoever had the name gave it up in this very moment.
    Err(Error::Unavailable("a new user's name was given up beside its transaction".to_owned()))
}

/// Refuses names that another user than `id` has. What happens beside it, the index refuses.
async fn free(tx: &Tx<'_>, id: UserId, email: Option<&Email>, username: Option<&Username>) -> Result<()> {
    if let Some(email) = email
        && tx.unheld().first(&ID_OF_EMAIL, (email.canonical(),)).await?.is_some_and(|(holder,)| holder != id)
    {
        return Err(Error::Taken("email"));
    }
    if let Some(username) = username
        && tx.unheld().first(&ID_OF_USERNAME, (username.canonical(),)).await?.is_some_and(|(holder,)| holder != id)
    {
        return Err(Error::Taken("username"));
    }
    Ok(())
}

/// Makes one change to a user's row.
pub(crate) async fn update(tx: &Tx<'_>, id: UserId, change: UserChange<'_>, now: Timestamp) -> Result<()> {
    let changed = match change {
        UserChange::Email(email, verified_at) => {
            free(tx, id, Some(email), None).await?;
            let (typed, canonical) = (Some(email.as_str()), Some(email.canonical()));
            tx.execute(&SET_EMAIL, (typed, canonical, verified_at, now, id)).await?
        }
        UserChange::Username(username) => {
            free(tx, id, None, Some(username)).await?;
            tx.execute(&SET_USERNAME, (Some(username.as_str()), Some(username.canonical()), now, id)).await?
        }
        UserChange::NoUsername => tx.execute(&SET_USERNAME, (None, None, now, id)).await?,
        UserChange::Profile(name, bio) => tx.execute(&SET_PROFILE, (name, bio, now, id)).await?,
        UserChange::Password(hash) => tx.execute(&SET_PASSWORD, (hash, now, id)).await?,
        UserChange::Status(status) => tx.execute(&SET_STATUS, (status, now, id)).await?,
        UserChange::Permissions(permissions) => {
            let admin = permissions.is_admin();
            tx.execute(&SET_PERMISSIONS, (&permissions.to_json(), admin, now, id)).await?
        }
        UserChange::Objects(flags, plan_worker) => {
            tx.execute(&SET_OBJECTS, (&to_text(flags), &to_text(plan_worker), now, id)).await?
        }
        UserChange::Verified => tx.execute(&SET_VERIFIED, (now, id)).await?,
    };
    if changed > 0 {
        tx.record(Change::User(id));
    }
    Ok(())
}

/// Replaces `old` by a hash of the same password with newer parameters, unless it was changed
/// since.
pub(crate) async fn replace_hash(tx: &Tx<'_>, id: UserId, old: &str, new: &str) -> Result<()> {
    tx.execute(&REPLACE_HASH, (new, id, old)).await.map(drop)
}

/// Makes every access token of the user's worthless that was given out before.
pub(crate) async fn raise_credential_version(tx: &Tx<'_>, id: UserId) -> Result<()> {
    tx.execute(&RAISE_VERSION, (id,)).await?;
    tx.record(Change::User(id));
    Ok(())
}

/// Deletes a user with everything that names them; false where there is none.
pub(crate) async fn delete(tx: &Tx<'_>, id: UserId) -> Result<bool> {
    let deleted = tx.execute(&DELETE, (id,)).await? == 1;
    tx.record(Change::User(id));
    Ok(deleted)
}

fn to_text(object: &JsonObject) -> String {
    serde_json::to_string(object).unwrap_or_else(|_| "{}".to_owned())
}
