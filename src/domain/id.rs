//! Identifiers: 96 bits, 32 of Unix seconds and 64 random, so that they sort by age and cannot
//! be guessed. One value, two spellings: 24 hex digits, and a version-4-shaped UUID.

use std::fmt;

use crate::clock::Timestamp;

/// How many bytes an identifier has.
pub const ID_BYTES: usize = 12;

/// Builds an identifier from the moment and eight random bytes.
fn assemble(now: Timestamp, entropy: [u8; 8]) -> [u8; ID_BYTES] {
    let seconds = u32::try_from(now.seconds().clamp(0, i64::from(u32::MAX))).unwrap_or(u32::MAX);
    let mut bytes = [0; ID_BYTES];
    bytes[..4].copy_from_slice(&seconds.to_be_bytes());
    bytes[4..].copy_from_slice(&entropy);
    bytes
}

/// Bytes in lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    // Writing to a String cannot fail.
    let _ = write_hex(bytes, &mut text);
    text
}

fn write_hex(bytes: &[u8], out: &mut impl fmt::Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| {
        out.write_char(digit_of(byte >> 4))?;
        out.write_char(digit_of(byte & 15))
    })
}

fn digit_of(half: u8) -> char {
    char::from(b"0123456789abcdef"[usize::from(half & 15)])
}

/// Reads `2 * N` hex digits, in either case.
pub(crate) fn read_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let (high, low) = (hex_digit(pair[0])?, hex_digit(pair[1])?);
        *byte = high << 4 | low;
    }
    Some(bytes)
}

fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Reads either spelling. A UUID must carry this server's fixed bytes.
fn read_id(text: &str) -> Option<[u8; ID_BYTES]> {
    let text = text.as_bytes();
    match text.len() {
        24 => read_hex(text),
        36 => read_uuid(text),
        _ => None,
    }
}

fn read_uuid(text: &[u8]) -> Option<[u8; ID_BYTES]> {
    let mut digits = [0; 32];
    let mut filled = 0;
    for (position, &byte) in text.iter().enumerate() {
        if matches!(position, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
        } else {
            digits[filled] = byte;
            filled += 1;
        }
    }
    let uuid: [u8; 16] = read_hex(&digits)?;
    if uuid[6] != 0x40 || uuid[8] != 0x80 || uuid[14] != 0 || uuid[15] != 0 {
        return None;
    }
    let mut bytes = [0; ID_BYTES];
    bytes[..6].copy_from_slice(&uuid[..6]);
    bytes[6] = uuid[7];
    bytes[7..].copy_from_slice(&uuid[9..14]);
    Some(bytes)
}

fn write_uuid(bytes: &[u8; ID_BYTES]) -> String {
    let mut uuid = [0; 16];
    uuid[..6].copy_from_slice(&bytes[..6]);
    uuid[6] = 0x40;
    uuid[7] = bytes[6];
    uuid[8] = 0x80;
    uuid[9..14].copy_from_slice(&bytes[7..]);
    let mut text = String::with_capacity(36);
    for (position, byte) in uuid.iter().enumerate() {
        if matches!(position, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(digit_of(byte >> 4));
        text.push(digit_of(byte & 15));
    }
    text
}

/// Whether `text` has the shape of an identifier or of any UUID: such a text is never a username.
pub(crate) fn looks_like_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    match bytes.len() {
        24 => bytes.iter().all(u8::is_ascii_hexdigit),
        36 => bytes.iter().enumerate().all(|(position, byte)| match position {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        }),
        _ => false,
    }
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_BYTES]);

        impl $name {
            /// A fresh identifier of this moment; `entropy` makes it unique and unguessable.
            #[must_use]
            pub fn generate(now: Timestamp, entropy: [u8; 8]) -> Self {
                Self(assemble(now, entropy))
            }

            /// Reads 24 hex digits or the UUID spelling.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                read_id(text).map(Self)
            }

            /// The identifier that these bytes are.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; ID_BYTES]) -> Self {
                Self(bytes)
            }

            /// Its twelve bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; ID_BYTES] {
                &self.0
            }

            /// The version-4-shaped UUID spelling.
            #[must_use]
            pub fn to_uuid(self) -> String {
                write_uuid(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }
    )*};
}

identifiers! {
    /// Names a user.
    UserId;
    /// Names an API token (never its secret).
    TokenId;
    /// Names a session.
    SessionId;
    /// Names a project.
    ProjectId;
    /// Names a mail that waits to be sent.
    MailId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_name_the_same_id() {
        let id = UserId::parse("0123456789abcdef01234567").unwrap();
        assert_eq!(id.to_uuid(), "01234567-89ab-40cd-80ef-012345670000");
        assert_eq!(UserId::parse(&id.to_uuid()), Some(id));
        assert_eq!(UserId::parse("01234567-89AB-40CD-80EF-012345670000"), Some(id));
        assert_eq!(id.to_string(), "0123456789abcdef01234567");
    }

    #[test]
    fn a_foreign_uuid_or_a_damaged_one_is_no_id() {
        for text in [
            "01234567-89ab-41cd-80ef-012345670000",
            "01234567-89ab-40cd-81ef-012345670000",
            "01234567-89ab-40cd-80ef-012345670001",
            "01234567+89ab-40cd-80ef-012345670000",
            "0123456789abcdef0123456g",
            "0123456789abcdef012345",
            "",
        ] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn ids_sort_by_their_second() {
        let early = UserId::generate(Timestamp::from_seconds(1), [255; 8]);
        let late = UserId::generate(Timestamp::from_seconds(2), [0; 8]);
        assert!(early < late);
    }
}
