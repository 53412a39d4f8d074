//! Moves the store from one place to another, with its keys, and remembers at the old place where it
//! went: of two places, only one may be served.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::keys::{self, KeyFile, KeySafe};
use super::{OpenError, data_dir, database};
use crate::clock::Timestamp;
use crate::config::{Database, Settings};
use crate::store::key_file::{self, KEY_FILE};
use crate::store::key_material::KeyMaterial;
use crate::store::transfer::{End, MoveError, Side};
pub use crate::store::transfer::{Listener, Progress, Tally, Work};
use crate::store::{Store, key_seal, meta};

impl From<MoveError> for OpenError {
    fn from(error: MoveError) -> Self {
        Self::new(error)
    }
}

/// A store that was moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// What every table holds, at both places.
    pub tables: Vec<Tally>,
    /// Whether it had been copied before.
    pub was_there: bool,
    /// The data directory of its new place, where that is a file.
    pub data_dir: Option<PathBuf>,
    /// Whether access tokens go on: they name the server that issued them.
    pub is_known_as_before: bool,
}

/// Moves the store of `origin` to the empty place that `destination` names. What was copied before,
/// and is alike, is only looked at.
///
/// # Errors
///
/// What is in the way, and how to mend it. The origin stays in use then.
pub async fn transfer(
    origin: &Settings,
    destination: &Settings,
    now: Timestamp,
    tell: &mut Listener<'_>,
) -> Result<Moved, OpenError> {
    let (from, to) = (database::shown(origin), database::shown(destination));
    let data_dir = folder(destination);
    if is_same_place(origin, destination) {
        return Err(OpenError::new(format!("the store is at {to} already: name another place with --to")));
    }
    let old = open_origin(origin, now).await?;
    let keys = keys_of(&old, &KeySafe::of(origin)?).await?;
    let safe = safe_at(destination, data_dir.as_deref())?;
    if let Some(folder) = &data_dir {
        prepare(folder, &keys)?;
    }
    let new = Side::open(database::location(destination)?, End::Destination, now).await?;
    let is_fresh = new.is_fresh().await?;
    if !is_fresh && !has_keys(&new, &safe, &keys).await? {
        return Err(not_empty(&to));
    }
    let there = if is_fresh { old.copy_to(&new, tell).await? } else { old.tallies(tell).await? };
    let tables = new.tallies(tell).await?;
    match there.iter().zip(&tables).find(|(there, here)| there != here) {
        Some(_) if !is_fresh => return Err(not_empty(&to)),
        Some((there, here)) => return Err(differ(there, here)),
        None => {}
    }
    note_keys(&new, &safe, &keys).await?;
    old.set_meta(meta::MOVED_TO, &format!("{} {to}", now.rfc3339())).await?;
    // Where it comes back to a place that it had left.
    new.delete_meta(meta::MOVED_TO).await?;
    new.commit().await.map_err(|error| {
        OpenError::new(format!(
            "whether everything is kept at {to} is not known ({error}): run the same command again before a server is \
             started at either place"
        ))
    })?;
    leave(old, &safe, &keys).await.map_err(|error| {
        OpenError::new(format!(
            "everything is at {to}, but {error}: mend that, and run the same command again before a server is started \
             at either place"
        ))
    })?;
    let is_known_as_before = origin.public_url.is_some() || origin.tokens.issuer.is_some();
    Ok(Moved { from, to, tables, was_there: !is_fresh, data_dir, is_known_as_before })
}

/// The last steps, once the database is complete at its new place. The key file comes behind it: without
/// a database it would be taken for that of an empty store.
async fn leave(old: Side, safe: &KeySafe, keys: &KeyMaterial) -> Result<(), OpenError> {
    if let KeySafe::File(KeyFile { path, .. }) = safe {
        key_file::write(path, keys).map_err(OpenError::new)?;
    }
    Ok(old.commit().await?)
}

/// Goes on with a store that was moved away, as it was before: what has changed at the new place
/// stays there. Where it had gone, or `None` where it never was moved.
///
/// # Errors
///
/// That it cannot be used.
pub async fn stay(settings: &Settings, now: Timestamp) -> Result<Option<String>, OpenError> {
    refuse_absent(settings)?;
    let side = Side::open(database::location(settings)?, End::Origin, now).await?;
    let Some(moved) = side.meta(meta::MOVED_TO).await? else { return Ok(None) };
    side.delete_meta(meta::MOVED_TO).await?;
    side.commit().await?;
    Ok(Some(place_in(&moved).1.to_owned()))
}

/// Nobody works on a store that is elsewhere by now.
pub(super) async fn refuse_moved(store: &Store) -> Result<(), OpenError> {
    let moved = meta::find(&store.reads(), meta::MOVED_TO).await.map_err(|error| OpenError::of_store(&error))?;
    moved.map_or(Ok(()), |moved| Err(gone(&moved)))
}

fn gone(moved: &str) -> OpenError {
    let (at, place) = place_in(moved);
    OpenError::new(format!(
        "this store moved to {place} at {at}: start the server there (database_url); to bring it back with all that \
         changed there since, move it from there to a new place; to go on here without that, run `doorward migrate \
         --stay` first"
    ))
}

