//! The mail server of the tests: another program than ours, from Debian's packages, that takes mails or does what it is
//! told instead.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::Value;
use tempfile::{NamedTempFile, TempDir};

use crate::harness::process::wait_for;
use crate::source::root;

/// Debian's own, whatever else is in the PATH: the packages that `scripts/test` installs are for it.
const PYTHON: &str = "/usr/bin/python3";

/// A mail that the server has taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: String,
    pub(crate) encrypted: bool,
    pub(crate) hello: String,
}

impl Taken {
    fn read(text: &str) -> Self {
        let mail: Value = serde_json::from_str(text).unwrap();
        let word = |key: &str| mail[key].as_str().unwrap().to_owned();
        Self {
            from: word("from"),
            to: mail["to"].as_array().unwrap().iter().map(|to| to.as_str().unwrap().to_owned()).collect(),
            message: word("message"),
            encrypted: mail["encrypted"].as_bool().unwrap(),
            hello: word("hello"),
        }
    }

    /// A head of the message.
    pub(crate) fn head(&self, name: &str) -> &str {
        let heads = self.message.split("\r\n\r\n").next().unwrap();
        let found = heads.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        found.unwrap_or_else(|| panic!("no {name} in {heads}"))
    }
}

/// A mail server in a process of its own, which ends with this value.
pub(crate) struct MailServer {
    child: Child,
    folder: TempDir,
    pub(crate) port: u16,
}

impl MailServer {
    /// Without encryption and login, taking everything.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these arguments.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join("certificate.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        fs::write(folder.path().join("mode"), "take").unwrap();
        fs::write(folder.path().join("events"), "").unwrap();
        let mut child = Command::new(PYTHON)
            .arg(root().join("tests/it/mail/server.py"))
            .arg(folder.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().parse().expect("the mail server says its port: is python3-aiosmtpd there?");
        Self { child, folder, port }
    }

    /// From now on it does this instead of taking everything.
    pub(crate) fn does(&self, mode: &str) {
        let unfinished = self.folder.path().join("mode.unfinished");
        fs::write(&unfinished, mode).unwrap();
        fs::rename(unfinished, self.folder.path().join("mode")).unwrap();
    }

    /// Its certificate, which vouches for itself.
    pub(crate) fn certificate(&self) -> String {
        self.folder.path().join("certificate.pem").to_str().unwrap().to_owned()
    }

    /// A file with a certificate that nobody here has the key of.
    pub(crate) fn certificate_of_another() -> NamedTempFile {
        let CertifiedKey { cert, .. } = generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), cert.pem()).unwrap();
        file
    }

    /// Settings by which it is spoken to: a name and a value each.
    pub(crate) fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("host", "127.0.0.1".to_owned()),
            ("port", self.port.to_string()),
            ("security", "none".to_owned()),
            ("timeout", "2s".to_owned()),
        ]
    }

    /// The same as a section of the configuration.
    pub(crate) fn section(&self) -> String {
        let quoted = |name: &str, value: &str| if name == "port" { value.to_owned() } else { format!("{value:?}") };
        let lines = self.settings().into_iter().map(|(name, value)| format!("{name} = {}\n", quoted(name, &value)));
        format!("[mail.smtp]\n{}", lines.collect::<String>())
    }

    /// The same as variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let settings = self.settings().into_iter();
        settings.map(|(name, value)| (format!("DOORWARD_MAIL__SMTP__{}", name.to_uppercase()), value)).collect()
    }

    /// The mails that it has taken, oldest first.
    pub(crate) fn taken(&self) -> Vec<Taken> {
        let files = fs::read_dir(self.folder.path()).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.filter(|file| file.extension().is_some_and(|end| end == "json")).collect();
        files.sort();
        files.iter().map(|file| Taken::read(&fs::read_to_string(file).unwrap())).collect()
    }

    /// Waits until it has taken so many; all that it has.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Taken> {
        for _ in 0..1_200 {
            let taken = self.taken();
            if taken.len() >= count {
                return taken;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} mails were expected, {} were taken; it saw {:?}", self.taken().len(), self.events());
    }

    /// The same for who must not sleep otherwise.
    pub(crate) fn wait_for_blocking(&self, count: usize) -> Vec<Taken> {
        wait_for("mails to be taken", || Some(self.taken()).filter(|taken| taken.len() >= count))
    }

    /// What it saw, in order.
    pub(crate) fn events(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("events")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// How often it saw this.
    pub(crate) fn saw(&self, event: &str) -> usize {
        self.events().iter().filter(|seen| seen.starts_with(event)).count()
    }

    /// Waits until it saw this so often.
    pub(crate) async fn wait_until_it_saw(&self, event: &str, times: usize) {
        for _ in 0..1_200 {
            if self.saw(event) >= times {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it should see {event:?} {times} times, and saw {:?}", self.events());
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // With its input it would end by itself, too.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
