//! PostgreSQL for the rows that hold it against SQLite: one private cluster whose commits last as
//! long as SQLite's, databases that are filled once and copied, and nodes on them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use anyhow::{Context as _, bail};

#[expect(dead_code, reason = "shared with tests that use the rest")]
#[path = "../../tests/support/postgres.rs"]
mod postgres;

use crate::bench::Bench;
use crate::directory::{Directory, Server};
use crate::process::Cores;
use crate::seed::Files;
use crate::table::progress;

/// As PostgreSQL is set by itself, but for its memory; durable, which the tests' clusters are not.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("shared_buffers", "256MB"),
    // Who sent a statement, where statements are logged.
    ("log_line_prefix", "%a "),
];
const MAINTENANCE: &str = "postgres";
const SECRET: &str = "the same on all nodes of all databases of the benchmark";

/// The cluster, and the secret of the nodes on it.
pub(crate) struct Cluster {
    postgres: postgres::Cluster,
    secret: PathBuf,
}

impl Cluster {
    /// A new one below the bench's own directory, or where PostgreSQL's user does not reach that, in
    /// another one that lies on a disk.
    pub(crate) fn start(root: &Path) -> anyhow::Result<Self> {
        let (secret, own) = (root.join("doorward.secret"), root.join("postgres"));
        fs::write(&secret, SECRET)?;
        fs::create_dir(&own)?;
        // Who cleans up behind a killed run is that user, too.
        fs::set_permissions(root, Permissions::from_mode(0o711))?;
        fs::set_permissions(&own, Permissions::from_mode(0o1777))?;
        let places = [own.as_path(), Path::new("/var/tmp")];
        let Some(place) = places.into_iter().find(|place| postgres::can_hold(place)) else {
            bail!("PostgreSQL's user reaches neither {} nor /var/tmp", own.display());
        };
        Ok(Self { postgres: postgres::Cluster::start_in(place, SETTINGS), secret })
    }

    /// The URL of a new and empty database.
    pub(crate) fn new_database(&self) -> String {
        self.postgres.new_database()
    }

    /// PostgreSQL's version.
    pub(crate) fn version(&self) -> String {
        self.postgres.sql(MAINTENANCE, "show server_version")
    }

    /// The statements that nodes sent so far to databases that log them.
    pub(crate) fn statements(&self) -> usize {
        let log = self.postgres.sql(MAINTENANCE, "select pg_read_file('../log')");
        let is_one = |line: &&str| {
            let rest = line.strip_prefix("doorward LOG:  ");
            rest.is_some_and(|rest| rest.starts_with("execute ") || rest.starts_with("statement: "))
        };
        log.lines().filter(is_one).count()
    }
}

/// A database, with what the load generators need of it.
#[derive(Clone)]
pub(crate) struct Site {
    cluster: Rc<Cluster>,
    url: String,
    directory: Directory,
}

impl Site {
    /// The database of so many users, filled when it is first asked for. Who changes it takes a copy.
    pub(crate) fn filled(bench: &mut Bench, users: usize) -> anyhow::Result<Self> {
        let amounts = bench.amounts(users);
        if let Some(site) = bench.sites.get(&amounts) {
            return Ok(site.clone());
        }
        let cluster = bench.cluster()?;
        let site = Self { url: cluster.new_database(), cluster, directory: bench.empty()? };
        progress("  on PostgreSQL:");
        site.directory.fill(amounts, &site.settings(""))?;
        bench.sites.insert(amounts, site.clone());
        Ok(site)
    }

    /// A copy of one on which no node runs.
    pub(crate) fn copied(&self, bench: &mut Bench) -> anyhow::Result<Self> {
        let cluster = Rc::clone(&self.cluster);
        let url = cluster.new_database();
        let (old, new) = (name(&self.url)?, name(&url)?);
        cluster.postgres.drop_database(new);
        cluster.postgres.sql(MAINTENANCE, &format!("create database {new} template {old}"));
        Ok(Self { cluster, url, directory: bench.copied(&self.directory)? })
    }

    pub(crate) fn files(&self) -> Files {
        self.directory.files()
    }

    pub(crate) fn directory(&self) -> &Directory {
        &self.directory
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// A node more, with a data directory of its own.
    pub(crate) fn serve(&self, bench: &mut Bench, more: &str, cores: Cores) -> anyhow::Result<Server> {
        bench.empty()?.serve(&self.settings(more), cores)
    }

    /// Has every statement of nodes that start from now on logged.
    pub(crate) fn log_statements(&self) -> anyhow::Result<()> {
        let text = format!("alter database {} set log_statement = 'all'", name(&self.url)?);
        self.cluster.postgres.sql(MAINTENANCE, &text);
        Ok(())
    }

    /// Transactions that were committed in it so far; the last second's may be missing.
    pub(crate) fn transactions(&self) -> anyhow::Result<f64> {
        let question = format!("select xact_commit from pg_stat_database where datname = '{}'", name(&self.url)?);
        Ok(self.cluster.postgres.sql(MAINTENANCE, &question).parse()?)
    }

    fn settings(&self, more: &str) -> String {
        let (url, secret) = (&self.url, toml::Value::from(self.cluster.secret.display().to_string()));
        format!("database_url = \"{url}\"\nsecret_file = {secret}\n{more}")
    }
}

fn name(url: &str) -> anyhow::Result<&str> {
    url.rsplit('/').next().context("a URL without a database")
}
