//! Names have canonical forms, and those are their own: otherwise two users could have what looks like one name.

use crate::domain::id::{ProjectId, SessionId, TokenId, UserId, looks_like_id};
use crate::domain::permission::{Permission, Permissions};
use crate::domain::user::{Bio, DisplayName, Email, LoginName, UserRef, Username};

pub(super) fn identifiers(input: &[u8]) {
    if let Some(bytes) = input.first_chunk() {
        let id = UserId::from_bytes(*bytes);
        assert_eq!(id.as_bytes(), bytes);
        for text in [id.to_string(), id.to_uuid(), id.to_string().to_uppercase(), id.to_uuid().to_uppercase()] {
            assert_eq!(UserId::parse(&text), Some(id), "{text}");
            assert!(looks_like_id(&text) && Username::parse(&text).is_err(), "{text} is no username");
        }
    }
    let Ok(text) = str::from_utf8(input) else { return };
    let read = UserId::parse(text);
    let bytes = read.map(|id| *id.as_bytes());
    assert_eq!(TokenId::parse(text).map(|id| *id.as_bytes()), bytes);
    assert_eq!(SessionId::parse(text).map(|id| *id.as_bytes()), bytes);
    assert_eq!(ProjectId::parse(text).map(|id| *id.as_bytes()), bytes);
    let Some(id) = read else { return };
    let spellings = [id.to_string(), id.to_uuid()];
    assert!(spellings.iter().any(|spelling| spelling.eq_ignore_ascii_case(text)), "{text} is a third spelling");
    assert_eq!(UserRef::parse(text), UserRef::Id(id));
}

pub(super) fn names(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    if let Ok(email) = Email::parse(text) {
        assert_eq!(email.as_str(), text);
        assert_eq!(LoginName::parse(text), LoginName::Email(email.clone()), "whoever types it is found");
        assert_eq!(UserRef::parse(text), UserRef::Login(LoginName::Email(email.clone())));
        assert_eq!(canonical_email(email.canonical()).as_deref(), Some(email.canonical()));
        let (_, domain) = email.canonical().rsplit_once('@').unwrap();
        assert!(domain.is_ascii() && *domain == domain.to_lowercase(), "{domain}");
        assert!(!text.contains(|c: char| c.is_control() || c.is_whitespace()), "{text:?} goes into a mail's head");
    }
    if let Ok(username) = Username::parse(text) {
        assert_eq!(username.as_str(), text);
        assert_eq!(LoginName::parse(text), LoginName::Username(username.clone()), "whoever types it is found");
        assert_eq!(UserRef::parse(text), UserRef::Login(LoginName::Username(username.clone())));
        assert_eq!(UserRef::parse(username.canonical()), LoginName::parse(username.canonical()).into());
        assert_eq!(canonical_username(username.canonical()).as_deref(), Some(username.canonical()));
    }
    if let Ok(name) = DisplayName::parse(text) {
        assert_eq!(name.as_str(), text);
        assert!(!text.contains(char::is_control));
    }
    assert!(Bio::parse(text).is_ok_and(|bio| bio.as_str() == text) || text.contains('\0') || text.len() > 2_000);
}

/// What a canonical form is looked up as, where it is short enough to be typed.
fn canonical_email(text: &str) -> Option<String> {
    if text.len() > 254 {
        return Some(text.to_owned());
    }
    Email::parse(text).ok().map(|email| email.canonical().to_owned())
}

fn canonical_username(text: &str) -> Option<String> {
    if text.chars().count() > 128 {
        return Some(text.to_owned());
    }
    Username::parse(text).ok().map(|username| username.canonical().to_owned())
}

impl From<LoginName> for UserRef {
    fn from(name: LoginName) -> Self {
        Self::Login(name)
    }
}

/// The permission that is wanted in the first line, and below it those that are held.
pub(super) fn permissions(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let mut lines = text.lines().map(Permission::parse);
    let Some(Ok(wanted)) = lines.next() else { return };
    assert_eq!(Permission::parse(wanted.as_str()).as_ref(), Ok(&wanted));
    assert_eq!(Permission::parse(&wanted.as_str().to_uppercase()).as_ref(), Ok(&wanted));
    let mut held = Permissions::default();
    let mut is_granted = false;
    for permission in lines.map_while(Result::ok) {
        let stem = permission.as_str().strip_suffix(".*");
        let below = stem.and_then(|stem| wanted.as_str().strip_prefix(stem)?.strip_prefix('.'));
        is_granted |= permission == wanted || permission.is_admin() || below.is_some_and(|rest| !rest.is_empty());
        held.insert(permission);
    }
    assert_eq!(held.grant(&wanted), is_granted, "{wanted:?} of {held:?}");
    assert_eq!(Permissions::from_json(&held.to_json()).as_ref(), Some(&held));
    let _ = Permissions::from_json(text);
}
