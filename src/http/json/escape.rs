//! JSON strings with escapes in them, decoded without the parser's scratch space: what is put together there stays
//! in freed memory, and a password may well hold a quotation mark.

use zeroize::Zeroizing;

/// What a string spells, quotation marks and all; `None` where it is none, or holds half of a surrogate pair. That
/// nothing else is wrong with it the parser has seen already.
pub(super) fn decode(quoted: &str) -> Option<String> {
    let mut rest = quoted.strip_prefix('"')?.strip_suffix('"')?;
    // The whole capacity at once, and wiped where it comes to nothing.
    let mut text = Zeroizing::new(String::with_capacity(rest.len()));
    while let Some((before, after)) = rest.split_once('\\') {
        let (character, after) = character(after)?;
        text.push_str(before);
        text.push(character);
        rest = after;
    }
    text.push_str(rest);
    Some(std::mem::take(&mut *text))
}

/// The character whose escape begins behind a backslash, and what follows it.
fn character(text: &str) -> Option<(char, &str)> {
    let (kind, rest) = text.split_at_checked(1)?;
    let character = match kind {
        "\"" | "\\" | "/" => kind.chars().next()?,
        "b" => '\u{8}',
        "f" => '\u{c}',
        "n" => '\n',
        "r" => '\r',
        "t" => '\t',
        "u" => return by_number(rest),
        _ => return None,
    };
    Some((character, rest))
}

fn by_number(text: &str) -> Option<(char, &str)> {
    let (first, rest) = unit(text)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, rest));
    }
    let (second, rest) = unit(rest.strip_prefix("\\u")?)?;
    Some((char::decode_utf16([first, second]).next()?.ok()?, rest))
}

fn unit(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((u16::from_str_radix(digits, 16).ok().filter(|_| are_digits)?, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_escape_is_read() {
        let text = decode(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 \u005C\u0022""#);
        assert_eq!(text.as_deref(), Some("\"\\/\u{8}\u{c}\n\r\t\u{e9}\u{1f600} \\\""));
        assert_eq!(decode("\"\"").as_deref(), Some(""));
    }

    #[test]
    fn what_is_no_escape_is_refused() {
        for text in [
            "",
            "\"",
            r#""\""#,
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud800""#,
            r#""\ud800\n""#,
            r#""\ud800\ud800""#,
            r#""\udc00""#,
            r#""\ué000""#,
        ] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn a_string_is_decoded_without_growing_its_buffer() {
        let quoted = format!("\"{}\"", r"\u00e9x\n".repeat(1_000));
        assert_eq!(decode(&quoted).unwrap().capacity(), quoted.len() - 2);
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(text in any::<String>()) {
            prop_assert_eq!(decode(&serde_json::to_string(&text).unwrap()), Some(text.clone()));
            let by_number: Vec<_> = text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
            prop_assert_eq!(decode(&format!("\"{}\"", by_number.concat())), Some(text));
        }

        #[test]
        fn no_text_makes_the_decoder_panic(text in "\"?[\\\\ud8cab0\"x\u{e9}]{0,20}\"?") {
            let _ = decode(&text);
        }
    }
}
