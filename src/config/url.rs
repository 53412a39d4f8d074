//! The parts of a URL of PostgreSQL, as they are spelled, and how it is shown.

use percent_encoding::percent_decode_str;

/// The parts of a URL.
pub(super) struct Url<'u> {
    /// With the password, if there is one here.
    pub(super) user: Option<&'u str>,
    /// One or several, with their ports.
    pub(super) hosts: &'u str,
    /// The database, with the slash before it.
    pub(super) path: &'u str,
    /// Names and values, in their order.
    pub(super) options: Vec<(&'u str, &'u str)>,
}

impl<'u> Url<'u> {
    /// `None` where it is no URL of PostgreSQL.
    pub(super) fn read(text: &'u str) -> Option<Self> {
        let rest = ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme))?;
        // As the driver reads it: whatever stands before the first @ is user and password.
        let (user, rest) = match rest.split_once('@') {
            Some((user, rest)) => (Some(user), rest),
            None => (None, rest),
        };
        let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, path) = place.split_at(place.find('/').unwrap_or(place.len()));
        let options = options.split('&').filter(|option| !option.is_empty());
        let options = options.map(|option| option.split_once('=').unwrap_or((option, ""))).collect();
        Some(Self { user, hosts, path, options })
    }

    /// The last value of an option.
    pub(super) fn option(&self, name: &str) -> Option<&'u str> {
        self.options.iter().rev().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// A URL as it may be shown: without its password. Any other text as it is.
pub(crate) fn shown(text: &str) -> String {
    let Some(url) = Url::read(text) else { return text.to_owned() };
    let user = url.user.map(|user| match user.split_once(':') {
        Some((name, _)) => format!("{name}:(set)@"),
        None => format!("{user}@"),
    });
    let options = url.options.iter().map(|(name, value)| match &*percent_decode_str(name).decode_utf8_lossy() {
        "password" => "password=(set)".to_owned(),
        // As it is spelled: decoded, it could break a line or drive a terminal.
        _ => format!("{name}={value}"),
    });
    let options = options.collect::<Vec<_>>().join("&");
    let before = if options.is_empty() { "" } else { "?" };
    format!("postgres://{}{}{}{before}{options}", user.unwrap_or_default(), url.hosts, url.path)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_url_is_shown_without_its_password() {
        for (url, expected) in [
            ("postgres://ann:hunter2@db/x?sslmode=require", "postgres://ann:(set)@db/x?sslmode=require"),
            ("postgresql://ann@db,other:5/x", "postgres://ann@db,other:5/x"),
            ("postgres://db/x?password=hunter2&user=ann", "postgres://db/x?password=(set)&user=ann"),
            ("postgres://ann:aB/hunter2@db/x", "postgres://ann:(set)@db/x"),
            ("postgres://ann:aB?hunter2@db/x", "postgres://ann:(set)@db/x"),
            ("postgres://db/x?pass%77ord=hunter2", "postgres://db/x?password=(set)"),
            ("postgres://db/x?%1b%0a=1", "postgres://db/x?%1b%0a=1"),
            ("sqlite:/srv/x.db", "sqlite:/srv/x.db"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
