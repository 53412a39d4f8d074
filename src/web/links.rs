//! Paths of the pages, and what their queries carry from one to the next.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::urlencoded;

pub(super) const SIGN_IN: &str = "/sign-in";
pub(super) const ACCOUNT: &str = "/account";
pub(super) const CONSOLE: &str = "/console";
pub(super) const VERIFY_EMAIL: &str = "/verify-email";
pub(super) const CONFIRM_EMAIL: &str = "/confirm-email";

/// What needs no encoding in a value of a query.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

/// A text as a value of a query.
pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, QUERY_VALUE).to_string()
}

/// The page to sign in at, with the way back.
pub(super) fn sign_in(back: Option<&str>) -> String {
    with_next(SIGN_IN, back.filter(|back| *back != ACCOUNT))
}

/// The page at which to prove once more who one is, with the way back.
pub(super) fn prove(back: &str) -> String {
    with_next("/account/confirm-password", Some(back))
}

fn with_next(path: &str, next: Option<&str>) -> String {
    next.map_or_else(|| path.to_owned(), |next| format!("{path}?next={}", encoded(next)))
}

/// Where to go on in another language: a page for everybody, too.
pub(super) fn any_page(next: &str) -> Option<&str> {
    own(next, &[&PAGES[..], &GATE[..]].concat())
}

/// A way back that somebody shows: a page of this server's own for whoever is signed in, else nothing.
pub(super) fn own_page(next: &str) -> Option<&str> {
    own(next, &PAGES)
}

/// The pages of whoever is signed in.
const PAGES: [&str; 4] = [ACCOUNT, CONSOLE, VERIFY_EMAIL, CONFIRM_EMAIL];
/// Those for everybody.
const GATE: [&str; 4] = [SIGN_IN, "/register", "/forgot-password", "/reset-password"];

fn own<'n>(next: &'n str, pages: &[&str]) -> Option<&'n str> {
    let is_plain = |byte: u8| matches!(byte, b'!'..=b'~') && byte != b'\\';
    let is_ours = next.starts_with('/') && !next.starts_with("//") && next.bytes().all(is_plain);
    let path = next.split(['?', '#']).next().unwrap_or_default();
    let is_page = |page: &str| path.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    (is_ours && pages.iter().any(|page| is_page(page))).then_some(next)
}

/// The page on which a form is: what is left of its address without what only forms are sent to.
pub(super) fn page_of_form(path: &str) -> &str {
    const ACTS: [&str; 11] = [
        "permissions",
        "flags",
        "reset-link",
        "end-sessions",
        "enable",
        "end-others",
        "rename",
        "share",
        "unshare",
        "verify",
        "email",
    ];
    if path == "/console/users" {
        return "/console/users/new";
    }
    match path.rsplit_once('/') {
        Some((page, act)) if ACTS.contains(&act) => page_of_form(page),
        // The list from which one is ended.
        Some((one, "end")) => one.rsplit_once('/').map_or(one, |(list, _)| list),
        _ => path,
    }
}

/// A page, with word of what was done just before.
pub(super) fn after(path: &str, done: &str) -> String {
    format!("{path}?done={done}")
}

/// That word.
pub(super) fn done(query: Option<&str>) -> Option<String> {
    urlencoded::pairs(query).find(|(name, _)| name == "done").map(|(_, done)| done.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_leads_to_a_page_of_this_server_alone() {
        for next in
            ["/account", "/verify-email?token=x", "/account/tokens", "/console?after=x", "/console/users?text=a%26b"]
        {
            assert_eq!(own_page(next), Some(next));
        }
        for next in [
            "",
            "account",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/accounts",
            "/1/users",
            "/account\r\nx: y",
            "/account/ü",
            "\\/account",
            "javascript:alert(1)",
            "/account /",
            "/sign-out",
        ] {
            assert_eq!(own_page(next), None, "{next}");
        }
    }

    #[test]
    fn a_form_is_on_a_page_that_can_be_asked_for() {
        for (form, page) in [
            ("/account/email", "/account"),
            ("/account/email/verify", "/account"),
            ("/account/projects/x/share", "/account/projects/x"),
            ("/account/sessions/x/end", "/account/sessions"),
            ("/account/sessions/end-others", "/account/sessions"),
            ("/console/users", "/console/users/new"),
            ("/console/users/x/permissions", "/console/users/x"),
            ("/console/keys/rotate", "/console/keys/rotate"),
            ("/sign-in", "/sign-in"),
        ] {
            assert_eq!(page_of_form(form), page);
        }
    }

    #[test]
    fn a_way_back_survives_the_query() {
        assert_eq!(
            sign_in(Some("/console/users?text=a&after=b")),
            "/sign-in?next=/console/users%3Ftext%3Da%26after%3Db"
        );
        assert_eq!(sign_in(Some("/account")), "/sign-in");
        assert_eq!(sign_in(None), "/sign-in");
        assert_eq!(done(Some("a=1&done=saved")).as_deref(), Some("saved"));
    }
}
