//! Sets up the limits on failures, and where several servers share a database, the key that they count
//! under.

use super::OpenError;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::error::{Error, Result};
use crate::domain::id::{hex, read_hex};
use crate::guard::throttle::{SharedKey, Throttle};
use crate::secret::random;
use crate::store::{Store, Tx, meta};

/// The limits of the settings.
pub(super) async fn open(
    settings: &Settings,
    store: &Store,
    clock: Clock,
    is_shared: bool,
) -> Result<Throttle, OpenError> {
    let throttle = &settings.throttle;
    if !throttle.enabled {
        tracing::warn!("throttle.enabled is false: anybody may guess passwords as fast as they are hashed");
        return Ok(Throttle::off());
    }
    let shared = if is_shared { Some(key(store).await.map_err(|error| OpenError::of_store(&error))?) } else { None };
    Ok(Throttle::new(throttle.limits.clone(), clock, shared))
}

/// The key of all nodes. The first one makes it.
async fn key(store: &Store) -> Result<SharedKey> {
    let read = async || {
        Ok::<_, Error>(meta::find(&store.reads(), meta::THROTTLE_KEY).await?.and_then(|text| read_hex(text.as_bytes())))
    };
    if let Some(key) = read().await? {
        return Ok(SharedKey::new(key));
    }
    let text = hex(&random::<32>());
    store.write(async move |tx: &Tx<'_>| meta::insert(tx, meta::THROTTLE_KEY, &text).await).await?;
    let key = read().await?.ok_or_else(|| Error::Internal(format!("{} in meta is no key", meta::THROTTLE_KEY)))?;
    Ok(SharedKey::new(key))
}
