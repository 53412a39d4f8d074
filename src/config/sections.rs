//! The sections of the settings, one struct each, with the limits of their values.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::reader::Reader;
use super::values::{Origin, Prefix, choice, some_text};
use crate::domain::network::Network;
use crate::domain::session::{Dialect, Lifetimes};
use crate::domain::token::Algorithm;

const DAY: Duration = Duration::from_hours(24);
pub(super) const LIFETIME: RangeInclusive<Duration> = Duration::from_secs(1)..=DAY.saturating_mul(366);
const TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_hours(1);

/// A key is published for minutes before it is used, and whoever wants new ones by the hour has that too.
const KEY_AGE: RangeInclusive<Duration> = Duration::from_hours(1)..=DAY.saturating_mul(3660);

/// Who may sign up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Nobody: administrators make users.
    Closed,
}

impl Registration {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let words = [("open", Self::Open), ("closed", Self::Closed)];
        reader.text("registration", |text| choice(text, &words))
    }
}

/// What a password hash costs, and how many are made at once.
#[derive(Clone, Debug)]
pub struct Passwords {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub iterations: u32,
    /// Lanes.
    pub parallelism: u32,
    /// Hashing threads; 0 where the machine decides.
    pub threads: usize,
    /// The longest wait for a thread.
    pub max_wait: Duration,
}

impl Passwords {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            memory_kib: reader.integer("passwords.memory_kib", 19_456..=1_048_576),
            iterations: reader.integer("passwords.iterations", 2..=1_000),
            parallelism: reader.integer("passwords.parallelism", 1..=64),
            threads: reader.integer("passwords.threads", 0..=1_024),
            max_wait: reader.duration("passwords.max_wait", Duration::ZERO..=Duration::from_mins(1)),
        }
    }
}

/// Access tokens.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// What signs them.
    pub algorithm: Algorithm,
    /// Their `iss`; the public URL where absent.
    pub issuer: Option<String>,
    /// Their `aud`; the issuer where absent.
    pub audience: Option<String>,
    /// How old the keys get before new ones are made; `None` where that is done by hand.
    pub rotate_after: Option<Duration>,
}

impl Tokens {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let words = Algorithm::ALL.map(|algorithm| (algorithm.as_str(), algorithm));
        Self {
            algorithm: reader.text("tokens.algorithm", |text| choice(text, &words)),
            issuer: reader.optional("tokens.issuer", some_text),
            audience: reader.optional("tokens.audience", some_text),
            rotate_after: reader.duration_or("tokens.rotate_after", KEY_AGE, "never"),
        }
    }
}

/// Sessions.
#[derive(Clone, Debug)]
pub struct Sessions {
    /// How long a used refresh token gives its successor again.
    pub rotation_grace: Duration,
}

impl Sessions {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let range = Duration::ZERO..=Duration::from_mins(10);
        Self { rotation_grace: reader.duration("sessions.rotation_grace", range) }
    }
}

/// What all dialects have in common.
#[derive(Clone, Debug)]
pub struct DialectSettings {
    /// Whether it is served.
    pub enabled: bool,
    /// The path before its routes.
    pub prefix: Prefix,
    /// Whether it takes a token in the query.
    pub query_token: bool,
    /// How long its credentials live.
    pub lifetimes: Lifetimes,
}

impl DialectSettings {
    pub(super) fn read(reader: &mut Reader, dialect: Dialect) -> Self {
        let name = |key: &str| format!("{}.{key}", dialect.as_str());
        let access = reader.duration(&name("access_lifetime"), LIFETIME);
        let session = match dialect {
            Dialect::Rest => reader.duration(&name("session_lifetime"), LIFETIME),
            // Nothing refreshes here: the session is over when its one access token is.
            Dialect::Iron | Dialect::XAccessToken | Dialect::Argon | Dialect::Pages => access,
        };
        if access > session {
            reader.fault(&name("access_lifetime"), "must not be longer than the session_lifetime beside it");
        }
        Self {
            enabled: reader.boolean(&name("enabled")),
            prefix: reader.text(&name("prefix"), Prefix::parse),
            query_token: match dialect {
                Dialect::Iron | Dialect::XAccessToken => reader.boolean(&name("query_token")),
                Dialect::Rest | Dialect::Argon | Dialect::Pages => false,
            },
            lifetimes: Lifetimes { access, session },
        }
    }
}

