//! The configuration: a file, then the environment, then flags, read into one checked
//! [`Settings`]. The only module that reads the environment; it starts nothing and logs nothing.

mod database;
mod keys;
mod mail;
mod pages;
mod pgpass;
mod reader;
mod secret_file;
mod sections;
mod sources;
mod super_user;
#[cfg(test)]
mod tests;
mod throttle;
mod url;
mod values;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use reader::Reader;

pub use database::{ClusterSecret, Database, Encryption, Postgres};
pub use keys::{Key, Kind, keys};
pub use mail::{Language, Mail, Security, Smtp};
pub use pages::Pages;
pub use sections::{
    Audit, Cache, DialectSettings, Feed, Http, Iron, Log, LogFormat, Passwords, Registration, Sessions, Tls, Tokens,
};
pub use sources::{Overrides, Sources, environment, pgpass};
pub use super_user::SuperUser;
pub use throttle::Throttle;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use url::shown as shown_url;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) use values::duration_text;
pub use values::{Link, Mailbox, Origin, Prefix, PublicUrl, duration};

use crate::domain::session::{Dialect, Lifetimes};

/// Everything that is wrong with a configuration, a line each, with its place and its mend.
#[derive(Debug, thiserror::Error)]
#[error("{}", faults.join("\n"))]
pub struct ConfigError {
    faults: Vec<String>,
}

impl ConfigError {
    fn new(faults: Vec<String>) -> Self {
        Self { faults }
    }

    /// The faults, at least one. None shows a value, which may be a secret.
    #[must_use]
    pub fn faults(&self) -> &[String] {
        &self.faults
    }
}

/// The settings of a server, checked. `Settings::default()` is what holds without any source.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// What clients call this server; derived from where it listens when absent.
    pub public_url: Option<PublicUrl>,
    /// Where database, keys and outbox are.
    pub data_dir: PathBuf,
    /// Where the store is.
    pub database: Database,
    /// What the keys in a database of several nodes are sealed under.
    pub cluster_secret: Option<ClusterSecret>,
    /// How many changes may share one commit.
    pub commit_group: usize,
    /// Who may sign up.
    pub registration: Registration,
    /// The first administrator.
    pub super_user: SuperUser,
    /// Password hashing.
    pub passwords: Passwords,
    /// Access tokens.
    pub tokens: Tokens,
    /// Sessions.
    pub sessions: Sessions,
    /// The iron dialect.
    pub iron: Iron,
    /// The rest dialect.
    pub rest: DialectSettings,
    /// The `x_access_token` dialect.
    pub x_access_token: DialectSettings,
    /// The argon dialect.
    pub argon: DialectSettings,
    /// The pages.
    pub pages: Pages,
    /// Mails.
    pub mail: Mail,
    /// HTTP.
    pub http: Http,
    /// How often somebody may fail.
    pub throttle: Throttle,
    /// The audit log.
    pub audit: Audit,
    /// HTTPS, where the server speaks it itself.
    pub tls: Option<Tls>,
    /// The caches.
    pub cache: Cache,
    /// The feed of changes.
    pub feed: Feed,
    /// The log.
    pub log: Log,
    described: Vec<(&'static str, String)>,
}

impl Default for Settings {
    fn default() -> Self {
        Self::read(&mut Reader::default())
    }
}

