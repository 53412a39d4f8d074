//! The real program, serving, with its log caught.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use reqwest::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN};

const PATIENCE: Duration = Duration::from_secs(20);

/// A running `doorward serve`, ended with the test.
pub(super) struct Program {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    _folder: TempDir,
    pub(super) client: Client,
    pub(super) address: String,
}

impl Program {
    /// Starts it and waits until it listens.
    pub(super) fn start(flags: &[&str], level: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_doorward"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir", folder.path().to_str().unwrap()]).args(flags);
        command.env_clear().env("DOORWARD_LOG__LEVEL", level).env("DOORWARD_SUPER_USER__EMAIL", ADMIN_EMAIL);
        command.env("DOORWARD_SUPER_USER__PASSWORD", ADMIN_PASSWORD).env("DOORWARD_SUPER_USER__TOKEN", ADMIN_TOKEN);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        let mut program = Self { child, lines, seen: Vec::new(), _folder: folder, client, address: String::new() };
        program.address = program.wait_for_address();
        program
    }

    fn wait_for_address(&mut self) -> String {
        loop {
            let line = self.lines.recv_timeout(PATIENCE).expect("it says where it listens");
            let found = line.find("127.0.0.1:").filter(|_| line.contains("listening"));
            let address = found.map(|at| line[at..].chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)));
            let address = address.map(String::from_iter);
            self.seen.push(line);
            if let Some(address) = address {
                return address;
            }
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Tells it to end.
    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end: how it ended, and every line it wrote to standard error.
    pub(super) fn ended(mut self) -> (ExitStatus, Vec<String>) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < PATIENCE, "it does not end");
            thread::sleep(Duration::from_millis(5));
        };
        let mut lines = std::mem::take(&mut self.seen);
        lines.extend(self.lines.iter());
        (status, lines)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
