//! The outbox: a folder from which the operator's own mail system takes mails, a file each.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::Unusable;
use super::compose::Letter;
use crate::domain::error::{Error, Result};

/// A private directory.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes it where it is absent, and closes it to other users of the machine.
    pub(super) fn open(directory: PathBuf) -> Result<Self, Unusable> {
        match make_private(&directory) {
            Ok(()) => Ok(Self(directory)),
            Err(error) => Err(Unusable::Directory(directory, error)),
        }
    }

    /// Writes one mail, and gives the name of its file.
    pub(super) fn keep(&self, letter: &Letter) -> Result<String> {
        let name = format!("{}.eml", letter.name);
        write_private(&self.0, &name, letter.bytes())
            .map_err(|error| Error::Unavailable(format!("a mail was not written to the outbox: {error}")))?;
        Ok(name)
    }
}

fn make_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o700))
}

/// Puts the file in place whole or not at all: who watches the directory never reads half a mail.
fn write_private(directory: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let unfinished = directory.join(format!(".{name}.unfinished"));
    let outcome = write_new(&unfinished, bytes).and_then(|()| fs::rename(&unfinished, directory.join(name)));
    if outcome.is_err() {
        // The first error is the one to tell of.
        let _ = fs::remove_file(&unfinished);
    }
    outcome?;
    File::open(directory)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
