//! Where servers run that are killed and started again: one on SQLite, or two on a PostgreSQL of their
//! own, which may be killed as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Client;
use tempfile::TempDir;

use super::asker::Asker;
use crate::harness::cluster::Cluster;
use crate::harness::process::{Launch, Process};
use crate::harness::secret_file;

/// What all servers are started with. What was revoked must be refused because it was revoked, and not
/// because it is old; and a test that guesses all the time must not be held up for that.
const SETTINGS: &[(&str, &str)] = &[
    ("DOORWARD_PUBLIC_URL", "https://id.example.com"),
    ("DOORWARD_REST__ACCESS_LIFETIME", "24h"),
    ("DOORWARD_MAIL__RESET_LIFETIME", "24h"),
    ("DOORWARD_PASSWORDS__MAX_WAIT", "60s"),
];
/// What else lets clients of one address fail and register as often as they like.
const UNTHROTTLED: &[(&str, &str)] = &[("DOORWARD_THROTTLE__ENABLED", "false")];

/// How long it takes at the most until all nodes know of what ended on one of them.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

pub(super) struct Site {
    // In this order: the servers end before what they stand on goes.
    running: Vec<Process>,
    database: Option<(Cluster, String)>,
    folder: TempDir,
    client: Client,
}

/// With what all servers here are started with.
pub(super) fn settled(launch: Launch) -> Launch {
    SETTINGS.iter().chain(UNTHROTTLED).fold(launch, |launch, (name, value)| launch.variable(name, value))
}

/// Somebody who asks a server with this data directory.
pub(super) fn asker_of(server: &Process, data_dir: &Path) -> Asker {
    Asker::new(client(), server.url(""), vec![data_dir.join("outbox")])
}

fn client() -> Client {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    Client::builder().timeout(Duration::from_secs(30)).build().unwrap()
}

/// What a kill strikes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Victim {
    Server,
    Database,
}

impl Site {
    pub(super) fn on_sqlite() -> Self {
        Self::new(None)
    }

    pub(super) fn on_postgres() -> Self {
        let cluster = Cluster::start();
        let url = cluster.new_database();
        Self::new(Some((cluster, url)))
    }

    fn new(database: Option<(Cluster, String)>) -> Self {
        let mut site = Self { running: Vec::new(), database, folder: tempfile::tempdir().unwrap(), client: client() };
        site.running = (0..site.nodes()).map(|number| site.launch(number).serve()).collect();
        site
    }

    fn nodes(&self) -> usize {
        if self.database.is_some() { 2 } else { 1 }
    }

    fn data_dir(&self, node: usize) -> PathBuf {
        self.folder.path().join(node.to_string())
    }

    fn launch(&self, node: usize) -> Launch {
        let mut launch = Launch::on(&self.data_dir(node));
        if let Some((_, url)) = &self.database {
            launch = launch.database(url, &secret_file(self.folder.path()));
        }
        settled(launch)
    }

    /// Somebody who asks one of the servers.
    pub(super) fn asker(&self, number: usize) -> Asker {
        let node = number % self.running.len();
        let outboxes = (0..self.nodes()).map(|node| self.data_dir(node).join("outbox")).collect();
        Asker::new(self.client.clone(), self.running[node].url(""), outboxes)
    }

    /// Kills the first server, or what all of them write to.
    pub(super) fn kill(&mut self, victim: Victim) {
        match (victim, &self.database) {
            (Victim::Database, Some((cluster, _))) => cluster.kill(),
            _ => self.running.remove(0).kill(),
        }
    }

    /// Starts again what was killed, and waits until all know everything.
    pub(super) async fn start_again(&mut self, victim: Victim) {
        if let (Victim::Database, Some((cluster, _))) = (victim, &self.database) {
            cluster.start_again();
        } else {
            let again = self.launch(0).serve();
            self.running.insert(0, again);
        }
        if self.database.is_some() {
            tokio::time::sleep(KNOWN_WITHIN).await;
        }
    }

    /// Kills everything once more, and starts it.
    pub(super) async fn crash(&mut self) {
        for server in self.running.drain(..) {
            server.kill();
        }
        self.running = (0..self.nodes()).map(|number| self.launch(number).serve()).collect();
        if self.database.is_some() {
            tokio::time::sleep(KNOWN_WITHIN).await;
        }
    }

    /// The log of every server that runs.
    pub(super) fn log(&self) -> String {
        self.running.iter().map(Process::log).collect()
    }

    /// The database's file, where it has one.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.database.is_none().then(|| self.data_dir(0).join("doorward.db"))
    }
}
