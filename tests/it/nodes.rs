//! Several real servers on one PostgreSQL: what one of them does, all of them know.

mod access;
mod chain;
mod endings;
mod failover;
mod failures;
mod faults;
mod keys;
mod load;
mod proxy;
mod start;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::cluster::{self, Cluster};
use crate::harness::process::{Launch, Process};
use crate::harness::{ADMIN_TOKEN, PASSWORD, answer, token_in};

/// What all nodes are called.
const PUBLIC_URL: &str = "https://id.example.com";
/// How long a node may believe what ended on another one.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

/// A database, and the nodes on it.
pub(crate) struct Nodes {
    // In this order: the nodes end before what they stand on goes.
    pub(crate) running: Vec<Process>,
    client: Client,
    folder: TempDir,
    url: String,
    settings: Vec<(String, String)>,
    database: Option<(&'static Cluster, String)>,
}

impl Drop for Nodes {
    fn drop(&mut self) {
        self.running.clear();
        if let Some((cluster, name)) = &self.database {
            cluster.drop_database(name);
        }
    }
}

impl Nodes {
    /// No node yet, on an empty database of the cluster that all tests share.
    pub(crate) fn on_an_empty_database() -> Self {
        let shared = cluster::shared();
        let url = shared.new_database();
        let name = url.rsplit('/').next().unwrap().to_owned();
        let mut nodes = Self::at(url);
        nodes.database = Some((shared, name));
        nodes
    }

    /// No node yet, on the database at this URL.
    fn at(url: String) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), "what the keys of these nodes are sealed under").unwrap();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        // All that a test sends comes from one address.
        let settings = vec![("DOORWARD_THROTTLE__ENABLED".to_owned(), "false".to_owned())];
        Self { running: Vec::new(), client, folder, url, settings, database: None }
    }

    /// So many nodes on a database of their own.
    fn start(count: usize) -> Self {
        let mut nodes = Self::on_an_empty_database();
        nodes.add(count);
        nodes
    }

    /// With a setting, by its variable's name, for nodes that are yet to start.
    pub(crate) fn with(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret")
    }

    fn launch(&self, number: usize) -> Launch {
        self.launch_at(number, &self.url)
    }

    /// A node that reaches the database by another way.
    fn launch_at(&self, number: usize, url: &str) -> Launch {
        let launch = Launch::on(&self.folder.path().join(number.to_string()));
        let launch = launch.database(url, &self.secret_file()).variable("DOORWARD_PUBLIC_URL", PUBLIC_URL);
        self.settings.iter().fold(launch, |launch, (name, value)| launch.variable(name, value))
    }

    pub(crate) fn add(&mut self, count: usize) {
        for _ in 0..count {
            let launch = self.launch(self.running.len());
            self.running.push(launch.serve());
        }
    }

    /// Runs a statement in the database.
    pub(crate) fn sql(&self, text: &str) -> String {
        let (cluster, name) = self.database.as_ref().expect("it is a database of the shared cluster");
        cluster.sql(name, text)
    }

    /// Holds what a statement holds, until the result is dropped.
    fn hold(&self, statement: &str) -> Held {
        let (cluster, name) = self.database.as_ref().expect("it is a database of the shared cluster");
        let mut psql = cluster.psql(name).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = format!("begin; {statement}; select 'held';\n");
        psql.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        let mut answers = BufReader::new(psql.stdout.take().unwrap()).lines();
        assert!(answers.any(|line| line.unwrap() == "held"));
        Held(psql)
    }

    /// Runs the program's own command line on the database.
    fn command(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(["--data-dir", self.folder.path().join("operator").to_str().unwrap(), "--database-url", &self.url])
            .args(arguments)
            .env("DOORWARD_SECRET_FILE", self.secret_file())
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn request(&self, node: usize, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.running[node].url(path))
    }

    /// An administrator's request, which succeeds.
    async fn administer(&self, node: usize, method: Method, path: &str, body: Value) -> Value {
        let (status, body) = answer(self.request(node, method, path).bearer_auth(ADMIN_TOKEN).json(&body)).await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        body
    }

    /// A POST with a JSON body: status and body.
    pub(crate) async fn post(&self, node: usize, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.request(node, Method::POST, path).json(body)).await
    }

    /// Access and refresh token of a new user.
    pub(crate) async fn register(&self, node: usize, email: &str) -> Tokens {
        let body = json!({"name": "Ann", "email": email, "password": PASSWORD, "confirm": PASSWORD});
        let (status, body) = self.post(node, "/auth/register", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        Tokens::of(&body)
    }

    /// Access and refresh token of a new session.
    async fn login(&self, node: usize, email: &str) -> Tokens {
        let (status, body) = self.post(node, "/auth/login", &json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Tokens::of(&body)
    }

    /// The token in the newest mail that a node has written.
    fn newest_mailed_token(&self, node: usize) -> String {
        let outbox = self.folder.path().join(node.to_string()).join("outbox");
        let mails = std::fs::read_dir(outbox).unwrap().map(|mail| mail.unwrap().path());
        let newest = mails.filter(|mail| mail.extension().is_some_and(|end| end == "eml")).max().unwrap();
        token_in(&std::fs::read_to_string(newest).unwrap())
    }

    /// What a node says of a credential.
    async fn status_of(&self, node: usize, token: &str) -> StatusCode {
        self.request(node, Method::GET, "/1/authentication").bearer_auth(token).send().await.unwrap().status()
    }

    async fn is_known(&self, node: usize, token: &str) -> bool {
        let status = self.status_of(node, token).await;
        assert!(matches!(status, StatusCode::OK | StatusCode::FORBIDDEN), "{status}: {}", self.running[node].log());
        status == StatusCode::OK
    }
}

/// A transaction that holds something; it is over with this value.
struct Held(Child);

impl Drop for Held {
    fn drop(&mut self) {
        // With its input ends its session.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// What a session of the rest dialect goes on with.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn of(body: &Value) -> Self {
        let text = |key: &str| body[key].as_str().unwrap_or_else(|| panic!("no {key} in {body}")).to_owned();
        Self { access: text("accessToken"), refresh: text("refreshToken") }
    }
}
