//! Where a page begins, as a text that is given out and taken back, and the ranges of texts that begin alike.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::error::{Error, Result};

/// No name and no key that is looked for is longer, in bytes.
const LONGEST: usize = 1_024;

fn foreign() -> Error {
    Error::invalid("after", "must be what an earlier page of the same search gave")
}

/// Reads a cursor that is an identifier.
pub(super) fn id<T>(after: Option<&str>, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
    after.map(|after| parse(after).ok_or_else(foreign)).transpose()
}

/// Writes a cursor that is a key.
pub(super) fn write(key: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(key)
}

/// Reads such a cursor by `parse`.
pub(super) fn key<T>(after: Option<&str>, parse: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>> {
    let read = |after: &str| URL_SAFE_NO_PAD.decode(after).ok().and_then(|key| parse(&key));
    after.map(|after| read(after).ok_or_else(foreign)).transpose()
}

/// Reads a text that a database can keep.
pub(super) fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok().filter(|text| !text.contains('\0'))
}

/// The least text above all that begin with `prefix`, byte by byte; `None` where there is none, or where
/// nothing that is kept begins so.
pub(super) fn above(prefix: &str) -> Option<String> {
    if prefix.len() > LONGEST || prefix.contains('\0') {
        return None;
    }
    let mut above = prefix.to_owned();
    while let Some(last) = above.pop() {
        // Between the two lie numbers that are no characters.
        let next = if last == '\u{d7ff}' { Some('\u{e000}') } else { char::from_u32(u32::from(last) + 1) };
        if let Some(next) = next {
            above.push(next);
            return Some(above);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_begins_alike_lies_below_what_comes_next() {
        for (prefix, next) in [
            ("ann", Some("ano")),
            ("a%", Some("a&")),
            ("\u{d7ff}", Some("\u{e000}")),
            ("a\u{10ffff}", Some("b")),
            ("\u{10ffff}", None),
            ("", None),
            ("a\0b", None),
            (&"a".repeat(LONGEST + 1), None),
        ] {
            assert_eq!(above(prefix).as_deref(), next, "{prefix:?}");
        }
    }

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is() {
        let written = write("änn".as_bytes());
        assert_eq!(key(Some(&written), |key| text(key).map(str::to_owned)).unwrap().as_deref(), Some("änn"));
        assert!(key(None, |key| text(key).map(str::to_owned)).unwrap().is_none());
        for bad in ["", "=", "ä", &write(b"\xff"), &write(b"a\0")] {
            let read = key(Some(bad), |key| text(key).filter(|text| !text.is_empty()).map(str::to_owned));
            assert!(matches!(read, Err(Error::Invalid(faults)) if faults[0].field == "after"), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_text_that_begins_so_lies_between(prefix in "\\PC{1,8}", rest in "\\PC{0,8}", other in "\\PC{0,9}") {
            let above = above(&prefix).unwrap();
            let lies_between = |text: &str| prefix.as_str() <= text && text < above.as_str();
            let longer = format!("{prefix}{rest}");
            prop_assert!(lies_between(&longer));
            prop_assert_eq!(lies_between(&other), other.starts_with(&prefix));
        }
    }
}
