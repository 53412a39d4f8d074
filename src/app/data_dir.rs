//! The data directory: made with the right modes, held alone while it is being set up, and its
//! keys matched with its database.

use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::OpenError;
use crate::clock::Timestamp;
use crate::config::Settings;
use crate::store::key_file::{self, KEY_FILE};
use crate::store::key_material::KeyMaterial;
use crate::store::{self, Store, Tx};

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

/// Makes and checks the directory. While the result is kept, no other process sets it up.
pub(super) fn prepare(path: &Path, presence: Presence) -> Result<File, OpenError> {
    let shown = path.display();
    if presence == Presence::Required && !path.join(KEY_FILE).exists() {
        return Err(OpenError(format!(
            "there is no doorward data in {shown}: name its directory with --data-dir, or start `doorward serve` once to make it"
        )));
    }
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| {
        OpenError(format!("the data directory {shown} cannot be made ({error}): choose another with --data-dir"))
    })?;
    let directory = File::open(path)
        .map_err(|error| OpenError(format!("the data directory {shown} cannot be opened ({error})")))?;
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|error| {
        OpenError(format!("the data directory {shown} must belong to this user ({error}): change its owner, or choose another with --data-dir"))
    })?;
    flock(&directory, FlockOperation::LockExclusive)
        .map_err(|error| OpenError(format!("the data directory {shown} cannot be locked ({error})")))?;
    Ok(directory)
}

/// The keys of this directory, made where both keys and database are new.
pub(super) async fn keys(
    settings: &Settings,
    store: &Store,
    presence: Presence,
    now: Timestamp,
) -> Result<KeyMaterial, OpenError> {
    let path = settings.data_dir.join(KEY_FILE);
    let known = store::meta::find(&store.reads(), store::meta::KEY_FILE).await.map_err(OpenError::new)?;
    let found = key_file::read(&path).map_err(OpenError::new)?;
    let algorithm = settings.tokens.algorithm;
    let keys = match (found, &known) {
        (None, Some(_)) if presence != Presence::MadeWithNewKeys => return Err(lost(&path)),
        (None, _) => {
            let keys = KeyMaterial::generate(algorithm, now).map_err(OpenError::new)?;
            key_file::write(&path, &keys).map_err(OpenError::new)?;
            keys
        }
        (Some(keys), Some(known)) if keys.file_id != *known && presence != Presence::MadeWithNewKeys => {
            return Err(foreign(&path));
        }
        // A command beside the server may not have its configuration: it changes no keys.
        (Some(keys), _) if keys.algorithm() == Some(algorithm) || presence == Presence::Required => keys,
        (Some(keys), _) => {
            let keys = keys.with_signing_key(algorithm, now).map_err(OpenError::new)?;
            key_file::write(&path, &keys).map_err(OpenError::new)?;
            keys
        }
    };
    if known.as_ref() != Some(&keys.file_id) {
        let id = keys.file_id.clone();
        store
            .write(async move |tx: &Tx<'_>| store::meta::set(tx, store::meta::KEY_FILE, &id).await)
            .await
            .map_err(OpenError::new)?;
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

fn foreign(path: &Path) -> OpenError {
    OpenError(format!(
        "the key file {} belongs to another database: restore the one that was backed up with this database; if it \
         is lost for good, `doorward serve --new-keys` goes on with this one, and every token and session is void",
        path.display()
    ))
}
