//! The real server on a port of its own, and callers that speak to it over HTTP.

#[path = "../../support/postgres.rs"]
pub(crate) mod cluster;
pub(crate) mod database;
pub(crate) mod dialect;
pub(crate) mod pages;
pub(crate) mod process;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use doorward::actions::housekeeping;
use doorward::app::App;
use doorward::clock::Clock;
use doorward::config::{Settings, Sources};
use doorward::server::{Running, Start};
use reqwest::header::{DATE, HeaderMap};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use self::database::Database;
pub(crate) use self::database::{SECRET, secret_file};

/// The first administrator of every test's server.
pub(crate) const ADMIN_EMAIL: &str = "admin@example.com";
pub(crate) const ADMIN_PASSWORD: &str = "the admin's pass phrase";
pub(crate) const ADMIN_TOKEN: &str = "a-configured-admin-token-0123456789";

/// A password that the policy takes.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// Settings under which passwords are hashed one after the other, each for almost half a second.
pub(crate) const SLOW_HASHES: &str = "[passwords]\niterations = 60\nthreads = 1\nmax_wait = \"60s\"\n";

/// Settings under which nothing is limited: all that a test sends comes from one address. They end
/// with a section of their own.
pub(crate) const UNTHROTTLED: &str = "[throttle]\nenabled = false\n";

const DATA_DIR: &str = "data";

/// How long a request may take to the queue for hashes.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(1);

/// A server in this process, with a data directory and a database of its own and a clock that the test moves.
pub(crate) struct Server {
    pub(crate) directory: TempDir,
    pub(crate) clock: Clock,
    pub(crate) client: reqwest::Client,
    pub(crate) base: String,
    settings: String,
    // In this order: the server ends before its database goes.
    running: Option<Running>,
    database: Database,
}

impl Server {
    /// With the settings that a new user has.
    pub(crate) async fn start() -> Self {
        Self::start_with("").await
    }

    /// With these settings (TOML) beside the defaults. They must begin with top-level keys, if
    /// any, before their first section.
    pub(crate) async fn start_with(settings: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::manual(Clock::System.now());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let database = Database::of(&directory.path().join(DATA_DIR));
        let settings = database.settings(directory.path()) + settings;
        let mut server = Self { directory, clock, client, base: String::new(), settings, running: None, database };
        server.launch().await;
        server
    }

    async fn launch(&mut self) {
        let file = self.directory.path().join("test.toml");
        let text = format!(
            "listen = \"127.0.0.1:0\"\ndata_dir = \"{}\"\n{}\n[super_user]\nemail = \"{ADMIN_EMAIL}\"\n\
             password = \"{ADMIN_PASSWORD}\"\ntoken = \"{ADMIN_TOKEN}\"\n",
            self.data_dir().display(),
            self.settings
        );
        fs::write(&file, text).unwrap();
        let settings = Settings::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let running = Running::start(settings, Start::default(), self.clock.clone()).await.unwrap();
        self.base = format!("http://{}", running.address());
        self.running = Some(running);
    }

    /// Where the outbox is, and on SQLite the database and the keys.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.directory.path().join(DATA_DIR)
    }

    /// The server's own database, to see and to change what no endpoint does.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// What the server runs, for what it does by itself now and then, and what an operator does beside it.
    pub(crate) fn app(&self) -> &App {
        self.running.as_ref().expect("the server runs").app()
    }

    /// Every route that it serves: a method and the template of a path.
    pub(crate) fn routes(&self) -> Vec<(Method, String)> {
        let routes = self.running.as_ref().expect("the server runs").routes();
        routes.into_iter().map(|route| (route.method, route.path)).collect()
    }

    /// How many hashes of passwords it has computed so far.
    pub(crate) fn hashes(&self) -> u64 {
        self.app().gate().readings().computed
    }

    /// Ends the server in good order.
    pub(crate) async fn stop(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
    }

    /// Sweeps away what is over, as the server does by itself now and then.
    pub(crate) async fn sweep(&self) {
        while housekeeping::sweep(self.running.as_ref().unwrap().app()).await.unwrap() {}
    }

    /// Ends the server and starts another one on the same data, on another port.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.launch().await;
    }

    /// Ends the server and starts another one on what a crash would have left: on SQLite the files as they
    /// are while it runs, on PostgreSQL what is there when all connections are torn.
    pub(crate) async fn crash(&mut self) {
        let (data, left) = (self.data_dir(), self.directory.path().join("left"));
        self.database.tear(&data, &left);
        self.stop().await;
        if left.exists() {
            fs::remove_dir_all(&data).unwrap();
            fs::rename(&left, &data).unwrap();
        }
        self.launch().await;
    }

    /// A request that is yet to be sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base))
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.request(Method::POST, path)
    }

    /// POST with a JSON body: status and body.
    pub(crate) async fn post_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        answer(self.post(path).json(body)).await
    }

    /// Signs a new user up in the rest dialect; the whole answer.
    pub(crate) async fn register(&self, email: &str) -> Value {
        let body = json!({"name": "Ann", "email": email, "password": PASSWORD, "confirm": PASSWORD});
        let (status, body) = self.post_json("/auth/register", &body).await;
        assert_eq!(status, StatusCode::CREATED, "{body}");
        body
    }

    /// Queues up some hashes, which with [`SLOW_HASHES`] keep whatever comes next waiting for five
    /// seconds.
    pub(crate) async fn queue_hashes(&self) {
        for number in 0..12 {
            // Of different names: of one, so many at once would be too many guesses.
            let credentials = json!({"email": format!("nobody{number}@example.com"), "password": PASSWORD});
            tokio::spawn(self.post("/auth/login").json(&credentials).send());
        }
        tokio::time::sleep(ARRIVAL).await;
    }

    /// The mails in the outbox, oldest first.
    pub(crate) fn mails(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.data_dir().join("outbox")) else { return Vec::new() };
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
        files.retain(|file| file.extension().is_some_and(|extension| extension == "eml"));
        files.sort();
        files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
    }

    /// Waits until there are `count` mails.
    pub(crate) async fn wait_for_mails(&self, count: usize) -> Vec<String> {
        for _ in 0..200 {
            let mails = self.mails();
            if mails.len() >= count {
                return mails;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} mails were expected, there are {}", self.mails().len());
    }
}

/// Sends a request; its status and its body, which must be JSON.
pub(crate) async fn answer(request: reqwest::RequestBuilder) -> (StatusCode, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{status} {text:?} is no JSON: {error}"));
    (status, body)
}

/// All of an answer that can tell one cause from another.
pub(crate) async fn whole(request: reqwest::RequestBuilder) -> (StatusCode, HeaderMap, String) {
    let answer = request.send().await.unwrap();
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    assert!(headers.remove("x-request-id").is_some());
    headers.remove(DATE);
    (status, headers, answer.text().await.unwrap())
}

/// The token in a mail's link.
pub(crate) fn token_in(mail: &str) -> String {
    let at = mail.find("token=").expect("the mail has a link") + "token=".len();
    mail[at..].chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')).collect()
}
