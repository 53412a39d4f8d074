//! A disk that fails: writes and syncs that come back with an error are answered 503, and what was
//! acknowledged before and after them stands after a kill. Nothing is acknowledged on the strength of
//! pages that may never have reached the disk.

use std::collections::BTreeMap;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Data, ask, status};
use crate::harness::process::{Launch, Process};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// How many writes are sent in a row, of which some meet the fault.
const WRITES: usize = 40;

/// What was sent, by what it was answered.
#[derive(Default)]
struct Sent {
    made: Vec<String>,
    deleted: Vec<String>,
    refused: usize,
}

impl Sent {
    /// Makes tokens, and deletes every third one a turn later.
    fn write(server: &Process) -> Self {
        let mut sent = Self::default();
        let mut last: Option<(String, String)> = None;
        for turn in 0..WRITES {
            let answer = ask(server, "POST /1/tokens", "{}");
            let Some(body) = sent.heard(&answer) else { continue };
            let text = |key: &str| body["token"][key].as_str().unwrap().to_owned();
            sent.made.push(text("token"));
            if let Some((id, secret)) = last.replace((text("_id"), text("token"))).filter(|_| turn % 3 == 0) {
                let answer = ask(server, &format!("DELETE /1/tokens/{id}"), "");
                sent.made.retain(|made| *made != secret);
                if sent.heard(&answer).is_some() {
                    sent.deleted.push(secret);
                }
            }
        }
        sent
    }

    fn heard(&mut self, answer: &str) -> Option<Value> {
        match status(answer) {
            200 => serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).ok(),
            503 => {
                assert!(answer.to_lowercase().contains("\r\nretry-after: "), "{answer}");
                self.refused += 1;
                None
            }
            _ => panic!("{answer}"),
        }
    }

    /// Asserts that what was acknowledged is so.
    fn stands(&self, server: &Process, when: &str) {
        for secret in &self.made {
            assert_eq!(worth(server, secret), 200, "{when}: an acknowledged token is lost");
        }
        for secret in &self.deleted {
            assert_eq!(worth(server, secret), 403, "{when}: a deleted token works again");
        }
    }
}

fn worth(server: &Process, secret: &str) -> u16 {
    let request = format!(
        "GET /1/authentication HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth {secret}\r\nConnection: close\r\n\r\n"
    );
    status(&crate::harness::process::exchange(server.address(), &request))
}

/// A server whose calls of this kind, on one of the database's files, fail as strace is told.
fn failing(data: &Data, file: &str, calls: &str, error: &str) -> Launch {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
    let path = data.path().join(file);
    let on_file = ["-P", path.to_str().unwrap(), "-e", &trace, "-e", &inject];
    data.launch().under(&[&["strace", "-f", "-qq", "-o", "/dev/null"], &on_file[..]].concat())
}

/// Has calls of this kind, on one of the database's files, fail for a while once so many have been made.
fn is_refused_then_goes_on(file: &str, call: &str, error: &str, when: &str) {
    let data = Data::new();
    let case = format!("{call} of {file} fails by {error}, {when}");
    let server = failing(&data, file, call, &format!("{error}:when={when}")).serve();
    let sent = Sent::write(&server);
    assert!(!sent.made.is_empty() && !sent.deleted.is_empty(), "{case}: nothing was acknowledged");
    if file.ends_with("-wal") {
        assert!(sent.refused > 0, "{case}: nothing was refused");
    }
    sent.stands(&server, &case);
    assert_eq!(status(&ask(&server, "GET /readyz", "")), 200, "{case}: reads go on");
    let login = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    assert_eq!(status(&ask(&server, "POST /auth/login", &login)), 200, "{case}: writes go on, too");
    server.kill();
    let server = data.launch().serve();
    sent.stands(&server, &format!("{case}, then a kill"));
    server.kill();
    let database = rusqlite::Connection::open(data.database()).unwrap();
    let verdict: String = database.query_row("pragma integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok", "{case}");
}

#[test]
fn a_sync_that_fails_acknowledges_nothing_and_takes_nothing_with_it() {
    // One alone, some in a row, every third.
    for when in ["4", "5..9", "3..20+3"] {
        for error in ["EIO", "ENOSPC"] {
            is_refused_then_goes_on("doorward.db-wal", "fsync,fdatasync", error, when);
        }
    }
}

#[test]
fn a_write_that_fails_acknowledges_nothing_and_takes_nothing_with_it() {
    for (error, when) in
        [("EIO", "12"), ("EIO", "10..40"), ("EROFS", "40..60"), ("ENOSPC", "9..30+2"), ("EDQUOT", "10..30")]
    {
        is_refused_then_goes_on("doorward.db-wal", "pwrite64", error, when);
    }
}

