//! Values of the configuration, and moments: what is shown of one can be read again, and is the same.

use crate::clock::Timestamp;
use crate::config::{self, Link, Mailbox, Origin, Prefix, PublicUrl};

const PASSWORD: &str = "s3cretMark";

pub(super) fn settings(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(span) = config::duration(text) {
        assert_eq!(config::duration(&config::duration_text(span)), Ok(span));
    }
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\".contains(&byte));
    if let Ok(url) = PublicUrl::parse(text) {
        assert_eq!(PublicUrl::parse(url.as_str()).as_ref(), Ok(&url));
        assert!(is_plain(text) && Link::parse(&format!("{text}/reset?token=")).is_ok(), "links in mails begin with it");
    }
    if let Ok(origin) = Origin::parse(text) {
        assert_eq!(Origin::parse(origin.as_str()).as_ref(), Ok(&origin));
        assert!(is_plain(origin.as_str()), "browsers send no other");
    }
    if let Ok(link) = Link::parse(text) {
        assert_eq!(link.with_token("t0k"), format!("{text}t0k"));
        assert!(is_plain(text), "it stands in a mail");
    }
    if let Ok(prefix) = Prefix::parse(text) {
        assert_eq!(Prefix::parse(prefix.as_str()).as_ref(), Ok(&prefix));
        assert!(!prefix.as_str().ends_with('/'));
    }
    if let Ok(mailbox) = Mailbox::parse(text) {
        assert_eq!(Mailbox::parse(&mailbox.to_string()).as_ref(), Ok(&mailbox));
        assert!(!mailbox.to_string().contains(char::is_control), "it stands in a mail's head");
    }
    no_password_is_shown(text);
}

/// Lines: the user, and what follows the password.
fn no_password_is_shown(text: &str) {
    let (user, rest) = text.split_once('\n').unwrap_or((text, "db/x"));
    if !user.contains(['@', ':']) && !text.contains(PASSWORD) {
        let shown = config::shown_url(&format!("postgres://{user}:{PASSWORD}@{rest}"));
        assert!(!shown.contains(PASSWORD), "{shown}");
        assert_eq!(config::shown_url(&shown), shown);
    }
}

pub(super) fn moments(input: &[u8]) {
    if let Some(bytes) = input.first_chunk() {
        is_written_and_read(Timestamp::from_micros(i64::from_be_bytes(*bytes)));
    }
    let Ok(text) = str::from_utf8(input) else { return };
    if let Some(moment) = Timestamp::parse_rfc3339(text) {
        is_written_and_read(moment);
        let shown = Timestamp::parse_rfc3339(&moment.rfc3339()).unwrap();
        assert!(shown <= moment && moment.micros() - shown.micros() < 1_000);
    }
}

fn is_written_and_read(moment: Timestamp) {
    let text = moment.rfc3339();
    assert_eq!(text.len(), 24);
    let read = Timestamp::parse_rfc3339(&text).unwrap();
    assert_eq!(read.rfc3339(), text);
    assert!(read <= moment || moment < Timestamp::from_micros(-62_167_219_200_000_000), "{text}");
}
