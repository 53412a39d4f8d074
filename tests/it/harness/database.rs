//! What a test's server keeps its things in, seen beside the server: the same questions and changes
//! on SQLite and on PostgreSQL, in plain SQL that both take, with literals.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::mem;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::cluster;

/// Names the engine that the servers in this process run on: `sqlite`, which holds where it is not
/// set, or `postgres`.
const ENGINE_VARIABLE: &str = "DOORWARD_TEST_ENGINE";

/// What the keys of all tests are sealed under.
pub(crate) const SECRET: &[u8] = b"what the keys of all tests are sealed under";

/// Which engine the tests are to run on.
#[expect(clippy::disallowed_methods, reason = "what tests run on is no part of the configuration")]
pub(crate) fn is_postgres_asked_for() -> bool {
    match std::env::var(ENGINE_VARIABLE).as_deref() {
        Err(std::env::VarError::NotPresent) | Ok("sqlite") => false,
        Ok("postgres") => true,
        other => panic!("{ENGINE_VARIABLE} is {other:?}: neither sqlite nor postgres"),
    }
}

/// A database of one server, which is gone with this value.
pub(crate) enum Database {
    /// The file.
    Sqlite(PathBuf),
    /// A database of the cluster that all tests share, by its name.
    Postgres(String),
}

impl Database {
    /// For a server with this data directory, on the engine that is asked for.
    pub(super) fn of(data_dir: &Path) -> Self {
        if is_postgres_asked_for() { Self::postgres() } else { Self::sqlite(data_dir) }
    }

    fn sqlite(data_dir: &Path) -> Self {
        Self::Sqlite(data_dir.join("doorward.db"))
    }

    fn postgres() -> Self {
        let url = cluster::shared().new_database();
        Self::Postgres(url.rsplit('/').next().unwrap().to_owned())
    }

    /// What a server's configuration has to say for it, as top-level keys. What that needs beside
    /// the database is made in this directory.
    pub(super) fn settings(&self, directory: &Path) -> String {
        match self {
            Self::Sqlite(_) => String::new(),
            Self::Postgres(name) => {
                let (url, secret) = (cluster::shared().url(name), secret_file(directory));
                format!("database_url = \"{url}\"\nsecret_file = \"{}\"\n", secret.display())
            }
        }
    }

    /// Runs one statement; how many rows it changed.
    pub(crate) fn execute(&self, statement: &str) -> usize {
        match self {
            Self::Sqlite(path) => Connection::open(path).unwrap().execute(statement, ()).unwrap(),
            Self::Postgres(name) => {
                let mut psql = cluster::shared().psql(name);
                let output = psql.args(["-v", "QUIET=off", "-c", statement]).output().unwrap();
                assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
                // Such as `UPDATE 1`, or `ALTER TABLE`.
                let tag = String::from_utf8(output.stdout).unwrap();
                tag.split_whitespace().next_back().and_then(|count| count.parse().ok()).unwrap_or_default()
            }
        }
    }

    /// The one value that a query finds, as a text. It is not null and not empty.
    pub(crate) fn value(&self, query: &str) -> String {
        let value = match self {
            Self::Sqlite(path) => Connection::open(path).unwrap().query_row(query, (), |row| row.get(0)).map(shown),
            Self::Postgres(name) => Ok(cluster::shared().sql(name, query)),
        };
        let value = value.unwrap_or_else(|error| panic!("{query}: {error}"));
        assert!(!value.is_empty() && !value.contains('\n'), "{query} finds not one value: {value:?}");
        value
    }

    /// The expression that spells a column of bytes in lower-case hexadecimal digits.
    pub(crate) fn hex(&self, column: &str) -> String {
        match self {
            Self::Sqlite(_) => format!("lower(hex({column}))"),
            Self::Postgres(_) => format!("encode({column}, 'hex')"),
        }
    }

    /// Makes everybody wait who wants to change a user, or what belongs to one.
    pub(crate) fn lock(&self) -> Lock {
        match self {
            Self::Sqlite(path) => {
                let connection = Connection::open(path).unwrap();
                connection.execute_batch("begin immediate").unwrap();
                Lock::Sqlite(connection)
            }
            Self::Postgres(name) => {
                let mut psql = cluster::shared().psql(name);
                let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
                let text = "begin; lock table users in exclusive mode; select 'locked';\n";
                psql.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
                let mut answer = String::new();
                BufReader::new(psql.stdout.take().unwrap()).read_line(&mut answer).unwrap();
                assert_eq!(answer, "locked\n");
                Lock::Postgres(psql)
            }
        }
    }

