//! The real program: what its commands say of mails, what its log holds, and what a kill costs.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::MailServer;
use crate::harness::process::{Launch, Process, exchange, wait_for};
use crate::harness::{ADMIN_EMAIL, token_in};

/// On a busy machine two programs take their time with each other.
const PATIENT: (&str, &str) = ("TIMEOUT", "20s");

/// A data directory, for the server and for commands.
pub(super) struct Ground {
    folder: TempDir,
}

impl Ground {
    /// With a store in it.
    pub(super) fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        ground.launch().serve().stop();
        ground
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn launch(&self) -> Launch {
        Launch::on(&self.data()).variable("DOORWARD_THROTTLE__ENABLED", "false")
    }

    fn serve(&self, mails: &MailServer) -> Process {
        let variables = mails.variables().into_iter();
        variables.fold(self.launch(), |launch, (name, value)| launch.variable(&name, &value)).serve()
    }

    fn run(&self, mails: &MailServer, settings: &[(&str, &str)], arguments: &[&str]) -> Output {
        let settings =
            settings.iter().map(|(name, value)| (format!("DOORWARD_MAIL__SMTP__{name}"), (*value).to_owned()));
        Command::new(env!("CARGO_BIN_EXE_doorward"))
            .args(arguments)
            .args(["--data-dir", self.data().to_str().unwrap()])
            .env_clear()
            .envs(mails.variables())
            .envs(settings)
            .output()
            .unwrap()
    }

