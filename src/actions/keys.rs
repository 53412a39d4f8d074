//! The keys that vouch for tokens: rotated, listed, and let go once nothing alive depends on them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::app::{App, ClusterSecret};
use crate::clock::Timestamp;
use crate::domain::audit::{Action, Event};
use crate::domain::caller::{Actor, Caller};
use crate::domain::error::{Error, Result};
use crate::domain::token::Algorithm;
use crate::guard::jwk::KeySet;
pub use crate::guard::jwk::MAX_AGE;
use crate::guard::jwt::LEEWAY;
use crate::store::key_material::{KeyMaterial, SigningKey};

/// How long after a look at the keys that failed the next one comes.
const RETRY: Duration = Duration::from_secs(1);
/// How often they are looked at while anything in memory is believed, on a server that hears nothing.
const LOOKS: u32 = 8;

/// What becomes of the old keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// They vouch for what they made until that is over.
    Routine,
    /// They are gone at once, and with them every session.
    Compromised,
}

/// What is told of a key: never the key itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its `kid` or, of a root key, its number.
    pub id: String,
    /// `access tokens`, or `refresh tokens`.
    pub signs: &'static str,
    /// What it signs with.
    pub algorithm: &'static str,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it is used, until a newer one is.
    pub used_from: Timestamp,
    /// Whether it is the one in use now.
    pub is_current: bool,
}

/// The keys, newest first, for an administrator.
///
/// # Errors
///
/// [`Error::Forbidden`], or that the keys cannot be read.
pub async fn list(app: &App, caller: &Caller) -> Result<Vec<KeyInfo>> {
    caller.require_admin()?;
    Ok(describe(app, &app.keys().await?))
}

/// What others verify access tokens with, for everybody.
///
/// # Errors
///
/// [`Error::Unavailable`] where the keys in memory may not be the ones that are kept: others would believe
/// for minutes what this server itself does not.
pub fn published(app: &App) -> Result<Arc<KeySet>> {
    if app.guard().trusts_keys() {
        return Ok(app.keyring().key_set());
    }
    Err(Error::Unavailable("the keys that were rotated cannot be read".to_owned()))
}

/// New keys in place of the current ones, on every server, for an administrator.
///
/// # Errors
///
/// [`Error::Forbidden`], or that the keys cannot be kept.
pub async fn rotate(app: &App, actor: &Actor, rotation: Rotation) -> Result<Vec<KeyInfo>> {
    actor.caller.require_admin()?;
    let (now, oldest) = (app.now(), Oldest::of(app));
    let algorithm = app.keys().await?.algorithm().unwrap_or(Algorithm::EdDsa);
    let key = SigningKey::generate(algorithm, now).map_err(|_| Error::Internal("no key can be made".to_owned()))?;
    let event = actor.event(Action::KeysRotated);
    let event = if rotation == Rotation::Compromised { event.with("compromised") } else { event };
    let keys = app.replace_keys(move |keys: KeyMaterial| {
        let rotated = keys.with_root_key(now).with_signing_key(key);
        let left = match rotation {
            Rotation::Routine => rotated.without_retired(oldest.signing, oldest.root),
            Rotation::Compromised => rotated.without_old_ones(),
        };
        Ok((left, Some(event)))
    });
    Ok(describe(app, &keys.await?))
}

/// Seals the keys of several nodes under another secret, for an administrator. Nodes that have the old
/// one go on with the keys that they know, and need the new one to start again.
///
/// # Errors
///
/// [`Error::Forbidden`], also where the keys are under no secret, or that they cannot be kept.
pub async fn reseal(app: &App, actor: &Actor, secret: ClusterSecret) -> Result<()> {
    actor.caller.require_admin()?;
    app.reseal_keys(actor.event(Action::KeysResealed), secret).await
}

/// New keys where the current ones are as old as they may get, and none that nothing alive was made with.
///
/// # Errors
///
/// That the keys cannot be read or kept.
pub async fn tend(app: &App) -> Result<()> {
    let keys = app.keys().await?;
    match app.settings().tokens.rotate_after {
        Some(age) if keys.is_as_old_as(app.now().minus(age)) => replace_old(app, &keys, age).await,
        _ => retire(app, keys).await,
    }
}

