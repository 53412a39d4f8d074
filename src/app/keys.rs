//! Where the keys of this store are kept: beside an SQLite database in a file, in PostgreSQL sealed in
//! a row. Made once, read again when they were rotated.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use super::{OpenError, Presence, data_dir};
use crate::clock::Timestamp;
use crate::config::{ClusterSecret, Database, Settings};
use crate::domain::audit::{Action, Event};
use crate::domain::error::{Error, Result};
use crate::domain::token::Algorithm;
use crate::store::key_file::{self, KEY_FILE};
use crate::store::key_material::{KeyMaterial, SigningKey};
use crate::store::{self, Change, Store, Tx, key_seal};

/// The place of the keys.
#[derive(Clone)]
pub(super) enum KeySafe {
    /// A file in the data directory.
    File(KeyFile),
    /// A row that all nodes read.
    Row(ClusterSecret),
}

/// Another one after each change of the key file, which is replaced as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    file: u64,
    changed: (i64, i64),
}

/// The key file of this database.
#[derive(Clone)]
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// What the keys in it are named, once they were matched with the database.
    id: Arc<OnceLock<String>>,
}

impl KeyFile {
    pub(super) fn at(path: PathBuf) -> Self {
        Self { path, id: Arc::default() }
    }

    fn read(&self) -> Result<KeyMaterial> {
        let keys = read_file(&self.path)?;
        if self.id.get().is_some_and(|id| *id != keys.file_id) {
            // It was put there while this process ran.
            return Err(Error::Unavailable(data_dir::foreign(&self.path).to_string()));
        }
        Ok(keys)
    }
}

impl KeySafe {
    pub(super) fn of(settings: &Settings) -> Result<Self, OpenError> {
        match (&settings.database, &settings.cluster_secret) {
            (Database::Sqlite(_), _) => Ok(Self::File(KeyFile::at(settings.data_dir.join(KEY_FILE)))),
            (Database::Postgres(_), Some(secret)) => Ok(Self::Row(secret.clone())),
            (Database::Postgres(_), None) => Err(OpenError::new("PostgreSQL needs a secret_file")),
        }
    }

    /// Whether other servers than this process use the same keys.
    pub(super) const fn is_shared(&self) -> bool {
        matches!(self, Self::Row(_))
    }

    /// The keys at the start, made where the database is new.
    pub(super) async fn open(
        &self,
        store: &Store,
        algorithm: Algorithm,
        presence: Presence,
        now: Timestamp,
    ) -> Result<KeyMaterial, OpenError> {
        let keys = match self {
            Self::File(file) => {
                let keys = data_dir::keys(&file.path, store, algorithm, presence, now).await?;
                file.id.get_or_init(|| keys.file_id.clone());
                keys
            }
            Self::Row(secret) => shared(secret, store, algorithm, presence, now).await?,
        };
        // A command beside the server may not have its configuration: it changes no keys.
        if keys.algorithm() == Some(algorithm) || presence == Presence::Required {
            return Ok(keys);
        }
        let key = SigningKey::generate(algorithm, now).map_err(OpenError::new)?;
        let event = Event::by_server(Action::KeysRotated).with("algorithm");
        let replaced = self.replace(store, move |keys: KeyMaterial| {
            // Another node may have been first.
            let is_done = keys.algorithm() == Some(algorithm);
            Ok(if is_done { (keys, None) } else { (keys.with_signing_key(key), Some(event)) })
        });
        replaced.await.map_err(|error| OpenError::of_store(&error))
    }

    /// The keys as they are now.
    pub(super) async fn read(&self, store: &Store) -> Result<KeyMaterial> {
        match self {
            Self::File(file) => file.read(),
            Self::Row(secret) => {
                let sealed = store::meta::find(&store.reads(), store::meta::KEYS).await?;
                opened(sealed.as_deref(), secret)
            }
        }
    }

    /// What tells the keys from those before at no cost, where there is such a thing.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let Self::File(KeyFile { path, .. }) = self else { return None };
        let file = fs::metadata(path).ok()?;
        Some(Stamp { file: file.ino(), changed: (file.mtime(), file.mtime_nsec()) })
    }

    /// Held while the keys are replaced, where nothing else keeps two from it.
    pub(super) fn lock(&self) -> Result<Option<File>> {
        match self {
            Self::File(file) => data_dir::alone(&file.path).map(Some),
            Self::Row(_) => Ok(None),
        }
    }

    /// Replaces the keys, and tells every server of it; the new ones. The caller holds the lock.
    pub(super) async fn replace(
        &self,
        store: &Store,
        change: impl FnOnce(KeyMaterial) -> Result<(KeyMaterial, Option<Event>)> + Clone + Send + 'static,
    ) -> Result<KeyMaterial> {
        match self {
            Self::File(file) => {
                let (keys, event) = change(file.read()?)?;
                key_file::write(&file.path, &keys).map_err(|error| Error::Unavailable(error.to_string()))?;
                let tell = async move |tx: &Tx<'_>| {
                    tx.record(Change::Keys);
                    if let Some(event) = event {
                        tx.audit(event);
                    }
                    Ok(())
                };
                store.write(tell).await?;
                Ok(keys)
            }
            Self::Row(secret) => {
                let secret = secret.clone();
                let replaced = async move |tx: &Tx<'_>| {
                    let sealed = store::meta::find(tx, store::meta::KEYS).await?;
                    let (keys, event) = change(opened(sealed.as_deref(), &secret)?)?;
                    store::meta::set(tx, store::meta::KEYS, &sealed_text(&keys, &secret)?).await?;
                    tx.record(Change::Keys);
                    if let Some(event) = event {
                        tx.audit(event);
                    }
                    Ok(keys)
                };
                store.write(replaced).await
            }
        }
    }
}

