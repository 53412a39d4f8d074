//! What was acknowledged is still there after the process was killed in the middle of writing, and
//! what was revoked does not come back.

mod asker;
mod life;
mod mixed;
mod session;
mod site;
mod steps;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorward::secret::random;
use reqwest::{Client, StatusCode};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::harness::process::{Launch, Process, exchange};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN};

/// The kill falls somewhere among this many writes, from this many connections.
const WRITES: usize = 10_000;
const CONNECTIONS: usize = 32;
/// Of the connections, those that refresh a session and those that begin and end sessions.
const REFRESHING: usize = 2;
const SIGNING_OUT: usize = 1;
const ROUNDS: usize = 3;
/// How many rounds of everything at once there are; [`ROUNDS_VARIABLE`] says another number.
const MIXED_ROUNDS: usize = 5;
const ROUNDS_VARIABLE: &str = "DOORWARD_TEST_CRASH_ROUNDS";

/// What the server acknowledged, and so what must hold after any crash.
#[derive(Default)]
struct Ledger {
    /// Tokens by id, with their secrets.
    made: HashMap<String, String>,
    /// Tokens whose deletion was sent; the answer may never have come.
    deleting: HashSet<String>,
    deleted: HashMap<String, String>,
    /// The last refresh token of each session that goes on.
    refreshed: Vec<String>,
    /// Access and refresh token of each session that was ended.
    ended: Vec<(String, String)>,
}

impl Ledger {
    fn take(&mut self, other: Self) {
        self.made.extend(other.made);
        self.deleting.extend(other.deleting);
        self.deleted.extend(other.deleted);
        self.refreshed.extend(other.refreshed);
        self.ended.extend(other.ended);
    }
}

/// One client with a connection of its own, and the count of what all were acknowledged.
#[derive(Clone)]
struct Writer {
    client: Client,
    base: String,
    acknowledged: Arc<AtomicUsize>,
}

impl Writer {
    fn to(server: &Process) -> Self {
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        Self { client, base: server.url(""), acknowledged: Arc::default() }
    }

    /// A POST with a JSON body. None once the server is gone.
    async fn post(&self, path: &str, body: Value) -> Option<Value> {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(ADMIN_TOKEN).json(&body);
        self.acknowledgement(request).await
    }

    async fn acknowledgement(&self, request: reqwest::RequestBuilder) -> Option<Value> {
        let answer = request.send().await.ok()?;
        let status = answer.status();
        // An answer whose body was cut off is none.
        let body = answer.bytes().await.ok()?;
        assert!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&body));
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
        Some(serde_json::from_slice(&body).unwrap())
    }

    fn is_done(&self) -> bool {
        self.acknowledged.load(Ordering::Relaxed) >= WRITES
    }

    /// Makes tokens and deletes every third one a turn later, until the server is gone.
    async fn make_and_delete(self) -> Ledger {
        let mut ledger = Ledger::default();
        let mut last = None;
        for turn in 0_usize.. {
            let Some(made) = self.post("/1/tokens", json!({"name": "crash"})).await else { break };
            let (id, secret) = (text(&made["token"], "_id"), text(&made["token"], "token"));
            ledger.made.insert(id.clone(), secret.clone());
            if let Some((id, secret)) = last.replace((id, secret)).filter(|_| turn % 3 == 0) {
                ledger.deleting.insert(id.clone());
                if self.delete(&id).await.is_none() {
                    break;
                }
                ledger.deleted.insert(id, secret);
            }
            if self.is_done() {
                break;
            }
        }
        ledger
    }

    async fn delete(&self, id: &str) -> Option<Value> {
        let request = self.client.delete(format!("{}/1/tokens/{id}", self.base)).bearer_auth(ADMIN_TOKEN);
        self.acknowledgement(request).await
    }

    /// Refreshes one session again and again.
    async fn refresh(self) -> Ledger {
        let mut ledger = Ledger::default();
        let mut token = self.sign_in().await.map(|(_, refresh)| refresh);
        while let Some(current) = token.take().filter(|_| !self.is_done()) {
            ledger.refreshed = vec![current.clone()];
            let refreshed = self.post("/auth/refresh-tokens", json!({"refreshToken": current})).await;
            token = refreshed.map(|refreshed| text(&refreshed, "refreshToken"));
        }
        ledger
    }

    /// Begins sessions and ends them.
    async fn sign_in_and_out(self) -> Ledger {
        let mut ledger = Ledger::default();
        while let Some((access, refresh)) = self.sign_in().await.filter(|_| !self.is_done()) {
            if self.post("/auth/logout", json!({"refreshToken": refresh})).await.is_none() {
                break;
            }
            ledger.ended.push((access, refresh));
        }
        ledger
    }

    async fn sign_in(&self) -> Option<(String, String)> {
        let body = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
        let signed_in = self.post("/auth/login", body).await?;
        Some((text(&signed_in, "accessToken"), text(&signed_in, "refreshToken")))
    }

    /// What `GET /1/authentication` says of a credential.
    async fn is_welcome(&self, token: &str) -> bool {
        let request = self.client.get(format!("{}/1/authentication", self.base)).bearer_auth(token);
        let status = request.send().await.unwrap().status();
        assert!(matches!(status, StatusCode::OK | StatusCode::FORBIDDEN), "{status}");
        status == StatusCode::OK
    }

    /// What a refresh token is worth.
    async fn refreshes(&self, token: &str) -> bool {
        let request = self.client.post(format!("{}/auth/refresh-tokens", self.base));
        let status = request.json(&json!({"refreshToken": token})).send().await.unwrap().status();
        assert!(matches!(status, StatusCode::OK | StatusCode::UNAUTHORIZED), "{status}");
        status == StatusCode::OK
    }
}

