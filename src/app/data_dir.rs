//! The data directory: made with the right modes, held alone while it is being set up, and its
//! keys matched with its database.

use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;
use crate::clock::Timestamp;
use crate::domain::error::Error;
use crate::domain::token::Algorithm;
use crate::store::key_file::{self, KEY_FILE};
use crate::store::key_material::KeyMaterial;
use crate::store::{self, Schema, Store, Tx};

pub(super) const OWNER_ONLY: u32 = 0o700;

/// Whether the data directory may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// A first start makes it.
    Made,
    /// It has to be there: a mistyped path must not become an empty store.
    Required,
    /// Made, and a database whose keys are lost goes on with new ones.
    MadeWithNewKeys,
}

impl Presence {
    pub(super) const fn schema(self) -> Schema {
        match self {
            Self::Required => Schema::Required,
            Self::Made | Self::MadeWithNewKeys => Schema::Made,
        }
    }
}

/// Makes and checks the directory. While the result is kept, no other process sets it up. `has_keys`
/// where the keys are in it, and so a missing directory is a missing store.
pub(super) fn prepare(path: &Path, presence: Presence, has_keys: bool) -> Result<File, OpenError> {
    let shown = path.display();
    if has_keys && presence == Presence::Required && !path.join(KEY_FILE).exists() {
        return Err(nothing_in(path));
    }
    let parents = parents_to_sync(path);
    DirBuilder::new().recursive(true).mode(OWNER_ONLY).create(path).map_err(|error| {
        OpenError(format!("the data directory {shown} cannot be made ({error}): choose another with --data-dir"))
    })?;
    let directory = File::open(path)
        .map_err(|error| OpenError(format!("the data directory {shown} cannot be opened ({error})")))?;
    for parent in parents {
        // Of a directory that may not be read, power loss may take the new entry.
        let _ = File::open(parent).and_then(|parent| parent.sync_all());
    }
    restrict(&directory).map_err(|error| {
        OpenError(format!(
            "the mode of the data directory {shown} cannot be set to 0700 ({error}): make this user its owner, on a \
             filesystem that can be written, or choose another with --data-dir"
        ))
    })?;
    flock(&directory, FlockOperation::LockExclusive)
        .map_err(|error| OpenError(format!("the data directory {shown} cannot be locked ({error})")))?;
    Ok(directory)
}

pub(super) fn nothing_in(path: &Path) -> OpenError {
    OpenError(format!(
        "there is no doorward data in {}: name its directory with --data-dir, or start `doorward serve` once to make it",
        path.display()
    ))
}

/// The directories in which making this one leaves a new entry.
fn parents_to_sync(path: &Path) -> Vec<&Path> {
    let made = path.ancestors().take_while(|made| !made.is_dir());
    let parents = made.filter_map(Path::parent);
    parents.map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }).collect()
}

fn restrict(directory: &File) -> io::Result<()> {
    if directory.metadata()?.permissions().mode() & 0o7777 == OWNER_ONLY {
        return Ok(());
    }
    directory.set_permissions(Permissions::from_mode(OWNER_ONLY))
}

/// Held by whoever replaces the keys at `path`.
pub(super) fn alone(path: &Path) -> Result<File, Error> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let lock = || -> io::Result<File> {
        let directory = File::open(directory)?;
        flock(&directory, FlockOperation::LockExclusive)?;
        Ok(directory)
    };
    lock().map_err(|error| Error::Unavailable(format!("{} cannot be locked ({error})", directory.display())))
}

/// The keys in the file at `path`, made where both keys and database are new.
pub(super) async fn keys(
    path: &Path,
    store: &Store,
    algorithm: Algorithm,
    presence: Presence,
    now: Timestamp,
) -> Result<KeyMaterial, OpenError> {
    let known = store::meta::find(&store.reads(), store::meta::KEY_FILE).await;
    let known = known.map_err(|error| OpenError::of_store(&error))?;
    let found = key_file::read(path).map_err(OpenError::new)?;
    let keys = match (found, &known) {
        (None, Some(_)) if presence != Presence::MadeWithNewKeys => return Err(lost(path)),
        (None, _) => {
            let keys = KeyMaterial::generate(algorithm, now).map_err(OpenError::new)?;
            key_file::write(path, &keys).map_err(OpenError::new)?;
            keys
        }
        (Some(keys), Some(known)) if keys.file_id != *known && presence != Presence::MadeWithNewKeys => {
            return Err(foreign(path));
        }
        (Some(keys), _) => keys,
    };
    if known.as_ref() != Some(&keys.file_id) {
        let id = keys.file_id.clone();
        store
            .write(async move |tx: &Tx<'_>| store::meta::set(tx, store::meta::KEY_FILE, &id).await)
            .await
            .map_err(|error| OpenError::of_store(&error))?;
    }
    Ok(keys)
}

fn lost(path: &Path) -> OpenError {
    OpenError(format!(
        "the key file {} is missing, and the database was made with it: restore it from a backup; if it is lost for \
         good, `doorward serve --new-keys` goes on with new keys, and every token and session is void",
        path.display()
    ))
}

pub(super) fn foreign(path: &Path) -> OpenError {
    OpenError(format!(
        "the key file {} belongs to another database: restore the one that was backed up with this database; if it \
         is lost for good, `doorward serve --new-keys` goes on with this one, and every token and session is void",
        path.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_that_get_a_new_entry_are_synced() {
        assert_eq!(
            parents_to_sync(Path::new("no-such/a/b")),
            [Path::new("no-such/a"), "no-such".as_ref(), ".".as_ref()]
        );
        assert_eq!(parents_to_sync(Path::new("src/no-such")), [Path::new("src")]);
        assert!(parents_to_sync(Path::new("src/app")).is_empty());
    }
}
