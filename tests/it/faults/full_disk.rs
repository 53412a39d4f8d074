//! A disk without space: writes are refused for a while, reads go on, and what was acknowledged
//! stays.

use std::collections::HashSet;
use std::fs;

use rustix::process::{Resource, Rlimit, prlimit};
use serde_json::Value;

use super::{Data, Mount, ask, status};
use crate::harness::process::{Launch, Process};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, PASSWORD};

#[test]
fn a_full_disk_refuses_writes_for_a_while_and_loses_nothing() {
    let data = Data::empty();
    let Some(mount) = Mount::tmpfs(&data.path(), "mode=0700,size=2m") else { return };
    let server = data.launch().serve();
    let ballast = data.path().join("ballast");
    let fill = || {
        // As much as there is room for.
        let _ = fs::write(&ballast, vec![0; 4 << 20]);
    };
    refuses_then_goes_on(&server, &data.launch(), fill, || fs::remove_file(&ballast).unwrap());
    drop(server);
    drop(mount);
}

#[test]
fn a_file_that_may_not_grow_refuses_writes_for_a_while_and_loses_nothing() {
    let data = Data::new();
    let server = data.launch().serve();
    let limit = |bytes: Option<u64>| {
        prlimit(Some(server.pid()), Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    };
    refuses_then_goes_on(&server, &data.launch(), || limit(Some(1)), || limit(None));
}

/// Writes until there is no space left, makes space, writes again, and looks for everything that
/// was acknowledged, also after a crash.
fn refuses_then_goes_on(server: &Process, again: &Launch, fill: impl Fn(), make_space: impl Fn()) {
    let mut made = HashSet::new();
    for _ in 0..10 {
        made.insert(made_token(&ask(server, "POST /1/tokens", "{}")));
    }
    let kept = made.iter().next().unwrap().clone();
    let others = other_changes(server);
    fill();
    // What space there was may take some writes more.
    let mut refused = 0;
    for _ in 0..200 {
        let answer = ask(server, "POST /1/tokens", "{}");
        if status(&answer) == 200 {
            made.insert(made_token(&answer));
        } else {
            is_a_refusal(&answer, "msg");
            refused += 1;
        }
        if refused == 20 {
            break;
        }
    }
    assert_eq!(refused, 20, "the disk was never full");

    is_a_refusal(&ask(server, &format!("DELETE /1/tokens/{kept}"), ""), "msg");
    let login = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    is_a_refusal(&ask(server, "POST /auth/login", &login), "message");
    for (line, body, message) in &others {
        is_a_refusal(&ask(server, line, body), message);
    }
    let forgot = format!(r#"{{"email":"{ADMIN_EMAIL}"}}"#);
    assert_eq!(status(&ask(server, "POST /auth/forgot-password", &forgot)), 200, "as for everybody");
    assert_eq!(status(&ask(server, "GET /1/authentication", "")), 200);
    assert_eq!(status(&ask(server, "GET /readyz", "")), 200);
    assert_eq!(tokens(server), made);

    make_space();
    for _ in 0..10 {
        made.insert(made_token(&ask(server, "POST /1/tokens", "{}")));
    }
    assert_eq!(tokens(server), made);
    assert_eq!(status(&ask(server, "POST /auth/login", &login)), 200);
    // Nothing of them was done before: each is done now.
    for (line, body, _) in &others {
        let answer = ask(server, line, body);
        assert!(matches!(status(&answer), 200 | 201), "{line}: {answer}");
    }
    assert_eq!(tokens(&again.serve()), made);
}

/// A change of each other kind, with the field that its dialect says a refusal in. They can be done in
/// this order.
fn other_changes(server: &Process) -> Vec<(String, String, &'static str)> {
    let names = |name: &str| {
        format!(r#"{{"name":"{name}","email":"{name}@example.com","password":"{PASSWORD}","confirm":"{PASSWORD}"}}"#)
    };
    let registered = body(&ask(server, "POST /auth/register", &names("ann")));
    let second = body(&ask(server, "POST /auth/login", &names("ann")));
    let refresh = |of: &Value| format!(r#"{{"refreshToken":{}}}"#, of["refreshToken"]);
    let project = body(&ask(server, "POST /1/projects", r#"{"name":"x"}"#));
    let project = format!("/1/projects/{}", project["id"].as_str().unwrap());
    let change = |line: &str, body: &str, message| (line.to_owned(), body.to_owned(), message);
    let user = "PATCH /1/users/ann@example.com";
    vec![
        change("POST /auth/register", &names("bob"), "message"),
        change("POST /auth/refresh-tokens", &refresh(&registered), "message"),
        change("POST /auth/logout", &refresh(&second), "message"),
        change(&format!("PATCH {project}/share"), r#"["ann@example.com"]"#, "msg"),
        change(&format!("PATCH {project}/unshare"), r#"["ann@example.com"]"#, "msg"),
        change(&format!("PATCH {project}"), r#"{"name":"y"}"#, "msg"),
        change(&format!("DELETE {project}"), "", "msg"),
        change(user, r#"{"flags":{"a":1}}"#, "msg"),
        change(user, r#"{"password":"another pass phrase"}"#, "msg"),
        change(user, r#"{"status":"disabled"}"#, "msg"),
        change("DELETE /1/users/ann@example.com", "", "msg"),
    ]
}

fn made_token(answer: &str) -> String {
    assert_eq!(status(answer), 200, "{answer}");
    body(answer)["token"]["_id"].as_str().unwrap().to_owned()
}

/// The ids of all tokens but the configured one.
fn tokens(server: &Process) -> HashSet<String> {
    let answer = ask(server, "GET /1/tokens", "");
    assert_eq!(status(&answer), 200, "{answer}");
    let listed = body(&answer);
    let listed = listed["tokens"].as_array().unwrap().iter();
    let ids = listed.filter(|token| token["admin"] == false).map(|token| token["_id"].as_str().unwrap().to_owned());
    ids.collect()
}

/// Asserts a 503 that says when to come again, in the shape of its dialect and without its cause.
fn is_a_refusal(answer: &str, message: &str) {
    assert_eq!(status(answer), 503, "{answer}");
    let lower = answer.to_lowercase();
    assert!(lower.contains("\r\nretry-after: "), "{answer}");
    assert!(body(answer)[message].is_string(), "{answer}");
    assert!(!lower.contains("disk") && !lower.contains("database"), "{answer}");
}

fn body(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}"))
}
