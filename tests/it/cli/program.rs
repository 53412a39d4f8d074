//! Data directories, and runs of the program on them. Every run is bounded in time.

use std::io::{PipeReader, Read, Write, pipe};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use doorward::actions::first_admin::{self, FirstAdmin};
use doorward::actions::sign_in::{self, SignIn};
use doorward::app::{App, Presence};
use doorward::clock::Clock;
use doorward::config::{Overrides, Settings, Sources};
use doorward::domain::caller::Origin;
use doorward::domain::password::Password;
use doorward::domain::session::Dialect;
use doorward::domain::user::LoginName;
use doorward::secret::ExposeSecret;
use serde_json::Value;
use tempfile::TempDir;

/// A password that the policy takes, as a line of input.
pub(super) const PASSWORD: &str = "correct horse battery\n";

const RUN_MAX: Duration = Duration::from_mins(1);

/// A data directory with one administrator, `admin`.
pub(super) struct DataDirectory {
    folder: TempDir,
    password: String,
}

impl DataDirectory {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let made = block_on(async {
            let app = open(&folder, Presence::Made).await;
            first_admin::ensure(&app).await.unwrap()
        });
        let FirstAdmin::Made { password: Some(password), .. } = made else { panic!("the store was not empty") };
        Self { folder, password: password.expose_secret().to_owned() }
    }

    pub(super) fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_with_input(arguments, "")
    }

    pub(super) fn run_with_input(&self, arguments: &[&str], input: &str) -> Ran {
        run_alone(&[arguments, &["--data-dir", self.path()]].concat(), input)
    }

    /// Runs a command with `--json`; its document.
    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let ran = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_str(ran.done()).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Makes a user without a password.
    pub(super) fn add(&self, login: &str) {
        self.run(&["user", "add", login, "--no-password"]).done();
    }

    /// The id of a user.
    pub(super) fn id(&self, login: &str) -> String {
        self.json(&["user", "show", login])["id"].as_str().unwrap().to_owned()
    }

    /// Signs the administrator in with a client of a hostile name; the session's id.
    pub(super) fn sign_in(&self) -> String {
        let origin = Origin { user_agent: Some("Agent\u{9b}2J".to_owned()), ..Origin::default() };
        block_on(async {
            let app = open(&self.folder, Presence::Required).await;
            let (login, password) = (LoginName::parse("admin"), Password::parse(&self.password).unwrap());
            let input = SignIn { login, password, dialect: Dialect::Rest };
            sign_in::sign_in(&app, input, &origin).await.unwrap();
        });
        self.json(&["session", "list", "admin"])[0]["id"].as_str().unwrap().to_owned()
    }

    /// Runs a command whose output nobody reads: its exit code and what it says about it.
    pub(super) fn run_into_closed_pipe(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        let mut command = program(&[arguments, &["--data-dir", self.path()]].concat());
        let (errors, stderr) = pipe().unwrap();
        let child = command.stdout(writer).stderr(stderr).stdin(Stdio::null()).spawn().unwrap();
        // It holds the writing ends, and a reader waits for the last of them.
        drop(command);
        let errors = read(errors);
        (wait(child), errors.join().unwrap())
    }
}

/// What a run left behind.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    /// What it printed, where it did what was asked.
    pub(super) fn done(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }

    /// Asserts that the thing could not be done, and the message says this.
    pub(super) fn refused(&self, message: &str) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(1), ""), "{self:?}");
        assert!(self.stderr.starts_with("error: ") && self.stderr.contains(message), "{self:?}");
    }

    /// Asserts that it was asked wrongly.
    pub(super) fn wrong_usage(&self) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        assert!(!self.stderr.is_empty(), "{self:?}");
    }

    /// Asserts that it was asked wrongly, and the message says this.
    pub(super) fn wrong_usage_that_says(&self, message: &str) {
        self.wrong_usage();
        assert!(self.stderr.contains(message), "{self:?}");
    }
}

/// Runs the program with these arguments and nothing else.
pub(super) fn run_alone(arguments: &[&str], input: &str) -> Ran {
    let (out, stdout) = pipe().unwrap();
    let (errors, stderr) = pipe().unwrap();
    let mut command = program(arguments);
    let mut child = command.stdin(Stdio::piped()).stdout(stdout).stderr(stderr).spawn().unwrap();
    drop(command);
    let (stdout, stderr) = (read(out), read(errors));
    // A program that does not read its input may be gone before it is written.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let code = wait(child);
    Ran { code, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
    command.args(arguments).env_clear();
    command
}

fn read(mut from: PipeReader) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut text = String::new();
        from.read_to_string(&mut text).unwrap();
        text
    })
}

/// The exit code, or none where it took too long and was ended.
fn wait(mut child: Child) -> Option<i32> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        if started.elapsed() > RUN_MAX {
            child.kill().unwrap();
            return child.wait().unwrap().code();
        }
        thread::sleep(Duration::from_millis(5));
    }
}

async fn open(folder: &TempDir, presence: Presence) -> App {
    let overrides = Overrides { data_dir: folder.path().to_str().map(str::to_owned), ..Overrides::default() };
    let settings = Settings::load(&Sources { overrides, ..Sources::default() }).unwrap();
    let public_url = settings.effective_public_url();
    App::open(settings, public_url, Clock::System, presence).await.unwrap().0
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}