impl KeySafe {
    /// Seals the keys under another secret. Nobody is told: who has the old one goes on with what it
    /// has read.
    pub(super) async fn reseal(&self, store: &Store, event: Event, secret: ClusterSecret) -> Result<()> {
        let Self::Row(old) = self else {
            return Err(Error::Forbidden("the keys are in a file of their own, under no secret"));
        };
        let old = old.clone();
        let resealed = async move |tx: &Tx<'_>| {
            let sealed = store::meta::find(tx, store::meta::KEYS).await?;
            let keys = opened(sealed.as_deref(), &old)?;
            tx.audit(event);
            store::meta::set(tx, store::meta::KEYS, &sealed_text(&keys, &secret)?).await
        };
        store.write(resealed).await
    }
}

pub(super) fn read_file(path: &std::path::Path) -> Result<KeyMaterial> {
    let found = key_file::read(path).map_err(|error| Error::Unavailable(error.to_string()))?;
    found.ok_or_else(|| Error::Unavailable(format!("the key file {} is missing", path.display())))
}

pub(super) fn opened(sealed: Option<&str>, secret: &ClusterSecret) -> Result<KeyMaterial> {
    let sealed = sealed.ok_or_else(|| Error::Unavailable("the database has no keys".to_owned()))?;
    key_seal::open(sealed, secret.expose()).map_err(|error| Error::Unavailable(format!("the keys: {error}")))
}

pub(super) fn sealed_text(keys: &KeyMaterial, secret: &ClusterSecret) -> Result<String> {
    key_seal::seal(keys, secret.expose()).map_err(|_| Error::Internal("the keys cannot be sealed".to_owned()))
}

/// The keys of all nodes. Of several that start on an empty database one makes them.
async fn shared(
    secret: &ClusterSecret,
    store: &Store,
    algorithm: Algorithm,
    presence: Presence,
    now: Timestamp,
) -> Result<KeyMaterial, OpenError> {
    let of_store = |error: Error| OpenError::of_store(&error);
    let found = store::meta::find(&store.reads(), store::meta::KEYS).await.map_err(of_store)?;
    match found.map(|sealed| key_seal::open(&sealed, secret.expose())) {
        Some(Ok(keys)) => return Ok(keys),
        Some(Err(_)) if presence != Presence::MadeWithNewKeys => return Err(foreign()),
        None if presence == Presence::Required => return Err(nothing_there()),
        Some(Err(_)) | None => {}
    }
    let fresh = KeyMaterial::generate(algorithm, now).map_err(OpenError::new)?;
    let sealed = sealed_text(&fresh, secret).map_err(of_store)?;
    let new_secret = secret.clone();
    let kept = store.write(async move |tx: &Tx<'_>| {
        store::meta::insert(tx, store::meta::KEYS, &sealed).await?;
        let kept = store::meta::find(tx, store::meta::KEYS).await?.unwrap_or_default();
        // Another node with the same new secret may have been first.
        let is_ours = key_seal::open(&kept, new_secret.expose()).is_ok();
        if is_ours || presence != Presence::MadeWithNewKeys {
            return Ok(Some(kept));
        }
        store::meta::set(tx, store::meta::KEYS, &sealed).await?;
        tx.record(Change::Keys);
        Ok(Some(sealed))
    });
    let kept = kept.await.map_err(of_store)?.unwrap_or_default();
    key_seal::open(&kept, secret.expose()).map_err(|_| foreign())
}

pub(super) fn foreign() -> OpenError {
    OpenError::new(
        "the keys in the database were sealed under another secret: name the secret_file of the other nodes; if it is \
         lost for good, `doorward serve --new-keys` goes on with new keys, and every token and session is void",
    )
}

pub(super) fn nothing_there() -> OpenError {
    OpenError::new(
        "there is no doorward data in this database: correct database_url, or start `doorward serve` once to make it",
    )
}
