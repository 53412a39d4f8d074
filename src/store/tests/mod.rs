//! Every statement and every store function, on both engines.

mod audit_log;
#[expect(dead_code, reason = "shared with tests that use the rest")]
#[path = "../../../tests/support/postgres.rs"]
mod cluster;
mod functions;
mod plans;
mod promises;
mod schema;
mod statements;
mod transfer;

use tempfile::TempDir;

use super::*;

/// One engine with a database of its own.
struct Place {
    folder: TempDir,
    /// Where it is on PostgreSQL.
    url: Option<String>,
}

impl Place {
    fn sqlite() -> Self {
        Self { folder: TempDir::new().unwrap(), url: None }
    }

    fn postgres() -> Self {
        Self { url: Some(cluster::shared().new_database()), ..Self::sqlite() }
    }

    fn location(&self) -> Location {
        match &self.url {
            None => Location::Sqlite(self.path()),
            Some(url) => Location::Postgres(Box::new(target(url))),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("doorward.db")
    }

    async fn try_open(&self, on_commit: CommitHook) -> Result<Store, OpenError> {
        Store::open(self.location(), Schema::Made, Commits { clock: Clock::System, on_commit, group: 128 }).await
    }

    /// A store on it, as another process would have one.
    async fn open(&self) -> Store {
        self.try_open(Arc::new(|_| ())).await.unwrap()
    }

    /// Changes it beside every store.
    fn execute(&self, text: &str) {
        match &self.url {
            None => rusqlite::Connection::open(self.path()).unwrap().execute_batch(text).unwrap(),
            Some(url) => {
                let name = url.rsplit('/').next().unwrap();
                cluster::shared().sql(name, text);
            }
        }
    }
}

fn target(url: &str) -> Target {
    Target {
        hosts: vec![url.parse().unwrap()],
        tls: None,
        connections: 8,
        connect_timeout: Duration::from_secs(5),
        statement_timeout: Duration::from_secs(5),
    }
}

/// Runs a test on each engine.
async fn on_each(test: impl AsyncFn(&Place)) {
    for place in [Place::sqlite(), Place::postgres()] {
        test(&place).await;
    }
}

/// A look at the feed by a thread that may block.
async fn poll(tail: &mut Option<Tail>) -> Result<News> {
    let mut taken = tail.take().unwrap();
    let (taken, news) = tokio::task::spawn_blocking(move || {
        let news = taken.poll(Timestamp::from_micros(0));
        (taken, news)
    })
    .await
    .unwrap();
    *tail = Some(taken);
    news
}
