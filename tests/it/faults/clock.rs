//! A machine's clock that is set while the server runs: by the 90 seconds of a time server that was not
//! heard for long, and by the day of an operator who errs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::{Data, ask, status};
use crate::harness::process::{Process, exchange};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD};

/// A server whose clock is set by a file.
struct Stepped {
    server: Process,
    offset: PathBuf,
    data: Data,
    _folder: TempDir,
}

impl Stepped {
    fn start() -> Self {
        let (data, folder) = (Data::empty(), tempfile::tempdir().unwrap());
        let offset = folder.path().join("offset");
        fs::write(&offset, "+0\n").unwrap();
        let server = Self::launch(&data, &offset);
        Self { server, offset, data, _folder: folder }
    }

    fn launch(data: &Data, offset: &std::path::Path) -> Process {
        let found = Command::new("sh").args(["-c", "ls /usr/lib/*/faketime/libfaketimeMT.so.1"]).output().unwrap();
        assert!(found.status.success(), "install the package `faketime`");
        let launch = data.launch().variable("LD_PRELOAD", String::from_utf8(found.stdout).unwrap().trim());
        let launch = launch.variable("FAKETIME_TIMESTAMP_FILE", offset.to_str().unwrap());
        let launch = launch.variable("FAKETIME_NO_CACHE", "1").variable("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        launch.variable("DOORWARD_PUBLIC_URL", "https://id.example.com").serve()
    }

    fn set(&self, offset: &str) {
        // Whole or not at all: it is read at any moment.
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{offset}\n")).unwrap();
        fs::rename(new, &self.offset).unwrap();
    }

    fn restart(&mut self) {
        let again = Self::launch(&self.data, &self.offset);
        std::mem::replace(&mut self.server, again).kill();
    }

    fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let answer = ask(&self.server, &format!("POST {path}"), body);
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        (status(&answer), serde_json::from_str(body).unwrap())
    }

    fn sign_in(&self) -> Value {
        let body = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
        let (status, body) = self.post("/auth/login", &body);
        assert_eq!(status, 200, "{body}");
        body
    }

    fn refresh(&self, tokens: &Value) -> (u16, Value) {
        self.post("/auth/refresh-tokens", &format!(r#"{{"refreshToken":{}}}"#, tokens["refreshToken"]))
    }

    fn is_known(&self, tokens: &Value) -> bool {
        let token = tokens["accessToken"].as_str().unwrap();
        let request = format!(
            "GET /1/authentication HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        status(&exchange(self.server.address(), &request)) == 200
    }
}

#[test]
fn users_go_on_by_their_refresh_tokens_wherever_the_clock_is_set() {
    let mut stepped = Stepped::start();
    let mut tokens = stepped.sign_in();
    for offset in ["+90", "+0", "-90", "+0", "+1d", "+0", "-1d", "+0"] {
        stepped.set(offset);
        let (status, next) = stepped.refresh(&tokens);
        assert_eq!(status, 200, "the clock was set to {offset}: {next}");
        assert!(stepped.is_known(&next), "the clock was set to {offset}");
        stepped.restart();
        assert!(stepped.is_known(&next), "the clock was set to {offset} before the start");
        tokens = next;
    }
}

#[test]
fn what_ended_is_over_wherever_the_clock_is_set() {
    let mut stepped = Stepped::start();
    for (at, offsets) in [("+0", ["+1d", "+0", "-1d", "+0"]), ("-1d", ["+0", "+1d", "-1d", "+0"])] {
        stepped.set("+0");
        let before = stepped.sign_in();
        stepped.set(at);
        let ended = [before, stepped.sign_in()];
        for tokens in &ended {
            let body = format!(r#"{{"refreshToken":{}}}"#, tokens["refreshToken"]);
            assert_eq!(stepped.post("/auth/logout", &body).0, 200);
        }
        for offset in offsets {
            stepped.set(offset);
            for _ in 0..2 {
                for tokens in &ended {
                    assert!(!stepped.is_known(tokens), "ended at {at}, and the clock was set to {offset}");
                    assert_eq!(stepped.refresh(tokens).0, 401, "ended at {at}, and the clock was set to {offset}");
                }
                stepped.restart();
            }
        }
    }
}
