//! What the server does when something around it is broken: it says what and how to mend it, and
//! nothing that was acknowledged is lost.

mod backup;
mod clock;
mod files;
mod full_disk;
mod outbox;
mod signals;
mod start;
mod sync;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rusqlite::types::Value;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

use crate::harness::ADMIN_TOKEN;
use crate::harness::process::{Launch, Process, exchange};

/// A data directory that a server was started on once.
struct Data {
    folder: TempDir,
}

impl Data {
    fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn new() -> Self {
        let data = Self::empty();
        data.launch().serve().stop();
        data
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn database(&self) -> PathBuf {
        self.path().join("doorward.db")
    }

    fn keys(&self) -> PathBuf {
        self.path().join("keys")
    }

    fn launch(&self) -> Launch {
        Launch::on(&self.path())
    }

    /// Every file's bytes, but for the database's, whose rows tell more than its pages.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap());
        let files = entries.filter(|entry| entry.file_type().unwrap().is_file());
        let named = files.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
        named.filter(|(name, _)| !name.starts_with("doorward.db")).collect()
    }

    /// Every row of every table.
    fn rows(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        let database = Connection::open_with_flags(self.database(), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
        let all = |text: &str| -> Vec<Vec<Value>> {
            let mut statement = database.prepare(text).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map((), |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
            rows.map(Result::unwrap).collect()
        };
        let names = all("select name from sqlite_schema where type = 'table' order by name");
        let names = names.into_iter().map(|mut row| match row.remove(0) {
            Value::Text(name) => name,
            other => panic!("{other:?} is no name"),
        });
        names.map(|name| (name.clone(), all(&format!("select * from \"{name}\"")))).collect()
    }

    /// Asserts that a start is refused with exit code 1, that it says all of this, and that it
    /// changed nothing.
    fn refuses(&self, parts: &[&str]) {
        let before = (self.files(), self.rows());
        self.launch().refused().says(1, parts);
        assert_eq!((self.files(), self.rows()), before, "{parts:?}");
    }
}

/// A filesystem of its own at a path, for as long as this lives.
struct Mount(PathBuf);

impl Mount {
    /// None, and a word about it, where this user may not mount.
    #[expect(clippy::print_stderr, reason = "a test that is left out says so")]
    fn tmpfs(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "doorward-test"]).arg(at).output();
        match mounted {
            Ok(output) if output.status.success() => Some(Self(at.to_owned())),
            other => {
                eprintln!("left out: a filesystem cannot be mounted here: {other:?}");
                None
            }
        }
    }

    fn change(&self, options: &str) {
        let changed = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.0).output().unwrap();
        assert!(changed.status.success(), "{changed:?}");
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).output();
    }
}

/// One request with a body, as the administrator; the whole answer.
fn ask(server: &Process, line: &str, body: &str) -> String {
    exchange(server.address(), &request(line, body))
}

fn request(line: &str, body: &str) -> String {
    format!(
        "{line} HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth {ADMIN_TOKEN}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no answer: {answer:?}"))
}
