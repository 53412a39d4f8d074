//! Where the store is: a file, or PostgreSQL by a URL as libpq takes it, with the password and the
//! secret that go with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use zeroize::Zeroizing;

use super::pgpass;
use super::reader::Reader;
use super::secret_file;
use super::url::Url;

const KEY: &str = "database_url";
/// The fewest bytes that the secret of a cluster has.
const SECRET_MIN_BYTES: usize = 32;
const LIKE: &str = "must be like sqlite:/var/lib/doorward/doorward.db or postgres://doorward@db.example.com/doorward";
/// After so long without a word, a connection is asked whether it lives, and given up soon after.
const SILENCE: Duration = Duration::from_secs(10);
const SILENCE_STEP: Duration = Duration::from_secs(3);

/// Where the store is.
#[derive(Clone, Debug)]
pub enum Database {
    /// A file of the embedded engine; `doorward.db` in the data directory where it is not named.
    Sqlite(Option<PathBuf>),
    /// PostgreSQL.
    Postgres(Box<Postgres>),
}

/// PostgreSQL, and what it takes to get in.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// One a host, in the order of the URL.
    pub hosts: Vec<Config>,
    /// `sslmode`.
    pub encryption: Encryption,
    /// `sslrootcert`: whom certificates are believed from; the system's list where absent.
    pub root_certificate: Option<PathBuf>,
    /// How many connections write at the most.
    pub connections: usize,
    /// How long a host may take to let somebody in.
    pub connect_timeout: Duration,
    /// How long a statement may take.
    pub statement_timeout: Duration,
}

impl Postgres {
    /// A URL for people, without password and options.
    #[must_use]
    pub fn shown(&self) -> String {
        let mut hosts = Vec::new();
        for host in &self.hosts {
            let port = host.get_ports().first().map(|port| format!(":{port}")).unwrap_or_default();
            let name = match host.get_hosts().first() {
                Some(Host::Tcp(name)) => name.clone(),
                Some(Host::Unix(path)) => path.display().to_string(),
                None => host.get_hostaddrs().first().map(ToString::to_string).unwrap_or_default(),
            };
            hosts.push(name + &port);
        }
        let first = self.hosts.first();
        let user = first.and_then(Config::get_user).map(|user| format!("{user}@")).unwrap_or_default();
        let name = first.and_then(|host| host.get_dbname().or(host.get_user())).unwrap_or_default();
        format!("postgres://{user}{}/{name}", hosts.join(","))
    }

    /// Whether a host is another machine.
    #[must_use]
    pub fn is_remote(&self) -> bool {
        let is_here = |host: &Host| match host {
            Host::Unix(_) => true,
            Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        };
        let mut addresses = self.hosts.iter().flat_map(Config::get_hostaddrs);
        !self.hosts.iter().flat_map(Config::get_hosts).all(is_here) || addresses.any(|ip| !ip.is_loopback())
    }
}

/// `sslmode`, with libpq's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// None.
    Disable,
    /// Where the server has it; its certificate is not looked at.
    Prefer,
    /// Always; the certificate is looked at where `sslrootcert` is given.
    Require,
    /// Always, and the certificate has to be from somebody who is believed.
    VerifyCa,
    /// Also, it has to name the host.
    VerifyFull,
}

impl Encryption {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "disable" => Self::Disable,
            "allow" | "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            _ => return None,
        })
    }

    const fn mode(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

impl Database {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let password_file = reader.optional("postgres.password_file", secret_file::read_text);
        let connections = reader.integer("postgres.connections", 1..=1_000);
        let limits = Duration::from_millis(100)..=Duration::from_mins(10);
        let connect_timeout = reader.duration("postgres.connect_timeout", limits.clone());
        let statement_timeout = reader.duration("postgres.statement_timeout", limits);
        let mut database = match reader.optional(KEY, parse) {
            None => return Self::Sqlite(None),
            Some(Parsed::Sqlite(path)) => return Self::Sqlite(Some(path)),
            Some(Parsed::Postgres { hosts, encryption, root_certificate }) => {
                Postgres { hosts, encryption, root_certificate, connections, connect_timeout, statement_timeout }
            }
        };
        let known = reader.pgpass().map(pgpass::read).unwrap_or_default();
        for host in &mut database.hosts {
            if let (None, Some(password)) = (host.get_password(), &password_file) {
                host.password(secret_file::exposed(password));
            }
            if let (None, Some(password)) = (host.get_password(), known.password_of(host)) {
                host.password(password.as_str());
            }
            host.connect_timeout(connect_timeout);
            host.tcp_user_timeout(statement_timeout + SILENCE_STEP);
        }
        Self::Postgres(Box::new(database))
    }
}

