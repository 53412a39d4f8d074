//! Secrets that are kept in files of their own, read whole. No message names the file: who mixes up
//! two keys has put the secret where its path belongs.

use std::fs::File;
use std::io::Read as _;

use zeroize::Zeroizing;

use crate::secret::{ExposeSecret as _, Secret};

const MAX_BYTES: u64 = 65_536;

/// The bytes of a file, without the newline at its end.
pub(super) fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let cannot = |error| format!("cannot read the file that it names: {error}");
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes)).map_err(cannot)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("the file that it names is too long for a secret".to_owned());
    }
    let line = bytes.strip_suffix(b"\n").map_or(&bytes[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
    let length = line.len();
    bytes.truncate(length);
    if bytes.is_empty() { Err("the file that it names is empty".to_owned()) } else { Ok(bytes) }
}

/// The same of a file that holds a text.
pub(super) fn read_text(path: &str) -> Result<Secret, String> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file that it names must be UTF-8 text".to_owned())?;
    Ok(Secret::from(text))
}

/// The text, for a library that wants it plain.
pub(super) fn exposed(secret: &Secret) -> &str {
    secret.expose_secret()
}