async fn replace_old(app: &App, keys: &KeyMaterial, age: Duration) -> Result<()> {
    let (now, oldest) = (app.now(), Oldest::of(app));
    let algorithm = keys.algorithm().unwrap_or(Algorithm::EdDsa);
    // One for RS256 takes seconds to make, in which this thread has other work to do.
    let made = tokio::task::spawn_blocking(move || SigningKey::generate(algorithm, now)).await;
    let key = made.ok().and_then(std::result::Result::ok);
    let key = key.ok_or_else(|| Error::Internal("no key can be made".to_owned()))?;
    let kid = key.kid.clone();
    let kept = app.replace_keys(move |keys: KeyMaterial| {
        // Another server may have been first.
        let (keys, event) = if keys.is_as_old_as(now.minus(age)) {
            let rotated = keys.with_root_key(now).with_signing_key(key);
            (rotated, Some(Event::by_server(Action::KeysRotated).with("age")))
        } else {
            (keys, None)
        };
        Ok((keys.without_retired(oldest.signing, oldest.root), event))
    });
    if kept.await?.signing_keys.last().is_some_and(|key| key.kid == kid) {
        tracing::info!(kid, "new keys take the place of the old ones, which are as old as tokens.rotate_after says");
    }
    Ok(())
}

async fn retire(app: &App, keys: KeyMaterial) -> Result<()> {
    let oldest = Oldest::of(app);
    let (signing, root) = (keys.signing_keys.len(), keys.root_keys.len());
    let left = keys.without_retired(oldest.signing, oldest.root);
    if (left.signing_keys.len(), left.root_keys.len()) == (signing, root) {
        return Ok(());
    }
    let retired = app.replace_keys(move |keys: KeyMaterial| {
        let left = keys.without_retired(oldest.signing, oldest.root);
        Ok((left, Some(Event::by_server(Action::KeysRetired))))
    });
    retired.await.map(drop)
}

/// Goes on with the keys as another process left them, whenever that happens. Where they cannot be
/// read for as long as anything in memory is believed, no access token is believed either: the old keys
/// may be in wrong hands.
pub async fn follow(app: App, mut stop: watch::Receiver<bool>) {
    let longest = app.settings().feed.max_staleness;
    let (mut unread_since, mut seen): (Option<Instant>, _) = (None, None);
    loop {
        let is_told = tokio::select! {
            () = app.guard().keys_changed() => true,
            () = tokio::time::sleep(if unread_since.is_some() { RETRY } else { longest / LOOKS }) => {
                // Of a rotation, a server that does not hear the feed would not hear either.
                unread_since.is_some() || !app.guard().is_up_to_date()
            }
            _ = stop.wait_for(|stop| *stop) => return,
        };
        // Whoever rotates may end between the file and the word of it.
        let stamp = app.keys_stamp();
        if !is_told && (stamp.is_none() || stamp == seen) {
            continue;
        }
        seen = stamp;
        match app.reload_keys().await {
            Ok(()) => unread_since = None,
            // It was never left so by a rotation, which replaces the file as a whole.
            Err(error) if !is_told => tracing::warn!(%error, "the key file was changed, and is passed over"),
            Err(error) => {
                if unread_since.is_none() {
                    tracing::warn!(%error, "the keys cannot be read; the ones in memory are believed for a while");
                }
                if unread_since.get_or_insert_with(Instant::now).elapsed() > longest {
                    app.guard().distrust_keys();
                }
            }
        }
    }
}

/// A key that was followed by another before this is of no use to anybody.
#[derive(Clone, Copy)]
struct Oldest {
    signing: Timestamp,
    root: Timestamp,
}

impl Oldest {
    fn of(app: &App) -> Self {
        let longest = app.longest_lifetimes();
        let before = |lifetime, settling| app.now().minus(lifetime + settling + 2 * LEEWAY);
        let settling = app.settling();
        Self { signing: before(longest.access, settling.signing), root: before(longest.session, settling.root) }
    }
}

fn describe(app: &App, keys: &KeyMaterial) -> Vec<KeyInfo> {
    let root = keys.root_keys.iter().map(|key| KeyInfo {
        id: key.id.to_string(),
        signs: "refresh tokens",
        algorithm: "HMAC-SHA-256",
        created_at: key.created_at,
        used_from: key.created_at,
        is_current: false,
    });
    let signing = keys.signing_keys.iter().map(|key| KeyInfo {
        id: key.kid.clone(),
        signs: "access tokens",
        algorithm: key.algorithm.as_str(),
        created_at: key.created_at,
        used_from: key.created_at,
        is_current: false,
    });
    let (mut root, mut signing): (Vec<_>, Vec<_>) = (root.collect(), signing.collect());
    settle(&mut root, app.settling().root, app.now());
    settle(&mut signing, app.settling().signing, app.now());
    signing.into_iter().rev().chain(root.into_iter().rev()).collect()
}

/// The first key is used at once, each later one once all who have to know it do.
fn settle(keys: &mut [KeyInfo], settling: Duration, now: Timestamp) {
    for key in keys.iter_mut().skip(1) {
        key.used_from = key.created_at.plus(settling);
    }
    if let Some(current) = keys.iter().rposition(|key| key.used_from <= now).or(Some(0)).and_then(|at| keys.get_mut(at))
    {
        current.is_current = true;
    }
}
