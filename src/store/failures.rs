//! What all servers on one database counted together: under each key the moment at which it is forgotten.

use std::time::Duration;

use super::Tx;
use super::sql::statements;
use crate::clock::Timestamp;
use crate::domain::error::{Error, Result};

statements! {
    ADD: (Vec<u8>, Timestamp, Timestamp, Timestamp, i64) -> (Timestamp,) = "insert into failures (key, due)
        values ($1, $2) on conflict (key) do update set due = case when failures.due < $3 then excluded.due
        when failures.due > $4 then failures.due else failures.due + $5 end returning due";
    DELETE: (Vec<u8>) -> () = "delete from failures where key = $1";
    SWEEP: (Timestamp) -> () = "delete from failures where key in (
        select key from failures where due < $1 order by due limit 500)";
}

/// Makes what is counted under a key be forgotten by `later` later, unless that is `most` away already;
/// when it will be.
pub(crate) async fn add(
    tx: &Tx<'_>,
    key: &[u8],
    (later, most): (Duration, Duration),
    now: Timestamp,
) -> Result<Timestamp> {
    let micros = i64::try_from(later.as_micros()).unwrap_or(i64::MAX);
    let added = tx.first(&ADD, (key, now.plus(later), now, now.plus(most), micros)).await?;
    added.map(|(due,)| due).ok_or_else(|| Error::Internal("a counter of failures is not there".to_owned()))
}

/// Forgets what is counted under a key.
pub(crate) async fn delete(tx: &Tx<'_>, key: &[u8]) -> Result<()> {
    tx.execute(&DELETE, (key,)).await.map(drop)
}

/// Deletes some that are forgotten by `now`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, now: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (now,)).await
}
