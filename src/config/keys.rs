//! Every key of the configuration: name, default and meaning. The loader, the documentation and
//! the example file all follow this one table; it knows nothing of where values come from.

use std::cmp::min;

use toml::Value;

/// What a key holds, and so how a text from the environment or a flag becomes its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A text.
    Text,
    /// A text that is never shown.
    Secret,
    /// A URL, whose password is never shown.
    Url,
    /// `true` or `false`.
    Boolean,
    /// A whole number.
    Integer,
    /// Texts; separated by commas where they come from the environment.
    List,
}

impl Kind {
    /// The value that `text` spells. A text that spells none stays a text, for its reader to refuse;
    /// so a secret of digits stays a secret.
    pub(super) fn value(self, text: &str) -> Value {
        let read = match self {
            Self::Text | Self::Secret | Self::Url => None,
            Self::Boolean => text.parse().ok().map(Value::Boolean),
            Self::Integer => text.parse().ok().map(Value::Integer),
            Self::List => {
                Some(text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect::<Vec<_>>().into())
            }
        };
        read.unwrap_or_else(|| Value::String(text.to_owned()))
    }
}

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// Its dotted name: `section.key`, or `key` at the top.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What holds where it is not set, spelled as in the environment; `None` where nothing does.
    pub default: Option<&'static str>,
    /// One or two sentences for the operator.
    pub meaning: &'static str,
}

impl Key {
    /// Whether its value must never be shown.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Secret
    }

    /// The environment variable that sets it: `DOORWARD_SUPER_USER__TOKEN` for `super_user.token`.
    #[must_use]
    pub fn variable(&self) -> String {
        variable(self.name)
    }

    /// The default as a TOML value.
    #[must_use]
    pub fn default_value(&self) -> Option<Value> {
        self.default.map(|text| self.kind.value(text))
    }
}

/// Every key, in the order of the documentation.
#[must_use]
pub fn keys() -> &'static [Key] {
    KEYS
}

/// The key of that name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The names of all sections, each once or more.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter().filter_map(|key| key.name.split_once('.').map(|(section, _)| section))
}

/// Whether keys begin with this name: a section, or one within a section.
pub(super) fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.name.strip_prefix(name).is_some_and(|rest| rest.starts_with('.')))
}

pub(super) fn variable(name: &str) -> String {
    format!("DOORWARD_{}", name.replace('.', "__").to_uppercase())
}

/// What to say of an unknown name: the known one that is nearest, in the spelling of `spell`.
pub(super) fn suggestion<'a>(
    unknown: &str,
    known: impl Iterator<Item = &'a str>,
    spell: impl Fn(&str) -> String,
) -> String {
    let Some((near, distance)) =
        known.map(|name| (name, distance(unknown, name))).min_by_key(|(name, near)| (*near, name.len()))
    else {
        return "nothing is known here".to_owned();
    };
    if distance <= 2.max(unknown.len() / 3) {
        format!("did you mean {}?", spell(near))
    } else {
        format!("the nearest known name is {}", spell(near))
    }
}

/// Edits between two names; a right name in the wrong section counts as near.
fn distance(unknown: &str, known: &str) -> usize {
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    min(strsim::osa_distance(unknown, known), 1 + strsim::osa_distance(&last(unknown), &last(known)))
}

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default: Some(default), meaning }
}

const fn unset(name: &'static str, kind: Kind, meaning: &'static str) -> Key {
    Key { name, kind, default: None, meaning }
}