/// When, and where to.
fn place_in(moved: &str) -> (&str, &str) {
    moved.split_once(' ').unwrap_or((moved, "another place"))
}

async fn open_origin(settings: &Settings, now: Timestamp) -> Result<Side, OpenError> {
    refuse_absent(settings)?;
    let side = Side::open(database::location(settings)?, End::Origin, now).await?;
    match side.meta(meta::MOVED_TO).await? {
        Some(moved) => Err(gone(&moved)),
        None => Ok(side),
    }
}

/// A mistyped directory must not become an empty store.
fn refuse_absent(settings: &Settings) -> Result<(), OpenError> {
    let Database::Sqlite(_) = &settings.database else { return Ok(()) };
    if settings.data_dir.join(KEY_FILE).exists() { Ok(()) } else { Err(data_dir::nothing_in(&settings.data_dir)) }
}

fn is_same_place(origin: &Settings, destination: &Settings) -> bool {
    let file = |settings: &Settings| match &settings.database {
        Database::Sqlite(path) => database::file(path.as_deref(), settings).canonicalize().ok(),
        Database::Postgres(_) => None,
    };
    match (&origin.database, &destination.database) {
        (Database::Sqlite(_), Database::Sqlite(_)) => file(origin).is_some_and(|old| file(destination) == Some(old)),
        _ => database::shown(origin) == database::shown(destination),
    }
}

/// The data directory that a database file lies in.
fn folder(settings: &Settings) -> Option<PathBuf> {
    let Database::Sqlite(path) = &settings.database else { return None };
    let file = database::file(path.as_deref(), settings);
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Some(folder.to_owned())
}

fn safe_at(settings: &Settings, folder: Option<&Path>) -> Result<KeySafe, OpenError> {
    folder.map_or_else(|| KeySafe::of(settings), |folder| Ok(KeySafe::File(KeyFile::at(folder.join(KEY_FILE)))))
}

/// Makes the directory where there is none. One that is there may be used for other things: its mode is
/// not touched, and a key file of another store stops everything.
fn prepare(folder: &Path, keys: &KeyMaterial) -> Result<(), OpenError> {
    DirBuilder::new().recursive(true).mode(data_dir::OWNER_ONLY).create(folder).map_err(|error| {
        OpenError::new(format!("the directory {} cannot be made ({error}): choose another", folder.display()))
    })?;
    let path = folder.join(KEY_FILE);
    match key_file::read(&path).map_err(OpenError::new)? {
        Some(other) if other.file_id != keys.file_id => Err(OpenError::new(format!(
            "the key file {} belongs to another store: choose another directory",
            path.display()
        ))),
        _ => Ok(()),
    }
}

/// The keys, where they belong to this database.
async fn keys_of(side: &Side, safe: &KeySafe) -> Result<KeyMaterial, OpenError> {
    match safe {
        KeySafe::File(KeyFile { path, .. }) => {
            let keys = keys::read_file(path).map_err(OpenError::new)?;
            match side.meta(meta::KEY_FILE).await? {
                Some(known) if known == keys.file_id => Ok(keys),
                _ => Err(data_dir::foreign(path)),
            }
        }
        KeySafe::Row(secret) => match side.meta(meta::KEYS).await? {
            Some(sealed) => key_seal::open(&sealed, secret.expose()).map_err(|_| keys::foreign()),
            None => Err(keys::nothing_there()),
        },
    }
}

/// Whether a place belongs to the same store.
async fn has_keys(side: &Side, safe: &KeySafe, keys: &KeyMaterial) -> Result<bool, OpenError> {
    let known = match safe {
        KeySafe::File(_) => side.meta(meta::KEY_FILE).await?,
        KeySafe::Row(secret) => {
            let sealed = side.meta(meta::KEYS).await?;
            sealed.and_then(|sealed| key_seal::open(&sealed, secret.expose()).ok()).map(|known| known.file_id)
        }
    };
    Ok(known.as_ref() == Some(&keys.file_id))
}

/// Says in the database which keys belong to it.
async fn note_keys(side: &Side, safe: &KeySafe, keys: &KeyMaterial) -> Result<(), OpenError> {
    match safe {
        KeySafe::File(_) => side.set_meta(meta::KEY_FILE, &keys.file_id).await?,
        KeySafe::Row(secret) => {
            let sealed = keys::sealed_text(keys, secret).map_err(OpenError::new)?;
            side.set_meta(meta::KEYS, &sealed).await?;
        }
    }
    Ok(())
}

fn not_empty(place: &str) -> OpenError {
    OpenError::new(format!("{place} holds a store of its own: name an empty place with --to"))
}

fn differ(there: &Tally, here: &Tally) -> OpenError {
    OpenError::new(format!(
        "the table {} has {} rows with checksum {} at the old place and {} with {} at the new one: nothing was moved; \
         this is a fault of doorward or of the new place's disk or memory",
        there.table, there.rows, there.sha256, here.rows, here.sha256
    ))
}
