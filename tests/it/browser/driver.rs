//! A real browser, moved by its driver over `WebDriver` (W3C) on loopback: started for one test, with a profile of its
//! own, and gone with it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The name that an element's id has in `WebDriver`'s answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How long a browser may take to end.
const END_MAX: Duration = Duration::from_secs(20);

/// Nothing on a screen, and nothing that a browser asks the world for by itself.
const FLAGS: [&str; 11] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
];

/// Whether pages may run scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Script {
    On,
    Off,
}

/// An element of the page that is shown, as the driver knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Element(String);

/// A running browser.
pub(super) struct Driver {
    client: reqwest::Client,
    address: SocketAddr,
    session: String,
    browser: Option<Pid>,
    profile: TempDir,
    _leader: Leader,
}

/// The driver's process, which leads a group of its own, and ends with this.
struct Leader(Child);

impl Driver {
    /// Starts a browser.
    pub(super) async fn start(script: Script) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let child = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started ({error}): scripts/test installs it"));
        let mut leader = Leader(child);
        let address = leader.address();
        let client = reqwest::Client::builder().timeout(Duration::from_mins(1)).build().unwrap();
        let profile = tempfile::tempdir().unwrap();
        let mut driver = Self { client, address, session: String::new(), browser: None, profile, _leader: leader };
        let wanted = driver.capabilities(script);
        let begun = driver.ask(Method::POST, "/session", &wanted).await.expect("a browser starts");
        begun["sessionId"].as_str().unwrap().clone_into(&mut driver.session);
        let process = begun.pointer("/capabilities/goog:processID").and_then(Value::as_i64);
        driver.browser = process.and_then(|process| Pid::from_raw(i32::try_from(process).ok()?));
        driver
    }

    fn capabilities(&self, script: Script) -> Value {
        let profile = format!("--user-data-dir={}", self.profile.path().display());
        let flags: Vec<&str> = FLAGS.into_iter().chain([&*profile]).collect();
        let mut options = json!({ "args": flags });
        if script == Script::Off {
            options["prefs"] = json!({ "profile.managed_default_content_settings.javascript": 2 });
        }
        json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } })
    }

    /// A command of the session; what it answers.
    ///
    /// # Errors
    ///
    /// The driver's word for what went wrong, such as `no such element`.
    pub(super) async fn command(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        self.ask(method, &format!("/session/{}{path}", self.session), body).await
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> Result<Value, String> {
        let request = self.client.request(method.clone(), format!("http://{}{path}", self.address));
        let request = if method == Method::POST { request.json(body) } else { request };
        let answer = request.send().await.unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut answer: Value = answer.json().await.unwrap();
        match answer.pointer("/value/error").and_then(Value::as_str) {
            Some(error) => Err(format!("{error}: {}", answer["value"]["message"].as_str().unwrap_or_default())),
            None => Ok(answer["value"].take()),
        }
    }

    /// A command that may not fail.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        let answer = self.command(Method::POST, path, body).await;
        answer.unwrap_or_else(|error| panic!("{path} {body}: {error}"))
    }

    /// What is known about the page, such as `/url`.
    pub(super) async fn get(&self, path: &str) -> Value {
        self.command(Method::GET, path, &Value::Null).await.unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// A command of the browser's own protocol.
    pub(super) async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters })).await
    }

    /// What a script returns that is run from outside: no policy and no setting of the page holds it back.
    pub(super) async fn run(&self, script: &str, arguments: Value) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": arguments })).await
    }

    /// The elements that an `XPath` names, in order.
    pub(super) async fn find(&self, xpath: &str) -> Vec<Element> {
        let found = self.post("/elements", &json!({ "using": "xpath", "value": xpath })).await;
        let ids = found.as_array().unwrap().iter().map(|element| element[ELEMENT].as_str().unwrap().to_owned());
        ids.map(Element).collect()
    }

    /// Does something with an element, as in `click`.
    ///
    /// # Errors
    ///
    /// The driver's word for what went wrong.
    pub(super) async fn with(&self, element: &Element, action: &str, body: &Value) -> Result<Value, String> {
        self.command(Method::POST, &format!("/element/{}/{action}", element.0), body).await
    }

    /// Asks something about an element, as in `displayed`.
    ///
    /// # Errors
    ///
    /// The driver's word for what went wrong: the element may be one of a page that is gone.
    pub(super) async fn about(&self, element: &Element, question: &str) -> Result<Value, String> {
        self.command(Method::GET, &format!("/element/{}/{question}", element.0), &Value::Null).await
    }
}

impl Driver {
    /// Whether a number is still that of this browser, which names its profile when it is started.
    fn is_ours(&self, process: Pid) -> bool {
        let words = fs::read_to_string(format!("/proc/{}/cmdline", process.as_raw_nonzero())).unwrap_or_default();
        words.contains(self.profile.path().to_str().unwrap())
    }
}

impl Leader {
    /// Where it listens, which it says once it does.
    fn address(&mut self) -> SocketAddr {
        let said = BufReader::new(self.0.stdout.take().unwrap());
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("started successfully on port ")?;
            rest.trim_end_matches('.').parse().ok()
        });
        SocketAddr::from(([127, 0, 0, 1], port.expect("chromedriver says where it listens")))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Nothing here may panic: a test that failed may be the reason for it.
        if let Ok(mut stream) = TcpStream::connect_timeout(&self.address, END_MAX) {
            let line = format!("DELETE /session/{} HTTP/1.1\r\nHost: {}\r\n\r\n", self.session, self.address);
            // It answers once the browser has ended.
            let asked = stream.set_read_timeout(Some(END_MAX)).and_then(|()| stream.write_all(line.as_bytes()));
            let _ = asked.and_then(|()| stream.read(&mut [0]));
        }
        if let Some(browser) = self.browser.filter(|browser| self.is_ours(*browser)) {
            let _ = kill_process(browser, Signal::KILL);
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(group) = Pid::from_raw(self.0.id().cast_signed()) {
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.0.wait();
    }
}
