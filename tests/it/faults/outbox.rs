//! An outbox that mails cannot be written to: whoever asks for one hears nothing of it at once, the log
//! says it, and nothing else suffers.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use super::{Data, Mount, ask, status};
use crate::harness::process::{Process, exchange, wait_for};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD};

fn forgot(server: &Process) -> u16 {
    let asked = Instant::now();
    let answer = ask(server, "POST /auth/forgot-password", &format!(r#"{{"email":"{ADMIN_EMAIL}"}}"#));
    // Nobody waits for the mail, on a busy machine either.
    assert!(asked.elapsed() < Duration::from_secs(10), "it waited {:?}", asked.elapsed());
    status(&answer)
}

/// Asserts what is answered while no mail can be written, and that mails are written again after it.
fn suffers_alone(data: &Data, server: &Process, mend: impl Fn()) {
    for _ in 0..3 {
        assert_eq!(forgot(server), 200);
    }
    wait_for("the log to say so", || {
        (server.log().matches("a reset mail could not be written").count() == 3).then_some(())
    });
    let login = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    let signed_in = ask(server, "POST /auth/login", &login);
    assert_eq!(status(&signed_in), 200);
    let (_, access) = signed_in.split_once(r#""accessToken":""#).unwrap();
    let access = access.split('"').next().unwrap();
    // Who waits for the mail hears that it is not written.
    let verify = format!(
        "POST /auth/send-verification-email HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {access}\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let refused = exchange(server.address(), &verify);
    assert_eq!(status(&refused), 503, "{refused}");
    assert!(!refused.contains("outbox") && refused.to_lowercase().contains("retry-after"), "{refused}");
    for line in ["POST /1/tokens", "GET /1/tokens", "GET /readyz"] {
        assert_eq!(status(&ask(server, line, if line.starts_with('P') { "{}" } else { "" })), 200, "{line}");
    }
    mend();
    assert_eq!(forgot(server), 200);
    let mails = || fs::read_dir(data.path().join("outbox")).unwrap().map(|file| file.unwrap().file_name());
    wait_for("a mail", || mails().find(|name| Path::new(name).extension().is_some_and(|end| end == "eml")));
    assert_eq!(status(&exchange(server.address(), &verify)), 200);
    assert_eq!(mails().count(), 2, "nothing half is left");
}

#[test]
fn an_outbox_that_is_gone_costs_mails_and_nothing_else() {
    let data = Data::new();
    let server = data.launch().variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    let outbox = data.path().join("outbox");
    fs::remove_dir(&outbox).unwrap();
    suffers_alone(&data, &server, || fs::create_dir(&outbox).unwrap());
}

#[test]
fn an_outbox_that_is_no_directory_costs_mails_and_nothing_else() {
    let data = Data::new();
    let server = data.launch().variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    let outbox = data.path().join("outbox");
    fs::remove_dir(&outbox).unwrap();
    fs::write(&outbox, "in the way").unwrap();
    suffers_alone(&data, &server, || {
        fs::remove_file(&outbox).unwrap();
        fs::create_dir(&outbox).unwrap();
    });
}

#[test]
fn an_outbox_that_is_full_costs_mails_and_nothing_else() {
    let data = Data::new();
    let Some(_mount) = Mount::tmpfs(&data.path().join("outbox"), "mode=0700,size=64k") else { return };
    let server = data.launch().variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    let ballast = data.path().join("outbox/.ballast");
    let _ = fs::write(&ballast, vec![0; 1 << 20]);
    suffers_alone(&data, &server, || fs::remove_file(&ballast).unwrap());
    server.kill();
}

#[test]
fn an_outbox_that_becomes_read_only_costs_mails_and_nothing_else() {
    let data = Data::new();
    let Some(mount) = Mount::tmpfs(&data.path().join("outbox"), "mode=0700") else { return };
    let server = data.launch().variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    mount.change("ro");
    suffers_alone(&data, &server, || mount.change("rw"));
    server.kill();
}
