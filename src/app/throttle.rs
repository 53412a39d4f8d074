//! Sets up the limits on failures, and where several servers share a database, the key that they count
//! under.

use std::fmt::Write as _;

use super::OpenError;
use crate::config::Settings;
use crate::domain::error::{Error, Result};
use crate::guard::throttle::{SharedKey, Throttle};
use crate::secret::random;
use crate::store::{Store, Tx, meta};

/// The limits of the settings.
pub(super) async fn open(settings: &Settings, store: &Store, is_shared: bool) -> Result<Throttle, OpenError> {
    let throttle = &settings.throttle;
    if !throttle.enabled {
        tracing::warn!("throttle.enabled is false: anybody may guess passwords as fast as they are hashed");
        return Ok(Throttle::off());
    }
    let shared = if is_shared { Some(key(store).await.map_err(|error| OpenError::of_store(&error))?) } else { None };
    Ok(Throttle::new(throttle.limits.clone(), shared))
}

/// The key of all nodes. The first one makes it.
async fn key(store: &Store) -> Result<SharedKey> {
    let read =
        async || Ok::<_, Error>(meta::find(&store.reads(), meta::THROTTLE_KEY).await?.as_deref().and_then(parse));
    if let Some(key) = read().await? {
        return Ok(key);
    }
    let text = spell(&random());
    store.write(async move |tx: &Tx<'_>| meta::insert(tx, meta::THROTTLE_KEY, &text).await).await?;
    read().await?.ok_or_else(|| Error::Internal(format!("{} in meta is no key", meta::THROTTLE_KEY)))
}

fn spell(bytes: &[u8; 32]) -> String {
    let mut text = String::with_capacity(64);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn parse(text: &str) -> Option<SharedKey> {
    let mut bytes = [0; 32];
    let digits = text.as_bytes().chunks_exact(2);
    if digits.len() != bytes.len() {
        return None;
    }
    for (byte, digits) in bytes.iter_mut().zip(digits) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(SharedKey::new(bytes))
}