/// The iron dialect.
#[derive(Clone, Debug)]
pub struct Iron {
    /// What it has in common with the others.
    pub dialect: DialectSettings,
    /// Whether API tokens are kept sealed, to be read again.
    pub reveal_tokens: bool,
}

impl Iron {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            dialect: DialectSettings::read(reader, Dialect::Iron),
            reveal_tokens: reader.boolean("iron.reveal_tokens"),
        }
    }
}

/// HTTP.
#[derive(Clone, Debug)]
pub struct Http {
    /// Time to send headers.
    pub header_timeout: Duration,
    /// Time to send a body.
    pub body_timeout: Duration,
    /// The longest body in bytes.
    pub body_limit: usize,
    /// How long a stopping server waits.
    pub shutdown_grace: Duration,
    /// Who may call from a browser.
    pub cors_origins: Vec<Origin>,
    /// Whose word of a client's address is believed.
    pub trusted_proxies: Vec<Network>,
}

impl Http {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            header_timeout: reader.duration("http.header_timeout", TIMEOUT),
            body_timeout: reader.duration("http.body_timeout", TIMEOUT),
            body_limit: reader.integer("http.body_limit", 1_024..=1_073_741_824),
            shutdown_grace: reader.duration("http.shutdown_grace", Duration::ZERO..=Duration::from_hours(1)),
            cors_origins: reader.list("http.cors_origins", Origin::parse),
            trusted_proxies: reader.list("http.trusted_proxies", Network::parse),
        }
    }
}

/// The audit log.
#[derive(Clone, Debug)]
pub struct Audit {
    /// How long its rows are kept; none where for ever.
    pub retention: Option<Duration>,
}

impl Audit {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let retention = reader.duration("audit.retention", Duration::ZERO..=DAY.saturating_mul(36_600));
        Self { retention: Some(retention).filter(|retention| !retention.is_zero()) }
    }
}

/// What the server needs to speak HTTPS itself.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate chain, PEM.
    pub certificate_file: PathBuf,
    /// Its private key, PEM.
    pub key_file: PathBuf,
}

impl Tls {
    pub(super) fn read(reader: &mut Reader) -> Option<Self> {
        let certificate_file = reader.optional("tls.certificate_file", path);
        let key_file = reader.optional("tls.key_file", path);
        match (certificate_file, key_file) {
            (Some(certificate_file), Some(key_file)) => return Some(Self { certificate_file, key_file }),
            (Some(_), None) => reader.fault("tls.certificate_file", "\"tls.key_file\" is missing: set both or none"),
            (None, Some(_)) => reader.fault("tls.key_file", "\"tls.certificate_file\" is missing: set both or none"),
            (None, None) => {}
        }
        None
    }
}

/// The caches.
#[derive(Clone, Debug)]
pub struct Cache {
    /// Their memory in MiB.
    pub memory_mib: u64,
}

impl Cache {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self { memory_mib: reader.integer("cache.memory_mib", 1..=1_048_576) }
    }
}

/// The feed of changes.
#[derive(Clone, Debug)]
pub struct Feed {
    /// How old its news may be.
    pub max_staleness: Duration,
}

impl Feed {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let range = Duration::from_secs(1)..=Duration::from_hours(1);
        Self { max_staleness: reader.duration("feed.max_staleness", range) }
    }
}

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log.
#[derive(Clone, Debug)]
pub struct Log {
    /// A level or a filter, in the syntax of `tracing_subscriber::EnvFilter`.
    pub level: String,
    /// How it looks.
    pub format: LogFormat,
}

impl Log {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        Self {
            level: reader.text("log.level", log_level),
            format: reader.text("log.format", |text| choice(text, &words)),
        }
    }
}

fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [(&str, ()); 6] =
        [("error", ()), ("warn", ()), ("info", ()), ("debug", ()), ("trace", ()), ("off", ())];
    // A filter takes any bare word for the name of a module; here it is a misspelled level.
    for directive in text.split(',').filter(|directive| !directive.contains(['=', '['])) {
        choice(directive.trim(), &LEVELS)?;
    }
    EnvFilter::try_new(text).map_err(|_| "must be a level or a filter such as \"info,doorward=debug\"".to_owned())?;
    Ok(text.to_owned())
}

/// A path to a file or folder.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    some_text(text).map(PathBuf::from)
}