    /// What a crash of the server leaves: a copy of its files, or nothing but torn connections.
    pub(super) fn tear(&self, data_dir: &Path, left: &Path) {
        match self {
            Self::Sqlite(path) => {
                DirBuilder::new().mode(0o700).create(left).unwrap();
                // The log first: whatever a checkpoint moves meanwhile is in the database as well then.
                let log = format!("{}-wal", path.file_name().unwrap().to_str().unwrap());
                let files = fs::read_dir(data_dir).unwrap().map(|entry| entry.unwrap().file_name());
                let mut files: Vec<_> = files.filter(|name| !name.to_str().unwrap().ends_with("-shm")).collect();
                files.sort_by_key(|name| name.to_str() != Some(&log));
                for name in files.iter().filter(|name| data_dir.join(name).is_file()) {
                    fs::copy(data_dir.join(name), left.join(name)).unwrap();
                }
            }
            Self::Postgres(name) => {
                let text = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()";
                cluster::shared().sql(name, text);
            }
        }
    }

    /// Takes it away from a server that runs.
    pub(crate) fn vanish(&self) {
        match self {
            Self::Sqlite(path) => {
                for suffix in ["", "-wal", "-shm"] {
                    fs::remove_file(format!("{}{suffix}", path.display())).unwrap();
                }
            }
            Self::Postgres(name) => cluster::shared().drop_database(name),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        match self {
            // It goes with its directory.
            Self::Sqlite(_) => {}
            // Its server's connections take a tenth of a second to go; nobody has to wait for that.
            Self::Postgres(name) => {
                let name = mem::take(name);
                thread::spawn(move || cluster::shared().drop_database(&name));
            }
        }
    }
}

/// A transaction that others wait for; it is over, and nothing done, with this value.
pub(crate) enum Lock {
    Sqlite(#[expect(dead_code, reason = "its end is what counts")] Connection),
    Postgres(Child),
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Self::Postgres(psql) = self {
            // With its input ends its session.
            drop(psql.stdin.take());
            let _ = psql.wait();
        }
    }
}

/// What the keys in a database on PostgreSQL are sealed under, readable by its owner alone.
pub(crate) fn secret_file(directory: &Path) -> PathBuf {
    let path = directory.join("secret");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    file.write_all(SECRET).unwrap();
    path
}

fn shown(value: Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(number) => number.to_string(),
        Value::Text(text) => text,
        other => panic!("{other:?} is no text"),
    }
}

/// On each engine, a database with a table of users.
fn each(test: impl Fn(Database)) {
    let directory = tempfile::tempdir().unwrap();
    let bytes = ["blob", "bytea"];
    for (database, bytes) in [Database::sqlite(directory.path()), Database::postgres()].into_iter().zip(bytes) {
        database.execute(&format!("create table users (id {bytes}, name text, at bigint)"));
        database.execute("insert into users values (null, 'Ann', 1), (null, null, 2)");
        test(database);
    }
}

#[test]
fn both_engines_answer_alike() {
    each(|database| {
        assert_eq!(database.execute("update users set at = at + 9000000000"), 2);
        assert_eq!(database.execute("update users set at = 3 where name = 'Eve'"), 0);
        assert_eq!(database.value("select count(*) from users"), "2");
        assert_eq!(database.value("select at from users where name = 'Ann'"), "9000000001");
        assert_eq!(database.value("select coalesce(name, 'nobody') from users where at = 9000000002"), "nobody");
        assert_eq!(database.value("select case when at > 0 then 'yes' else 'no' end from users limit 1"), "yes");
        let id = match database {
            Database::Sqlite(_) => "x'00ff'",
            Database::Postgres(_) => "'\\x00ff'",
        };
        database.execute(&format!("update users set id = {id}"));
        assert_eq!(database.value(&format!("select {} from users limit 1", database.hex("id"))), "00ff");
        database.execute("alter table users rename to lost");
        assert_eq!(database.value("select count(*) from lost"), "2");
    });
}

#[test]
fn who_wants_to_write_waits_for_a_lock() {
    each(|database| {
        let lock = database.lock();
        assert_eq!(database.value("select count(*) from users"), "2", "readers do not wait");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| database.execute("update users set at = 0"));
            thread::sleep(Duration::from_millis(300));
            assert!(!waiting.is_finished());
            drop(lock);
            assert_eq!(waiting.join().unwrap(), 2);
        });
    });
}

#[test]
fn what_vanished_is_gone() {
    each(|database| {
        // Beside the file lies what only an open connection keeps there.
        let _open = match &database {
            Database::Sqlite(path) => {
                let connection = Connection::open(path).unwrap();
                connection.execute_batch("pragma journal_mode = wal; update users set at = 0").unwrap();
                Some(connection)
            }
            Database::Postgres(_) => None,
        };
        database.vanish();
        match &database {
            Database::Sqlite(path) => assert!(!path.exists()),
            Database::Postgres(name) => {
                let count = format!("select count(*) from pg_database where datname = '{name}'");
                assert_eq!(cluster::shared().sql("postgres", &count), "0");
            }
        }
    });
}