fn text(body: &Value, key: &str) -> String {
    body[key].as_str().unwrap().to_owned()
}

#[expect(clippy::disallowed_methods, reason = "how long a test takes is no part of the configuration")]
fn rounds() -> usize {
    std::env::var(ROUNDS_VARIABLE).map_or(MIXED_ROUNDS, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_a_kill_in_the_middle_of_writes_and_nothing_revoked_comes_back() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let directory = tempfile::tempdir().unwrap();
    // Its clients share one address, and hundreds of revoked tokens are shown again.
    let launch = Launch::on(&directory.path().join("data")).variable("DOORWARD_THROTTLE__ENABLED", "false");
    let mut ledger = Ledger::default();
    for round in 1..=ROUNDS {
        let kill_at =
            WRITES / 20 + usize::from(u16::from_ne_bytes(random())) * (WRITES * 8 / 10) / usize::from(u16::MAX);
        let written = write_and_kill(launch.serve(), kill_at).await;
        let server = launch.serve();
        check(&Writer::to(&server), &written, &ledger, &format!("round {round}, killed at {kill_at}")).await;
        server.kill();
        ledger.take(written);
    }
    let database = Connection::open(directory.path().join("data/doorward.db")).unwrap();
    let verdict: String = database.query_row("pragma integrity_check", (), |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
    check_the_audit_log(&directory.path().join("data"), &database, &ledger);
}

#[test]
fn a_first_start_that_was_killed_is_taken_up_by_the_next() {
    let directory = tempfile::tempdir().unwrap();
    // From before anything was made to after all was; a start takes about as long.
    for (turn, millis) in (0..200).step_by(20).enumerate() {
        let launch = Launch::on(&directory.path().join(turn.to_string()));
        let first = launch.spawn();
        std::thread::sleep(Duration::from_millis(millis));
        first.kill();
        let server = launch.serve();
        let request = format!(
            "GET /1/authentication HTTP/1.1\r\nHost: x\r\nAuthorization: OAuth {ADMIN_TOKEN}\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(server.address(), &request);
        assert!(answer.starts_with("HTTP/1.1 200"), "killed after {millis} ms: {answer}\n{}", server.log());
        server.kill();
    }
}

/// It is one chain, and has a row for every change that was acknowledged.
fn check_the_audit_log(data_dir: &Path, database: &Connection, ledger: &Ledger) {
    let mut verify = Command::new(env!("CARGO_BIN_EXE_doorward"));
    let verified = verify.args(["audit", "verify", "--data-dir", data_dir.to_str().unwrap()]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let ids_of = |action: &str| -> HashSet<String> {
        let text = "select lower(hex(subject_id)) from audit_log where action = ?1 and result = 'done'";
        let mut statement = database.prepare(text).unwrap();
        statement.query_map([action], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let (made, deleted) = (ids_of("token.created"), ids_of("token.deleted"));
    assert!(ledger.made.keys().all(|id| made.contains(id)) && ledger.deleted.keys().all(|id| deleted.contains(id)));
}

/// Writes from all connections and kills the server once so many writes were acknowledged.
async fn write_and_kill(server: Process, kill_at: usize) -> Ledger {
    let acknowledged = Arc::<AtomicUsize>::default();
    let mut writers = JoinSet::new();
    for connection in 0..CONNECTIONS {
        let writer = Writer { acknowledged: Arc::clone(&acknowledged), ..Writer::to(&server) };
        if connection < REFRESHING {
            writers.spawn(writer.refresh());
        } else if connection < REFRESHING + SIGNING_OUT {
            writers.spawn(writer.sign_in_and_out());
        } else {
            writers.spawn(writer.make_and_delete());
        }
    }
    while acknowledged.load(Ordering::Relaxed) < kill_at {
        assert!(!writers.is_empty() && writers.try_join_next().is_none(), "a writer ended before the kill");
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    server.kill();
    let mut ledger = Ledger::default();
    while let Some(written) = writers.join_next().await {
        ledger.take(written.unwrap());
    }
    assert!(acknowledged.load(Ordering::Relaxed) < WRITES, "the kill came too late");
    ledger
}

/// Asserts that all of this round and all tokens of the rounds before are as they were acknowledged.
async fn check(reader: &Writer, written: &Ledger, before: &Ledger, when: &str) {
    let request = reader.client.get(format!("{}/1/tokens", reader.base)).bearer_auth(ADMIN_TOKEN);
    let listed = reader.acknowledgement(request).await.unwrap();
    let listed: HashSet<_> = listed["tokens"].as_array().unwrap().iter().map(|token| text(token, "_id")).collect();
    for ledger in [written, before] {
        let lost = ledger.made.keys().filter(|id| !ledger.deleting.contains(*id) && !listed.contains(*id)).count();
        assert_eq!(lost, 0, "of {} acknowledged tokens these were lost, {when}", ledger.made.len());
        let back = ledger.deleted.keys().filter(|id| listed.contains(*id)).count();
        assert_eq!(back, 0, "of {} deleted tokens these came back, {when}", ledger.deleted.len());
    }
    for (id, secret) in written.made.iter().filter(|(id, _)| !written.deleting.contains(*id)).take(200) {
        assert!(reader.is_welcome(secret).await, "the secret of token {id} was lost, {when}");
    }
    for secret in written.deleted.values() {
        assert!(!reader.is_welcome(secret).await, "a deleted token works again, {when}");
    }
    for refresh in &written.refreshed {
        assert!(reader.refreshes(refresh).await, "a session's progress was lost, {when}");
    }
    for (access, refresh) in &written.ended {
        assert!(!reader.is_welcome(access).await, "an access token of an ended session works again, {when}");
        assert!(!reader.refreshes(refresh).await, "an ended session goes on, {when}");
    }
}
