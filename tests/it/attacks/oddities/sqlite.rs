//! Row 15 in a process of its own: what its memory comes to.

use std::io::Read as _;
use std::thread;

use super::too_much;
use crate::harness::process::{Launch, Process, exchange, send};

/// What the memory may grow by, in KiB, once everything was there before. What comes in is nearly
/// twice as much: a fault that keeps it would show.
const GROWTH_MAX: usize = 16 * 1_024;

/// By four clients at once, every body that is too much, to every login.
fn round(server: &Process) {
    thread::scope(|scope| {
        for path in ["/auth/login", "/users/login", "/api/auth/login", "/1/authentication"] {
            scope.spawn(move || {
                for (what, body) in too_much("password") {
                    let length = body.len();
                    let head =
                        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}");
                    let answer = exchange(server.address(), &format!("{head}\r\n\r\n{body}"));
                    assert!(answer.starts_with("HTTP/1.1 4"), "{path}: {what}: {answer}");
                }
                for length in ["1000000000", "99999999999999"] {
                    let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
                    let mut answered = [0; 12];
                    // Its end is not waited for: the server bears for a while that the body is sent.
                    send(server.address(), &head).read_exact(&mut answered).unwrap();
                    assert_eq!(&answered, b"HTTP/1.1 413", "{path}: {length}");
                }
            });
        }
    });
}

/// Row 15: memory stays flat.
#[test]
fn bodies_that_are_too_much_leave_nothing_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Launch::on(&folder.path().join("data")).variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    round(&server);
    let before = server.status("VmRSS");
    for _ in 0..3 {
        round(&server);
    }
    let (after, peak) = (server.status("VmRSS"), server.status("VmHWM"));
    assert!(after < before + GROWTH_MAX, "{before} KiB before, {after} KiB after");
    assert!(peak < before + 2 * GROWTH_MAX, "{before} KiB before, {peak} KiB at most");
    server.stop();
}
