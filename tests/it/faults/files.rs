//! A server that may have few files open: it takes as many as it can get, and once clients have taken
//! theirs, others wait, and nothing else is short.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use super::{Data, ask, request, status};
use crate::harness::ADMIN_EMAIL;
use crate::harness::process::{Launch, Process, wait_for};

/// With limits on open files, as `ulimit` sets them.
fn limited(launch: Launch, commands: &str) -> Launch {
    launch.under(&["sh", "-c", &format!("{commands} && exec \"$@\""), "sh"])
}

fn connect(server: &Process) -> TcpStream {
    let stream = TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// One request on a connection that stays open; its status.
fn ask_on(stream: &mut TcpStream, line: &str, body: &str) -> u16 {
    stream.write_all(request(line, body).replace("Connection: close\r\n", "").as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it was closed");
        answer.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&answer).into_owned();
        let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).map(str::to_owned);
        if rest.len() >= length.and_then(|length| length.parse().ok()).unwrap_or(0) {
            return status(&text);
        }
    }
}

#[test]
fn a_start_takes_as_many_files_as_it_may_have() {
    let data = Data::new();
    let server = limited(data.launch(), "ulimit -S -n 100 && ulimit -H -n 700").serve();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid().as_raw_nonzero())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    assert_eq!(line.split_whitespace().skip(3).take(2).collect::<Vec<_>>(), ["700", "700"], "{line}");
    let mut clients: Vec<_> = (0..300).map(|_| connect(&server)).collect();
    let last = clients.last_mut().unwrap();
    assert_eq!(ask_on(last, "GET /1/authentication", ""), 200);
}

/// How long the server has worked so far, in hundredths of a second.
fn worked(server: &Process) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", server.pid().as_raw_nonzero())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

#[test]
fn where_files_are_short_new_clients_wait_and_all_else_goes_on() {
    let data = Data::new();
    let launch = data.launch().variable("DOORWARD_HTTP__HEADER_TIMEOUT", "60s");
    let server = limited(launch, "ulimit -n 256").serve();
    let mut known = connect(&server);
    assert_eq!(ask_on(&mut known, "GET /1/authentication", ""), 200);
    let idle: Vec<_> = (0..300).map(|_| connect(&server)).collect();
    wait_for("the server to say so", || server.log().contains("room for no more clients").then_some(()));
    let mut late = connect(&server);
    late.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    late.write_all(request("GET /1/authentication", "").as_bytes()).unwrap();
    assert!(late.read(&mut [0; 16]).is_err(), "there was room");

    let before = worked(&server);
    thread::sleep(Duration::from_secs(2));
    let spent = worked(&server) - before;
    assert!(spent < 60, "it worked for {spent} hundredths of a second on nothing");
    for _ in 0..20 {
        assert_eq!(ask_on(&mut known, "GET /1/authentication", ""), 200);
        assert_eq!(ask_on(&mut known, "GET /1/tokens", ""), 200);
        assert_eq!(ask_on(&mut known, "POST /1/tokens", "{}"), 200);
    }
    let forgot = format!(r#"{{"email":"{ADMIN_EMAIL}"}}"#);
    assert_eq!(ask_on(&mut known, "POST /auth/forgot-password", &forgot), 200);
    wait_for("a mail", || fs::read_dir(data.path().join("outbox")).unwrap().next().map(drop));
    let log = server.log();
    assert!(!log.contains("cannot be accepted") && !log.contains("a request failed"), "{log}");
    assert_eq!(log.matches("room for no more clients").count(), 1, "{log}");

    drop(idle);
    late.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = String::new();
    late.read_to_string(&mut answer).unwrap();
    assert_eq!(status(&answer), 200, "who waited is answered");
    assert_eq!(status(&ask(&server, "GET /1/authentication", "")), 200);
}
