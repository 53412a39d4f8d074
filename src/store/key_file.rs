//! The file `keys` in the data directory: read with suspicion, replaced as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::secret::random;
use crate::store::key_material::{BadKeys, KeyMaterial};

/// The file's name in the data directory.
pub const KEY_FILE: &str = "keys";

const OWNER_ONLY: u32 = 0o600;
const OTHERS: u32 = 0o077;
/// Hundreds of keys fit; a file beyond this is something else.
const LONGEST: u64 = 1 << 20;

/// Why the key file cannot be used, and what would mend it.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It is there but cannot be read.
    #[error("cannot read {path}: {source}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It cannot be written.
    #[error("cannot write {path}: {source}", path = path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others than its owner may open it.
    #[error(
        "{path} is open to others (mode {mode:04o}): run `chmod 600 {path}`, and rotate the keys if others could read it",
        path = path.display()
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It was written by a newer version.
    #[error("{path} was written by a newer version of doorward: start that version", path = path.display())]
    Newer {
        /// The file.
        path: PathBuf,
    },
    /// Its content is not what was written.
    #[error("{path} is damaged ({what}): restore it from a backup", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How that shows.
        what: BadKeys,
    },
}

/// The keys in the file at `path`; `None` where there is no such file.
///
/// # Errors
///
/// Names the file, what is wrong with it and how to mend it.
pub fn read(path: &Path) -> Result<Option<KeyMaterial>, KeyFileError> {
    let unreadable = |source| KeyFileError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    // Asked of the open file, so that nobody can swap it between the question and the reading.
    let metadata = file.metadata().map_err(unreadable)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(KeyFileError::TooOpen { path: path.to_owned(), mode });
    }
    let damaged = |what| KeyFileError::Damaged { path: path.to_owned(), what };
    let capacity = usize::try_from(metadata.len().min(LONGEST)).unwrap_or_default() + 1;
    let mut bytes = Zeroizing::new(Vec::with_capacity(capacity));
    file.take(LONGEST).read_to_end(&mut bytes).map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| damaged(BadKeys::Incomplete))?;
    KeyMaterial::parse(text).map(Some).map_err(|what| match what {
        BadKeys::Newer => KeyFileError::Newer { path: path.to_owned() },
        what => damaged(what),
    })
}

/// Makes `keys` the content of the file at `path`. After power loss the file holds either the
/// old keys or the new ones.
///
/// # Errors
///
/// Names the file and what the system says; the old file is untouched then.
pub fn write(path: &Path, keys: &KeyMaterial) -> Result<(), KeyFileError> {
    let unwritable = |source| KeyFileError::Unwritable { path: path.to_owned(), source };
    let text = keys.to_text().map_err(|error| unwritable(error.into()))?;
    let suffix = u64::from_ne_bytes(random());
    let temporary = path.with_extension(format!("{suffix:016x}.new"));
    replace(path, &temporary, text.as_bytes()).map_err(|error| {
        // It may never have been made; what counts is the first error.
        let _ = fs::remove_file(&temporary);
        unwritable(error)
    })
}

fn replace(path: &Path, temporary: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(OWNER_ONLY).open(temporary)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(temporary, path)?;
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::token::Algorithm;

    fn keys() -> KeyMaterial {
        KeyMaterial::generate(Algorithm::EdDsa, Timestamp::from_seconds(1_700_000_000)).unwrap()
    }

    fn written() -> (TempDir, PathBuf) {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(KEY_FILE);
        write(&path, &keys()).unwrap();
        (directory, path)
    }

    fn refusal(path: &Path) -> String {
        read(path).err().unwrap().to_string()
    }

    #[test]
    fn no_file_is_no_error() {
        let directory = TempDir::new().unwrap();
        assert!(read(&directory.path().join(KEY_FILE)).unwrap().is_none());
    }

    #[test]
    fn the_file_is_for_its_owner_only_and_nothing_is_left_beside_it() {
        let (directory, path) = written();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let replacement = keys();
        write(&path, &replacement).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().file_id, replacement.file_id);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_others_may_open_is_refused_with_its_mend() {
        let (_directory, path) = written();
        for mode in [0o640, 0o604, 0o610, 0o644, 0o666] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let message = refusal(&path);
            assert!(message.contains(&format!("`chmod 600 {}`", path.display())), "{message}");
            assert!(message.contains(&format!("{mode:04o}")), "{message}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(read(&path).unwrap().is_some());
    }

    #[test]
    fn a_damaged_or_truncated_file_is_refused_with_its_mend() {
        let (_directory, path) = written();
        let whole = fs::read(&path).unwrap();
        let mut flipped = whole.clone();
        flipped[60] ^= 1;
        let mut foreign = whole.clone();
        foreign[60] = 0xff;
        for content in [&flipped[..], &foreign, &whole[..whole.len() / 2], b""] {
            fs::write(&path, content).unwrap();
            let message = refusal(&path);
            assert!(message.starts_with(&format!("{} is damaged (", path.display())), "{message}");
            assert!(message.ends_with("restore it from a backup"), "{message}");
        }
    }

    #[test]
    fn a_write_that_fails_names_the_file_and_leaves_nothing_behind() {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join(KEY_FILE);
        fs::create_dir(&path).unwrap();
        let message = write(&path, &keys()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot write {}", path.display())), "{message}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
        assert!(refusal(&path).contains(&path.display().to_string()));
        assert!(write(&directory.path().join("absent").join(KEY_FILE), &keys()).is_err());
    }
}
