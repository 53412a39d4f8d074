//! A directory with data directories and a secret in it, and runs of the program on them.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use doorward::clock::Clock;
use doorward::domain::id::UserId;
use doorward::domain::permission::Permissions;
use doorward::domain::user::{Email, JsonObject, Status};
use doorward::secret::random;
use doorward::store::bulk::{self, Row};
use doorward::store::{Commits, Location, NewUser, Schema, Store};
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::cluster::shared;
use crate::harness::process::Launch;

/// What clients call every server here: tokens go on.
const PUBLIC_URL: &str = "https://id.example.com";

pub(super) struct Ground {
    folder: TempDir,
    secret: PathBuf,
}

/// What a run left behind.
#[derive(Debug)]
pub(super) struct Ran {
    code: Option<i32>,
    stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    pub(super) fn document(&self) -> Value {
        serde_json::from_str(self.done()).unwrap()
    }

    pub(super) fn refused(&self, message: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        let last = self.stderr.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: ") && last.contains(message), "{message:?} is missing in: {self:?}");
    }

    pub(super) fn wrong_usage_that_says(&self, message: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        assert!(self.stderr.contains(message), "{self:?}");
    }
}

impl Ground {
    pub(super) fn new() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let secret = folder.path().join("doorward.secret");
        std::fs::write(&secret, "what the keys of this test are sealed under").unwrap();
        Self { folder, secret }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A server on a data directory.
    pub(super) fn on_file(&self, name: &str) -> Launch {
        Launch::on(&self.path(name)).variable("DOORWARD_PUBLIC_URL", PUBLIC_URL)
    }

    /// A server on PostgreSQL.
    pub(super) fn on_postgres(&self, url: &str) -> Launch {
        self.on_file("node").database(url, &self.secret)
    }

    /// The arguments that name a store in a data directory.
    pub(super) fn file(&self, name: &str) -> Vec<String> {
        vec!["--data-dir".to_owned(), self.path(name).display().to_string()]
    }

    /// Those that name a store on PostgreSQL; the URL comes last.
    pub(super) fn postgres(&self, url: &str) -> Vec<String> {
        ["--data-dir", self.path("node").to_str().unwrap(), "--database-url", url].map(str::to_owned).to_vec()
    }

    pub(super) fn migrate(&self, from: &[String], to: &str, more: &[&str]) -> Ran {
        ran(self.command(from).args(["migrate", "--to", to]).args(more))
    }

    /// The same, without waiting for its end.
    pub(super) fn start_migration(&self, from: &[String], to: &str) -> Child {
        let mut command = self.command(from);
        command.args(["migrate", "--to", to]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// Another command, on a store that has no secret.
    pub(super) fn run(&self, from: &[String], arguments: &[&str]) -> Ran {
        ran(self.command(from).env_remove("DOORWARD_SECRET_FILE").args(arguments))
    }

    /// The same with another secret.
    pub(super) fn migrate_with(&self, secret: &str, from: &[String], to: &str) -> Ran {
        ran(self.command(from).env("DOORWARD_SECRET_FILE", self.path(secret)).args(["migrate", "--to", to]))
    }

    fn command(&self, from: &[String]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.env_clear().env("DOORWARD_PUBLIC_URL", PUBLIC_URL).env("DOORWARD_SECRET_FILE", &self.secret);
        command.args(from).stdin(Stdio::null());
        command
    }

    /// Many users more, in no order, in a data directory.
    pub(super) async fn add_users(&self, name: &str, users: usize) {
        let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
        let store =
            Store::open(Location::Sqlite(self.path(name).join("doorward.db")), Schema::Made, commits).await.unwrap();
        let now = Clock::System.now();
        let user = |number: usize| NewUser {
            id: UserId::from_bytes(random()),
            email: Some(Email::parse(&format!("user{number}@example.com")).unwrap()),
            username: None,
            name: Some(format!("Üser {number}")),
            bio: None,
            password: None,
            status: Status::Active,
            permissions: Permissions::of_new_user(),
            flags: JsonObject::new(),
            plan_worker: JsonObject::new(),
            email_verified_at: None,
            created_at: now,
        };
        bulk::insert(&store, (0..users).map(|number| Row::User(Box::new(user(number))))).await.unwrap();
    }
}

fn ran(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// How many rows there are on PostgreSQL.
pub(super) fn count(url: &str, what: &str) -> usize {
    let name = url.rsplit('/').next().unwrap();
    shared().sql(name, &format!("select count(*) from {what}")).parse().unwrap()
}
