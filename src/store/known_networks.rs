//! Where users signed in from lately.

use super::sql::statements;
use super::{Reads, Tx};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::domain::id::UserId;
use crate::domain::network::Network;

statements! {
    NOTE: (UserId, Vec<u8>, Timestamp, Timestamp) -> () = "insert into known_networks (user_id, network, at)
        values ($1, $2, $3) on conflict (user_id, network) do update set at = excluded.at
        where known_networks.at < $4";
    FIND: (UserId, Vec<u8>) -> (Timestamp,) = "select at from known_networks where user_id = $1 and network = $2";
    OF_USER: (UserId) -> (Vec<u8>, Timestamp) =
        "select network, at from known_networks where user_id = $1 order by network limit 10001";
    DELETE_OF_USER: (UserId) -> () = "delete from known_networks where user_id = $1";
    SWEEP: (Timestamp) -> () = "delete from known_networks where (user_id, network) in (
        select user_id, network from known_networks where at < $1 order by at limit 500)";
}

/// Notes that a user signed in from a network. Where that was noted after `stale` already, nothing is
/// written.
pub(crate) async fn note(tx: &Tx<'_>, user: UserId, network: Network, at: Timestamp, stale: Timestamp) -> Result<()> {
    tx.execute(&NOTE, (user, &network.to_bytes(), at, stale)).await.map(drop)
}

/// When a user last signed in from a network, as far as it was noted.
pub(crate) async fn find(reads: &Reads<'_>, user: UserId, network: Network) -> Result<Option<Timestamp>> {
    Ok(reads.first(&FIND, (user, &network.to_bytes())).await?.map(|(at,)| at))
}

/// Where a user signed in from lately, and when last: at most 10,001.
pub(crate) async fn list(reads: &Reads<'_>, user: UserId) -> Result<Vec<(Network, Timestamp)>> {
    let known = reads.all(&OF_USER, (user,)).await?;
    Ok(known.into_iter().filter_map(|(bytes, at)| Network::from_bytes(&bytes).map(|network| (network, at))).collect())
}

/// Forgets where a user signed in from: whoever did may not have been the user.
pub(crate) async fn delete_of_user(tx: &Tx<'_>, user: UserId) -> Result<()> {
    tx.execute(&DELETE_OF_USER, (user,)).await.map(drop)
}

/// Forgets some that were noted before `before`, at most [`super::SWEPT_AT_ONCE`]; how many there were.
pub(crate) async fn sweep(tx: &Tx<'_>, before: Timestamp) -> Result<u64> {
    tx.execute(&SWEEP, (before,)).await
}
