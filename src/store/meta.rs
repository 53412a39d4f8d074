//! Single values that belong to the database itself.

use super::sql::statements;
use super::{Reads, Tx};
use crate::domain::error::Result;

/// Which key file made the secrets' hashes in this database.
pub(crate) const KEY_FILE: &str = "key_file";
/// The longest lifetime, in seconds, that an access token was ever given.
pub(crate) const LONGEST_LIFETIME: &str = "longest_lifetime";
/// The same of sessions.
pub(crate) const LONGEST_SESSION: &str = "longest_session";
/// The keys of all nodes, sealed.
pub(crate) const KEYS: &str = "keys";
/// What servers that share a database count failures under.
pub(crate) const THROTTLE_KEY: &str = "throttle_key";
/// When and where to all that is kept here was moved.
pub(crate) const MOVED_TO: &str = "moved_to";

statements! {
    pub(super) FIND: (String) -> (String,) = "select value from meta where name = $1";
    pub(super) SET: (String, String) -> () = "insert into meta (name, value) values ($1, $2)
        on conflict (name) do update set value = excluded.value";
    INSERT: (String, String) -> () = "insert into meta (name, value) values ($1, $2) on conflict do nothing";
}

pub(crate) async fn find(reads: &Reads<'_>, name: &str) -> Result<Option<String>> {
    Ok(reads.first(&FIND, (name,)).await?.map(|(value,)| value))
}

pub(crate) async fn set(tx: &Tx<'_>, name: &str, value: &str) -> Result<()> {
    tx.execute(&SET, (name, value)).await.map(drop)
}

/// Leaves a value alone that is there already.
pub(crate) async fn insert(tx: &Tx<'_>, name: &str, value: &str) -> Result<()> {
    tx.execute(&INSERT, (name, value)).await.map(drop)
}