#[rustfmt::skip]
const KEYS: &[Key] = {
    use Kind::{Boolean, Integer, List, Secret, Text, Url};
    &[
        key("listen", Text, "127.0.0.1:8090", "The IP address and port to listen on."),
        unset("public_url", Text, "The URL that clients and mails reach this server by, such as `https://id.example.com`. Not set: `http://` (with `[tls]`: `https://`) and `listen`."),
        key("data_dir", Text, "./doorward-data", "The folder of the database, the keys and the mail outbox; with PostgreSQL of the outbox alone."),
        unset("database_url", Url, "Where the database is: `sqlite:/var/lib/doorward/doorward.db`, or for several nodes `postgres://doorward@db.example.com/doorward`. Not set: `doorward.db` in `data_dir`."),
        unset("secret_file", Text, "A file of at least 32 bytes, the same on every node: the keys in PostgreSQL are sealed under it. A newline at its end is dropped."),
        key("commit_group", Integer, "128", "How many changes that wait may share one commit to disk, and so one sync; 1 commits each alone. PostgreSQL groups them by itself."),
        key("registration", Text, "open", "`open`: anybody may sign up. `closed`: only administrators make users."),
        unset("postgres.password_file", Text, "A file that holds the password of the user in `database_url`. Not set: the one in the URL, else in `~/.pgpass`."),
        key("postgres.connections", Integer, "8", "How many connections a node writes through; it reads through two more, and follows changes on one."),
        key("postgres.connect_timeout", Text, "3s", "How long a host of `database_url` may take to let the server in before the next one is tried."),
        key("postgres.statement_timeout", Text, "5s", "How long PostgreSQL may take for one statement."),
        unset("super_user.email", Text, "The first administrator's email; used when the store is empty, as is the whole section."),
        unset("super_user.username", Text, "The first administrator's username."),
        unset("super_user.password", Secret, "The first administrator's password. Not set: a random one, shown once."),
        unset("super_user.password_file", Text, "A file that holds the password; one newline at its end is dropped."),
        unset("super_user.token", Secret, "An API token with `admin: true` for the first administrator: 24 visible ASCII characters or more. Not set: a random one, shown once."),
        unset("super_user.token_file", Text, "A file that holds the token; one newline at its end is dropped."),
        key("super_user.allow_weak", Boolean, "false", "Take a short or well-known token or password all the same. For tests only."),
        key("passwords.memory_kib", Integer, "19456", "Memory of one Argon2id hash, in KiB; 19456 at least."),
        key("passwords.iterations", Integer, "2", "Passes of one Argon2id hash; 2 at least."),
        key("passwords.parallelism", Integer, "1", "Lanes of one Argon2id hash."),
        key("passwords.threads", Integer, "0", "Threads that hash passwords; 0 derives them from cores and memory."),
        key("passwords.max_wait", Text, "2s", "A sign-in that would wait longer than this for a thread is answered 503."),
        key("tokens.algorithm", Text, "EdDSA", "What signs access tokens: `EdDSA`, `ES256` or `RS256`."),
        unset("tokens.issuer", Text, "The `iss` of access tokens. Not set: `public_url`; where that is not set either, on PostgreSQL a name that all nodes have in common."),
        unset("tokens.audience", Text, "The `aud` of access tokens. Not set: the issuer."),
        key("tokens.rotate_after", Text, "90d", "How old the keys of access and refresh tokens get before new ones take their place, by themselves and without a refused token; `never` leaves that to `doorward keys rotate`."),
        key("sessions.rotation_grace", Text, "30s", "For this long a refresh token that was just used gives the same new one again."),
        key("iron.enabled", Boolean, "true", "Whether the IronAuth API is served."),
        key("iron.prefix", Text, "", "A path before its routes, such as `/iron`."),
        key("iron.query_token", Boolean, "true", "Whether it takes a token in the query, where logs of proxies may keep it."),
        key("iron.reveal_tokens", Boolean, "false", "Keep API tokens sealed so that their owners can read them again. Off: they are shown once."),
        key("iron.access_lifetime", Text, "24h", "How long its access tokens live."),
        key("rest.enabled", Boolean, "true", "Whether the Authentication API v1.0.0 is served."),
        key("rest.prefix", Text, "", "A path before its routes."),
        key("rest.access_lifetime", Text, "15m", "How long its access tokens live."),
        key("rest.session_lifetime", Text, "30d", "How long its sessions, and so its refresh tokens, live."),
        key("x_access_token.enabled", Boolean, "true", "Whether the x-access-token API is served."),
        key("x_access_token.prefix", Text, "", "A path before its routes."),
        key("x_access_token.query_token", Boolean, "true", "Whether it takes a token in the query, where logs of proxies may keep it."),
        key("x_access_token.access_lifetime", Text, "24h", "How long its access tokens live."),
        key("argon.enabled", Boolean, "true", "Whether the API of the Argon panel is served."),
        key("argon.prefix", Text, "", "A path before its routes."),
        key("argon.access_lifetime", Text, "24h", "How long its access tokens live."),
        key("pages.enabled", Boolean, "true", "Whether the account pages and the console are served."),
        key("pages.title", Text, "Doorward", "What the pages call this server, 1 to 60 characters."),
        key("pages.session_lifetime", Text, "24h", "How long a session in a browser lives, 1 minute to 30 days."),
        key("pages.idle_lifetime", Text, "1h", "After how long without a request it is over, at most `pages.session_lifetime`."),
        key("mail.from", Text, "Doorward <no-reply@localhost>", "The sender of mails."),
        unset("mail.reset_url", Text, "The link in password reset mails; the token is put at its end. Not set: `{public_url}/reset-password?token=`."),
        unset("mail.verify_url", Text, "The link in verification mails; the token is put at its end. Not set: `{public_url}/verify-email?token=`."),
        unset("mail.email_change_url", Text, "The link in mails that ask whether another address is the user's; the token is put at its end. Not set: `{public_url}/confirm-email?token=`."),
        key("mail.reset_lifetime", Text, "10m", "How long a password reset link works."),
        key("mail.verification_lifetime", Text, "24h", "How long a verification link works."),
        key("mail.email_change_lifetime", Text, "1h", "How long a link works that confirms another address."),
        key("mail.notices", Boolean, "true", "Whether users are told by mail that their password or their address was changed."),
        key("mail.language", Text, "en", "What mails are written in: `en` or `de`."),
        unset("mail.templates", Text, "A folder with templates of your own, which take the place of those that are built in."),
        unset("mail.smtp.host", Text, "The server that sends mails, such as `smtp.example.com`. Not set: mails are written into `outbox/` in `data_dir`."),
        unset("mail.smtp.port", Integer, "Its port. Not set: 587, with `tls` 465, with `none` 25."),
        key("mail.smtp.security", Text, "starttls", "`starttls`: the connection is encrypted before anything is said. `tls`: from its first byte. `none`: never."),
        unset("mail.smtp.username", Text, "The name to sign in with, where the server asks for one."),
        unset("mail.smtp.password", Secret, "The password that goes with it."),
        unset("mail.smtp.password_file", Text, "A file that holds the password; one newline at its end is dropped."),
        key("mail.smtp.timeout", Text, "10s", "How long the server may take for each step."),
        unset("mail.smtp.ca_file", Text, "Certificates as PEM of those whom the server's may be from, beside those whom the system believes."),
        key("http.header_timeout", Text, "10s", "A client must have sent its request's headers, or go on taking its answer, within this time; by HTTP/2, ask within six times as long."),
        key("http.body_timeout", Text, "15s", "A client must have sent its request's body within this time."),
        key("http.body_limit", Integer, "1048576", "The longest body taken, in bytes."),
        key("http.shutdown_grace", Text, "10s", "How long a stopping server waits for requests to end."),
        key("http.cors_origins", List, "", "The origins whose pages may call the API from a browser, such as `https://app.example.com`."),
        key("http.trusted_proxies", List, "", "The addresses or networks of the proxies before the server, such as `10.0.0.0/8`: only their `X-Forwarded-For` is believed. Empty: the client is whoever connects."),
        key("throttle.enabled", Boolean, "true", "Whether failures are counted and limited. Off for measurements only: anybody may guess passwords then."),
        key("throttle.account_network_failures", Integer, "10", "Failed sign-ins for one account from one network before the next has to wait."),
        key("throttle.account_network_per_minute", Integer, "1", "How many more a minute after that."),
        key("throttle.network_failures", Integer, "100", "Failures from one network: an IPv4 address, or 64 bits of IPv6; ten times as many from 48 bits."),
        key("throttle.network_per_minute", Integer, "10", "How many more a minute after that."),
        key("throttle.account_failures", Integer, "100", "Failed sign-ins for one account from all networks together, but for those that it is known on."),
        key("throttle.account_per_minute", Integer, "1", "How many more a minute after that."),
        key("throttle.known_network", Text, "30d", "An account is known on a network for so long after it signed in there; `0s`: never."),
        key("throttle.registrations_per_hour", Integer, "30", "Registrations from one network."),
        key("throttle.mails_per_hour", Integer, "3", "Reset and verification mails to one address."),
        key("throttle.mail_requests_per_hour", Integer, "30", "Requests for such mails from one network, to whatever addresses."),
        key("throttle.exempt", List, "", "Networks that are not limited, such as those of servers that ask with their own clients' tokens. An account's limits hold there, too."),
        key("audit.retention", Text, "365d", "How long rows of the audit log are kept; `0s`: for ever."),
        unset("tls.certificate_file", Text, "The certificate chain as PEM. With `tls.key_file` the server speaks HTTPS itself."),
        unset("tls.key_file", Text, "The certificate's private key as PEM."),
        key("cache.memory_mib", Integer, "128", "Memory for the caches of users, tokens and projects, in MiB."),
        key("feed.max_staleness", Text, "10s", "A server that has not heard of changes for this long stops trusting its caches."),
        key("log.level", Text, "info", "`error`, `warn`, `info`, `debug`, `trace`, `off`, or a filter such as `info,doorward=debug`."),
        key("log.format", Text, "text", "`text` for people, `json` for collectors: one object a line."),
    ]
};
