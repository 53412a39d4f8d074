//! Secrets that are kept in files of their own, read whole. No message names the file: who mixes up
//! two keys has put the secret where its path belongs.

use std::fs::File;
use std::io::{self, Read};

use zeroize::Zeroizing;

use super::reader::Reader;
use super::values::some_text;
use crate::secret::{ExposeSecret as _, Secret};

const MAX_BYTES: u64 = 65_536;

/// Room for the longest secret, one byte too many, and what reading to the end wants to have free behind that.
const CAPACITY: usize = 65_536 + 1_024;

/// The bytes of a file, without the newline at its end.
pub(super) fn read(path: &str) -> Result<Zeroizing<Vec<u8>>, String> {
    let bytes =
        File::open(path).and_then(gather).map_err(|error| format!("cannot read the file that it names: {error}"))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err("the file that it names is too long for a secret".to_owned());
    }
    let line = bytes.strip_suffix(b"\n").map_or(&bytes[..], |line| line.strip_suffix(b"\r").unwrap_or(line));
    if line.is_empty() { Err("the file that it names is empty".to_owned()) } else { Ok(Zeroizing::new(line.to_vec())) }
}

/// The whole capacity at once: a buffer that grows leaves copies of the secret behind.
fn gather(from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(CAPACITY));
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The same of a file that holds a text.
pub(super) fn read_text(path: &str) -> Result<Secret, String> {
    let bytes = read(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| "the file that it names must be UTF-8 text".to_owned())?;
    Ok(Secret::from(text))
}

/// A secret that is set as a value, or in a file that the key beside it names. `fault` says what is wrong with it.
pub(super) fn given(reader: &mut Reader, name: &str, fault: impl Fn(&str) -> Option<String>) -> Option<Secret> {
    let file_name = format!("{name}_file");
    let direct = reader.optional(name, some_text).map(Secret::from);
    let path = reader.optional(&file_name, some_text);
    let (secret, named) = match (direct, path) {
        (Some(_), Some(_)) => {
            reader.fault(&file_name, &format!("{name:?} is set too: keep one of the two"));
            return None;
        }
        (direct, None) => (direct?, name),
        (None, Some(path)) => match read_text(&path) {
            Ok(secret) => (secret, file_name.as_str()),
            Err(mend) => {
                reader.fault(&file_name, &mend);
                return None;
            }
        },
    };
    if let Some(mend) = fault(secret.expose_secret()) {
        reader.fault(named, &mend);
        return None;
    }
    Some(secret)
}

/// The text, for a library that wants it plain.
pub(super) fn exposed(secret: &Secret) -> &str {
    secret.expose_secret()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_read_without_growing_its_buffer() {
        for length in [0, 1, 31, 32, 33, 5_000, 65_536, 65_537, 100_000] {
            let read = gather(io::repeat(b'x').take(length)).unwrap();
            assert_eq!(read.len() as u64, length.min(MAX_BYTES + 1));
            assert_eq!(read.capacity(), CAPACITY, "of {length} bytes");
        }
    }
}
