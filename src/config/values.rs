//! The values that settings are made of. Each has one door, `parse`, whose error says how to mend
//! the value without repeating it.

use std::net::Ipv6Addr;
use std::str::FromStr;
use std::time::Duration;

use axum::http::Uri;

use super::keys::suggestion;
use crate::domain::user::Email;

/// An http or https URL that the server's own paths are put behind: no slash at its end, no query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl(String);

impl PublicUrl {
    /// Reads such a URL.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let uri = web_address(text)?;
        if text.contains(['?', '#']) {
            return Err("must have no query and no fragment".to_owned());
        }
        if text.ends_with('/') {
            return Err("must not end with a slash".to_owned());
        }
        if uri.path() != "/" {
            Prefix::parse(uri.path()).map_err(|mend| format!("its path {mend}"))?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The beginning of a link in a mail; the token is put at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link(String);

impl Link {
    /// Reads an http or https URL that ends with `=` or `/`.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        web_address(text)?;
        // Of what stands behind a # nothing was looked at so far.
        let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible || text.contains(['"', '<', '>', '\\', '^', '`', '{', '|', '}']) {
            return Err("must be a URL, special characters percent-encoded".to_owned());
        }
        if !text.ends_with(['=', '/']) {
            return Err("the token is put at its end: end it with = or /".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The link that carries `token`.
    #[must_use]
    pub fn with_token(&self, token: &str) -> String {
        // The exact length: a text that grows or shrinks leaves copies of the token behind.
        [self.0.as_str(), token].concat()
    }

    pub(super) fn under(public_url: &str, path: &str) -> Self {
        Self(format!("{public_url}{path}"))
    }
}

/// What a browser calls an origin: scheme, host, and the port unless it is the scheme's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    /// Reads an origin into the spelling that browsers send.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text == "*" {
            return Err("\"*\" would let every web page use the sessions of its visitors: list the origins".to_owned());
        }
        let uri = web_address(text)?;
        let authority = text.split_once("://").map(|(_, authority)| authority).unwrap_or_default();
        if authority.contains(['/', '?', '#']) {
            return Err("must be scheme, host and port only, such as https://app.example.com".to_owned());
        }
        let own_port = if uri.scheme_str() == Some("https") { ":443" } else { ":80" };
        let text = text.to_ascii_lowercase();
        Ok(Self(text.strip_suffix(own_port).unwrap_or(&text).to_owned()))
    }

    /// The origin as browsers send it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn web_address(text: &str) -> Result<Uri, String> {
    let fault = || "must be a URL such as https://id.example.com".to_owned();
    let uri = Uri::from_str(text).map_err(|_| fault())?;
    let authority = uri.authority().filter(|authority| !authority.host().is_empty()).ok_or_else(fault)?;
    if authority.as_str().contains('@') {
        return Err("must not hold a user name or password".to_owned());
    }
    // The parser takes brackets anywhere, such as in [::1]80:80 and a[1]b:443.
    let (host, behind) = authority.as_str().split_at_checked(authority.host().len()).ok_or_else(fault)?;
    let has_host_fault = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_err(),
        None => host.contains(['[', ']']),
    };
    let has_port_fault = !behind.is_empty() && (!behind.starts_with(':') || authority.port_u16().is_none());
    if !matches!(uri.scheme_str(), Some("http" | "https")) || has_host_fault || has_port_fault {
        return Err(fault());
    }
    Ok(uri)
}

/// A path before the routes of a dialect: empty, or `/` and more, without a slash at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(String);

impl Prefix {
    /// Reads a prefix.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '-' | '/');
        let Some(path) = text.strip_prefix('/') else {
            return if text.is_empty() { Ok(Self(String::new())) } else { Err("must begin with a slash".to_owned()) };
        };
        if !path.chars().all(is_plain) {
            return Err("may hold only letters, digits and . _ ~ - /".to_owned());
        }
        if path.split('/').any(|step| matches!(step, "" | "." | "..")) {
            return Err("must not end with a slash nor hold empty or dot steps".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// No path at all.
    pub(super) const fn none() -> Self {
        Self(String::new())
    }

    /// The prefix.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Who mails are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The name shown, neither quoted nor encoded.
    pub name: Option<String>,
    /// The address.
    pub address: Email,
}

impl std::fmt::Display for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.address.as_str();
        match &self.name {
            Some(name) => write!(f, "\"{name}\" <{address}>"),
            None => f.write_str(address),
        }
    }
}

impl Mailbox {
    /// Reads `Name <address>` or a bare address.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, address) = match text.strip_suffix('>') {
            Some(rest) => rest.rsplit_once('<').ok_or_else(|| "must be like Name <name@example.com>".to_owned())?,
            None => ("", text),
        };
        let name = name.trim();
        let name = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        if name.contains(|c: char| c.is_control() || matches!(c, '"' | '<' | '>' | '\\')) {
            return Err("the name must not hold control characters, quotes, backslashes or < >".to_owned());
        }
        let name = (!name.is_empty()).then(|| name.to_owned());
        Ok(Self { name, address: Email::parse(address.trim())? })
    }
}

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads `500ms`, `30s`, `15m`, `24h`, `30d`.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub fn duration(text: &str) -> Result<Duration, String> {
    let fault = || "must be a whole number and one of ms, s, m, h, d, such as \"30s\"".to_owned();
    let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(fault)?;
    let (number, unit) = text.split_at(unit_at);
    let (_, millis) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or_else(fault)?;
    let total = number.parse::<u64>().ok().and_then(|number| number.checked_mul(millis)).ok_or_else(fault)?;
    Ok(Duration::from_millis(total))
}