impl Settings {
    /// Reads and checks the whole configuration.
    ///
    /// # Errors
    ///
    /// All faults at once: unknown names with the nearest known one, and bad values.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(sources);
        let settings = Self::read(&mut reader);
        reader.finish(settings)
    }

    fn read(reader: &mut Reader) -> Self {
        let described = reader.describe();
        let database = Database::read(reader);
        Self {
            described,
            listen: reader.text("listen", |text| {
                text.parse().map_err(|_| "must be an IP address and a port, such as 127.0.0.1:8090".to_owned())
            }),
            public_url: reader.optional("public_url", PublicUrl::parse),
            data_dir: reader.text("data_dir", sections::path),
            cluster_secret: database::cluster_secret(reader, &database),
            database,
            commit_group: reader.integer("commit_group", 1..=1_024),
            registration: Registration::read(reader),
            super_user: SuperUser::read(reader),
            passwords: Passwords::read(reader),
            tokens: Tokens::read(reader),
            sessions: Sessions::read(reader),
            iron: Iron::read(reader),
            rest: DialectSettings::read(reader, Dialect::Rest),
            x_access_token: DialectSettings::read(reader, Dialect::XAccessToken),
            argon: DialectSettings::read(reader, Dialect::Argon),
            pages: Pages::read(reader),
            mail: Mail::read(reader),
            http: Http::read(reader),
            throttle: Throttle::read(reader),
            audit: Audit::read(reader),
            tls: Tls::read(reader),
            cache: Cache::read(reader),
            feed: Feed::read(reader),
            log: Log::read(reader),
        }
    }

    /// Every key with the value that holds, as TOML spells it; of a secret only `(set)` or
    /// `(not set)`.
    #[must_use]
    pub fn describe(&self) -> Vec<(String, String)> {
        self.described.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    /// What all dialects have in common, of one of them.
    #[must_use]
    pub const fn dialect(&self, dialect: Dialect) -> &DialectSettings {
        match dialect {
            Dialect::Iron => &self.iron.dialect,
            Dialect::Rest => &self.rest,
            Dialect::XAccessToken => &self.x_access_token,
            Dialect::Argon => &self.argon,
            Dialect::Pages => &self.pages.dialect,
        }
    }

    /// How long the credentials of a dialect live.
    #[must_use]
    pub const fn lifetimes(&self, dialect: Dialect) -> Lifetimes {
        self.dialect(dialect).lifetimes
    }

    /// How long a new session of a dialect lives where nobody uses it.
    #[must_use]
    pub const fn unused_lifetime(&self, dialect: Dialect) -> Duration {
        match dialect {
            Dialect::Pages => self.pages.idle_lifetime,
            Dialect::Iron | Dialect::Rest | Dialect::XAccessToken | Dialect::Argon => self.lifetimes(dialect).session,
        }
    }

    /// What clients call this server: as configured, else the address that it listens on.
    #[must_use]
    pub fn effective_public_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let derived = || format!("{scheme}://{}", self.listen);
        self.public_url.as_ref().map_or_else(derived, |url| url.as_str().to_owned())
    }

    /// The `iss` of access tokens, on a server that is reached by `public_url`.
    #[must_use]
    pub fn issuer<'a>(&'a self, public_url: &'a str) -> &'a str {
        self.tokens.issuer.as_deref().unwrap_or(public_url)
    }

    /// The `aud` of access tokens, on a server that is reached by `public_url`.
    #[must_use]
    pub fn audience<'a>(&'a self, public_url: &'a str) -> &'a str {
        self.tokens.audience.as_deref().unwrap_or_else(|| self.issuer(public_url))
    }

    /// The link in password reset mails, on a server that is reached by `public_url`.
    #[must_use]
    pub fn reset_link(&self, public_url: &str) -> Link {
        self.mail.reset_url.clone().unwrap_or_else(|| Link::under(public_url, "/reset-password?token="))
    }

    /// The link in verification mails, on a server that is reached by `public_url`.
    #[must_use]
    pub fn verify_link(&self, public_url: &str) -> Link {
        self.mail.verify_url.clone().unwrap_or_else(|| Link::under(public_url, "/verify-email?token="))
    }

    /// The link in mails that ask whether another address is the user's, on a server that is reached by `public_url`.
    #[must_use]
    pub fn email_change_link(&self, public_url: &str) -> Link {
        self.mail.email_change_url.clone().unwrap_or_else(|| Link::under(public_url, "/confirm-email?token="))
    }
}