/// Bringing the log into the file fails; nobody hears of it, since the log holds everything still.
#[test]
fn a_checkpoint_that_fails_loses_nothing() {
    for (call, error) in [("pwrite64", "EIO"), ("fsync,fdatasync", "EIO"), ("pwrite64", "EROFS")] {
        let data = Data::new();
        let server = failing(&data, "doorward.db", call, error).serve();
        let mut made = Vec::new();
        // More than the thousand pages after which the log is brought in.
        let log = data.path().join("doorward.db-wal");
        let begun = Instant::now();
        while fs::metadata(&log).unwrap().len() < 1_500 * 4_096 {
            let answer = ask(&server, "POST /1/tokens", "{}");
            made.push(made_token(&answer));
            assert!(begun.elapsed() < Duration::from_mins(5), "the log does not grow");
        }
        server.kill();
        let server = data.launch().serve();
        for secret in made.iter().step_by(7) {
            assert_eq!(worth(&server, secret), 200, "{call} fails by {error}: an acknowledged token is lost");
        }
    }
}

fn made_token(answer: &str) -> String {
    assert_eq!(status(answer), 200, "{answer}");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["token"]["token"].as_str().unwrap().to_owned()
}

/// A commit whose sync failed before a kill may be in the system's memory and on no disk: what is
/// written behind it in the log would be lost with it when the power goes.
#[test]
fn what_a_killed_server_left_in_the_log_is_synced_into_the_file_before_anything_is_answered() {
    let data = Data::new();
    let server = data.launch().serve();
    let made: Vec<_> = (0..5).map(|_| made_token(&ask(&server, "POST /1/tokens", "{}"))).collect();
    server.kill();
    let log = data.path().join("doorward.db-wal");
    assert!(fs::metadata(&log).unwrap().len() > 0, "nothing was left");
    let trace = data.folder.path().join("trace");
    let calls = "trace=fsync,fdatasync,ftruncate,writev,sendto";
    let server =
        data.launch().under(&["strace", "-f", "-qq", "-y", "-o", trace.to_str().unwrap(), "-e", calls]).serve();
    assert_eq!(fs::metadata(&log).unwrap().len(), 0, "the log is believed");
    server.kill();
    let trace = fs::read_to_string(trace).unwrap();
    let first = |what: &dyn Fn(&str) -> bool| trace.lines().position(what).unwrap_or_else(|| panic!("{trace}"));
    let synced = first(&|line| line.contains("sync(") && line.contains("doorward.db>"));
    let answered = first(&|line| line.contains("HTTP/1.1 200"));
    assert!(synced < answered, "{trace}");
    // Without its log, the file has it all.
    let alone = Data::empty();
    fs::create_dir(alone.path()).unwrap();
    fs::copy(data.database(), alone.database()).unwrap();
    assert_eq!(alone.rows()["tokens"].len(), 1 + made.len());
}

/// A start that cannot do that does not serve.
#[test]
fn a_log_that_cannot_be_brought_into_the_file_is_refused() {
    let data = Data::new();
    let server = data.launch().serve();
    let made = made_token(&ask(&server, "POST /1/tokens", "{}"));
    server.kill();
    for (call, error) in [("fsync,fdatasync", "EIO"), ("pwrite64", "EIO"), ("pwrite64", "EROFS")] {
        failing(&data, "doorward.db", call, error).refused().says(1, &["doorward.db cannot be opened"]);
    }
    assert_eq!(worth(&data.launch().serve(), &made), 200);
}

/// As after `mount -o remount,ro`, which the system does by itself to many a disk that fails.
#[test]
fn a_file_system_that_becomes_read_only_refuses_writes_and_answers_reads() {
    let data = Data::new();
    // The log's counter is the writer's own: all its writes fail from the tenth on.
    let server = failing(&data, "doorward.db-wal", "pwrite64,ftruncate", "EROFS:when=10+").serve();
    let sent = Sent::write(&server);
    assert!(sent.refused >= WRITES / 2, "{} were refused", sent.refused);
    sent.stands(&server, "read-only");
    let answers: BTreeMap<&str, u16> = [
        ("GET /1/authentication", ""),
        ("GET /1/tokens", ""),
        ("GET /readyz", ""),
        ("POST /1/tokens", "{}"),
        ("POST /1/projects", r#"{"name":"x"}"#),
    ]
    .map(|(line, body)| (line, status(&ask(&server, line, body))))
    .into();
    assert_eq!(answers.values().copied().collect::<Vec<_>>(), [200, 200, 200, 503, 503], "{answers:?}");
    // Some time after the refused writes, too.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(status(&ask(&server, "GET /1/authentication", "")), 200, "reads go on");
    server.kill();
    sent.stands(&data.launch().serve(), "writable again");
}