/// Writes what [`duration`] reads, in the largest unit that leaves no rest.
pub(crate) fn duration_text(span: Duration) -> String {
    let millis = span.as_millis();
    let fits = |unit: u64| millis.is_multiple_of(u128::from(unit)) && millis >= u128::from(unit);
    let (name, unit) = UNITS.into_iter().find(|(_, unit)| fits(*unit)).unwrap_or(("s", 1_000));
    format!("{}{name}", millis / u128::from(unit))
}

/// Reads one of a few words.
pub(super) fn choice<T: Copy>(text: &str, words: &[(&'static str, T)]) -> Result<T, String> {
    words.iter().find(|(word, _)| *word == text).map(|(_, meaning)| *meaning).ok_or_else(|| {
        let known = || words.iter().map(|(word, _)| *word);
        let list = known().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", ");
        // Unlike a key, a value is never told back; the nearest word tells enough.
        format!("must be one of {list}; {}", suggestion(text, known(), |near| format!("{near:?}")))
    })
}

/// Any text but the empty one.
pub(super) fn some_text(text: &str) -> Result<String, String> {
    if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_in_five_units_and_written_in_the_largest() {
        for text in ["500ms", "30s", "15m", "24h", "30d", "0s", "90s"] {
            let written = duration_text(duration(text).unwrap());
            assert_eq!(duration(&written).unwrap(), duration(text).unwrap());
        }
        assert_eq!(duration_text(Duration::from_hours(24)), "1d");
        assert_eq!(duration("1m").unwrap(), Duration::from_mins(1));
        for text in
            ["", "30", "s", "-1s", "1.5h", "30 s", "30S", "1w", "99999999999999999999s", "18446744073709551615d"]
        {
            assert!(duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_public_url_ends_where_a_path_can_follow() {
        for text in ["https://id.example.com", "http://127.0.0.1:8090", "http://[::1]:80", "https://example.com/auth/x"]
        {
            assert_eq!(PublicUrl::parse(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "id.example.com",
            "/auth",
            "ftp://example.com",
            "http://[::1]80:80",
            "http://a[1]b:443",
            "http://[1.2.3.4]",
            "https://",
            "https://example.com/",
            "https://example.com/a/",
            "https://example.com?x=1",
            "https://example.com#x",
            "https://ann:secret@example.com",
            "https://example.com:99999",
            "https://example.com:",
            "https://exa mple.com",
            "https://example.com/a\"b",
            "https://example.com/../b",
        ] {
            assert!(PublicUrl::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_origin_is_kept_in_the_spelling_of_browsers() {
        let origin = |text: &str| Origin::parse(text).map(|origin| origin.as_str().to_owned());
        assert_eq!(origin("HTTPS://App.Example.com:443").unwrap(), "https://app.example.com");
        assert_eq!(origin("http://localhost:3000").unwrap(), "http://localhost:3000");
        assert_eq!(origin("https://localhost:80").unwrap(), "https://localhost:80");
        assert!(origin("*").unwrap_err().contains("list the origins"));
        for text in ["", "null", "app.example.com", "https://a.example/", "https://a.example/x", "https://*.a.example/"]
        {
            assert!(origin(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_link_has_room_for_the_token_at_its_end() {
        for text in ["https://a.example/#/reset?token=", "http://a.example/reset/"] {
            assert_eq!(Link::parse(text).unwrap().with_token("T"), format!("{text}T"));
        }
        for text in [
            "https://a.example/reset",
            "javascript:alert(1)//=",
            "https://a.example/\">=",
            "https://a.example/\r\n=",
            "https://a.example/zur\u{fc}ck/",
            "https://a.example/\u{202e}=",
            "https://a.example/#\r\n=",
        ] {
            assert!(Link::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_prefix_is_empty_or_a_plain_path() {
        for text in ["", "/iron", "/a/b-c_d.e~f"] {
            assert_eq!(Prefix::parse(text).unwrap().as_str(), text);
        }
        for text in ["/", "iron", "/iron/", "//iron", "/a//b", "/a/../b", "/{id}", "/a b", "/%2e", "/ä"] {
            assert!(Prefix::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_sender_has_one_address_and_maybe_a_name() {
        let mailbox = |text: &str| Mailbox::parse(text).map(|from| (from.name, from.address.as_str().to_owned()));
        let address = "no-reply@localhost".to_owned();
        assert_eq!(mailbox("no-reply@localhost").unwrap(), (None, address.clone()));
        assert_eq!(mailbox("Doorward <no-reply@localhost>").unwrap(), (Some("Doorward".to_owned()), address.clone()));
        assert_eq!(mailbox("\"Door, Ward\" <no-reply@localhost>").unwrap(), (Some("Door, Ward".to_owned()), address));
        for text in
            ["", "Doorward", "a@b.example>", "A <a@b.example", "A\r\nBcc: x <a@b.example>", "A <x@y.z> <a@b.example>"]
        {
            assert!(mailbox(text).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_value_makes_a_parser_panic(text in "\\PC{0,60}") {
            let _ = (duration(&text), Prefix::parse(&text), Mailbox::parse(&text), Link::parse(&text));
            let _ = (PublicUrl::parse(&text), Origin::parse(&text));
            let _ = (PublicUrl::parse(&format!("http://{text}")), Origin::parse(&format!("https://{text}")));
        }
    }
}