/// The secret that keys in a database are sealed under.
#[derive(Clone)]
pub struct ClusterSecret(Arc<Zeroizing<Vec<u8>>>);

impl std::fmt::Debug for ClusterSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClusterSecret")
    }
}

impl ClusterSecret {
    /// Reads it from a file.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn read(path: &str) -> Result<Self, String> {
        let bytes = secret_file::read(path)?;
        if bytes.len() < SECRET_MIN_BYTES {
            return Err(format!(
                "the file that it names must hold at least {SECRET_MIN_BYTES} bytes, made such as by: \
                 openssl rand -base64 48"
            ));
        }
        Ok(Self(Arc::new(bytes)))
    }

    /// The bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// `secret_file`, which a database of several nodes asks for.
pub(super) fn cluster_secret(reader: &mut Reader, database: &Database) -> Option<ClusterSecret> {
    let was_given = reader.is_given("secret_file");
    let secret = reader.optional("secret_file", ClusterSecret::read);
    if matches!(database, Database::Postgres(_)) && !was_given {
        reader.fault(
            KEY,
            "PostgreSQL keeps the keys of all nodes, sealed under a secret that they share: make one with \
             `openssl rand -base64 48 > doorward.secret`, and name it on every node as secret_file",
        );
    }
    secret
}

enum Parsed {
    Sqlite(PathBuf),
    Postgres { hosts: Vec<Config>, encryption: Encryption, root_certificate: Option<PathBuf> },
}

fn parse(text: &str) -> Result<Parsed, String> {
    if let Some(url) = Url::read(text) {
        return url.parse();
    }
    let file = text.strip_prefix("sqlite:").ok_or(LIKE)?;
    let file = file.strip_prefix("//").unwrap_or(file);
    if file.is_empty() || file.starts_with(':') || file.contains(['?', '#', '\0']) {
        return Err(LIKE.to_owned());
    }
    Ok(Parsed::Sqlite(PathBuf::from(file)))
}

/// What a URL says, of each of its hosts.
impl Url<'_> {
    fn parse(&self) -> Result<Parsed, String> {
        let encryption = match self.option("sslmode") {
            Some(mode) => Encryption::parse(mode)
                .ok_or("sslmode must be one of disable, prefer, require, verify-ca, verify-full")?,
            None => Encryption::Prefer,
        };
        let root = self.option("sslrootcert");
        let encryption = match (root, self.option("sslmode"), encryption) {
            // Whom a whole system believes is anybody, if not asked for by name.
            (Some("system"), None | Some("verify-full"), _) => Encryption::VerifyFull,
            (Some("system"), ..) => return Err("sslrootcert=system goes with sslmode=verify-full only".to_owned()),
            (None, _, Encryption::VerifyCa) => {
                return Err("sslmode=verify-ca needs sslrootcert, the file of whom you believe".to_owned());
            }
            (_, _, encryption) => encryption,
        };
        let root = root.filter(|path| *path != "system");
        let root = root.map(|path| percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned());
        // Each host has its own time to answer, so each is tried by itself.
        let hosts = self.hosts.split(',').map(|host| self.config(host, encryption)).collect::<Result<_, _>>()?;
        Ok(Parsed::Postgres { hosts, encryption, root_certificate: root.map(PathBuf::from) })
    }

    fn config(&self, host: &str, encryption: Encryption) -> Result<Config, String> {
        let ours = ["sslmode", "sslrootcert"];
        let rest = self.options.iter().filter(|(name, _)| !ours.contains(name));
        let rest = rest.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        let user = self.user.map(|user| format!("{user}@")).unwrap_or_default();
        let text = Zeroizing::new(format!("postgres://{user}{host}{}?{rest}", self.path));
        let mut config: Config = text.parse().map_err(|_| {
            "must be like postgres://doorward@db.example.com:5432/doorward, its options as libpq knows them, special \
             characters percent-encoded"
                .to_owned()
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("names no host: write postgres://doorward@HOST/doorward".to_owned());
        }
        config
            .ssl_mode(encryption.mode())
            .keepalives_idle(SILENCE)
            .keepalives_interval(SILENCE_STEP)
            .keepalives_retries(3);
        if self.option("application_name").is_none() {
            config.application_name("doorward");
        }
        if self.option("target_session_attrs").is_none() {
            // A node that cannot write is of no use.
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        Ok(config)
    }
}