    /// What a command prints as JSON.
    fn json(&self, mails: &MailServer, arguments: &[&str]) -> Value {
        let output = self.run(mails, &[PATIENT], &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What `doorward mail test` says: on standard output where the mail was taken, else on standard error.
    pub(super) fn tested(&self, mails: &MailServer, settings: &[(&str, &str)]) -> Result<String, String> {
        let output = self.run(mails, settings, &["mail", "test", "ann@example.com"]);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        match output.status.code() {
            Some(0) => Ok(text(output.stdout)),
            Some(1) => Err(text(output.stderr)),
            other => panic!("{other:?}: {}", text(output.stderr)),
        }
    }
}

fn forgot(server: &Process) {
    let body = json!({ "email": ADMIN_EMAIL }).to_string();
    let request = format!(
        "POST /auth/forgot-password HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = exchange(server.address(), &request);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_test_mail_says_what_the_server_said_and_each_fault_by_its_name() {
    let (ground, mails) = (Ground::new(), MailServer::start());
    let said = ground.tested(&mails, &[PATIENT]).unwrap();
    assert_eq!(said, format!("127.0.0.1:{} took the mail: 250 2.0.0 queued as 1\n", mails.port));
    assert!(mails.taken()[0].head("Subject").starts_with("A test mail from"));
    let document = ground.json(&mails, &["mail", "test", "ann@example.com"]);
    assert_eq!((&document["taken"], &document["answer"]), (&true.into(), &"250 2.0.0 queued as 2".into()));
    for (mode, parts) in [
        ("never", &["does not take the recipient: 550", "no such user"][..]),
        ("later", &["does not take the recipient: 451"]),
        ("sender", &["does not take the sender: 550"]),
        ("never-data", &["does not take the message: 554"]),
        ("hang", &["cannot be reached: no answer in time"]),
        ("hang-rcpt", &["does not take the recipient: no answer in time"]),
        ("drop", &["does not take the message: "]),
    ] {
        mails.does(mode);
        let settings = if mode.starts_with("hang") { &[][..] } else { &[PATIENT] };
        let said = ground.tested(&mails, settings).unwrap_err();
        assert!(said.starts_with("error: the mail server "), "{mode}: {said}");
        assert!(parts.iter().all(|part| said.contains(part)), "{mode}: {said}");
    }
    let said = ground.tested(&mails, &[("PORT", "1")]).unwrap_err();
    assert!(said.contains("cannot be reached") && said.contains("refused"), "{said}");
    let output = ground.run(&mails, &[], &["mail", "test", "ann"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn letters_beyond_ascii_go_where_the_server_knows_them() {
    let ground = Ground::new();
    for (arguments, is_taken) in [(&[][..], true), (&["--ascii"], false)] {
        let mails = MailServer::with(arguments);
        let output = ground.run(&mails, &[PATIENT], &["mail", "test", "ren\u{e9}@example.com"]);
        assert_eq!(output.status.success(), is_taken, "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(mails.taken().len(), usize::from(is_taken));
    }
}

#[test]
fn without_a_mail_server_a_test_says_where_mails_go() {
    let (ground, mails) = (Ground::new(), MailServer::start());
    let data = ground.data();
    let output = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["mail", "test", "ann@example.com", "--data-dir", data.to_str().unwrap()])
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("outbox") && said.contains("mail.smtp.host"), "{said}");
    assert_eq!(mails.saw("connect"), 0);
}

#[test]
fn mails_that_wait_are_listed_without_whom_they_are_for_and_tried_when_told_to() {
    let (ground, mails) = (Ground::new(), MailServer::start());
    mails.does("later");
    assert_eq!(ground.json(&mails, &["mail", "list"]), json!([]));
    let server = ground.serve(&mails);
    forgot(&server);
    let listed = wait_for("the mail to be put back", || {
        let listed = ground.json(&mails, &["mail", "list"]);
        (listed[0]["failure"] == "recipient: 451").then_some(listed)
    });
    let mail = &listed[0];
    assert_eq!(
        (&mail["domain"], &mail["attempts"], &mail["sending"]),
        (&"example.com".into(), &1.into(), &false.into())
    );
    assert!(!listed.to_string().contains('@'), "{listed}");
    let table = ground.run(&mails, &[], &["mail", "list"]).stdout;
    assert!(String::from_utf8(table).unwrap().contains("recipient: 451"));
    mails.does("take");
    let id = mail["id"].as_str().unwrap();
    assert_eq!(ground.json(&mails, &["mail", "retry", id]), json!({ "retried": 1 }));
    mails.wait_for_blocking(1);
    wait_for("the mail to be forgotten", || (ground.json(&mails, &["mail", "list"]) == json!([])).then_some(()));
    assert_eq!(ground.json(&mails, &["mail", "retry"]), json!({ "retried": 0 }));
    let output = ground.run(&mails, &[], &["mail", "retry", id]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("doorward mail list"), "{said}");
    let rows = ground.run(&mails, &[], &["audit", "list", "--action", "mails.hurried", "--oldest", "--json"]).stdout;
    let rows = String::from_utf8(rows).unwrap();
    let results: Vec<_> =
        rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()["result"].clone()).collect();
    assert_eq!(results, ["done", "refused"], "{rows}");
    server.stop();
}

#[test]
fn a_kill_costs_no_mail_wherever_it_falls() {
    for mode in ["hang", "hang-rcpt", "hang-data", "later"] {
        let (ground, mails) = (Ground::new(), MailServer::start());
        mails.does(mode);
        let server = ground.serve(&mails);
        forgot(&server);
        let event = if mode == "hang" {
            "connect"
        } else if mode == "hang-data" {
            "data"
        } else {
            "rcpt"
        };
        wait_for("the mail to be tried", || (mails.saw(event) > 0).then_some(()));
        server.kill();
        assert!(mails.taken().is_empty(), "{mode}");
        mails.does("take");
        let server = ground.serve(&mails);
        // Once nobody can be sending it any more.
        let mail = mails.wait_for_blocking(1).remove(0);
        assert_eq!(mail.to, [ADMIN_EMAIL], "{mode}");
        wait_for("the mail to be forgotten", || (ground.json(&mails, &["mail", "list"]) == json!([])).then_some(()));
        assert_eq!(mails.taken().len(), 1, "{mode}");
        server.stop();
    }
}

#[test]
fn the_log_tells_of_mails_and_of_nobody_and_no_link() {
    let (ground, mails) = (Ground::new(), MailServer::start());
    mails.does("never");
    let variables = mails.variables().into_iter();
    let launch = variables.fold(ground.launch(), |launch, (name, value)| launch.variable(&name, &value));
    let server = launch.variable("DOORWARD_LOG__LEVEL", "trace").serve();
    forgot(&server);
    wait_for("the mail to be given up", || server.log().contains("a mail was given up").then_some(()));
    mails.does("later");
    forgot(&server);
    wait_for("the mail to be put back", || server.log().contains("a mail could not be sent").then_some(()));
    mails.does("take");
    forgot(&server);
    let mail = mails.wait_for_blocking(1).remove(0);
    wait_for("the mail to be sent", || server.log().contains("mail sent").then_some(()));
    let log = server.log();
    assert!(log.contains("recipient: 550") && log.contains("recipient: 451") && log.contains("given_up"), "{log}");
    for secret in [token_in(&mail.message).as_str(), "reset-password?token", "no such user", ADMIN_EMAIL] {
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
    server.stop();
}

#[test]
fn faulty_settings_end_the_start_with_their_mend() {
    let (ground, mails) = (Ground::new(), MailServer::start());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("password_reset.txt"), "Subject: x\n\n{{ link }}").unwrap();
    let templates = folder.path().to_str().unwrap();
    ground.launch().variable("DOORWARD_MAIL__TEMPLATES", templates).refused().says(1, &["password_reset.html, line 1"]);
    std::fs::write(folder.path().join("password_reset.html"), "\n{% if %}{{ link }}").unwrap();
    ground.launch().variable("DOORWARD_MAIL__TEMPLATES", templates).refused().says(1, &["password_reset.html, line 2"]);
    let tls = mails.variables().into_iter().filter(|(name, _)| !name.ends_with("SECURITY"));
    let launch = tls.fold(ground.launch(), |launch, (name, value)| launch.variable(&name, &value));
    let launch = launch.variable("DOORWARD_MAIL__SMTP__CA_FILE", "/nonexistent/ca.pem");
    launch.refused().says(1, &["mail.smtp.ca_file /nonexistent/ca.pem cannot be used"]);
    let server = ground
        .launch()
        .variable("DOORWARD_MAIL__SMTP__HOST", "192.0.2.1")
        .variable("DOORWARD_MAIL__SMTP__SECURITY", "none")
        .serve();
    assert!(server.log().contains("whoever is on the network may read every mail"), "{}", server.log());
    let stopping = std::time::Instant::now();
    server.stop();
    assert!(stopping.elapsed() < Duration::from_secs(5));
}
