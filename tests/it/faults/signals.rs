//! The end of a server that was asked to end.

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::{Data, ask, request, status};
use crate::harness::process::{exchange, read_to_end, send, wait_for};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD};

const LOGINS: usize = 20;

#[test]
fn sigterm_answers_what_is_in_flight_refuses_what_is_new_and_ends_with_0() {
    let data = Data::empty();
    // Slow enough that most of them wait when the signal comes.
    let launch = data.launch().variable("DOORWARD_PASSWORDS__ITERATIONS", "16");
    let launch = launch.variable("DOORWARD_PASSWORDS__THREADS", "2").variable("DOORWARD_PASSWORDS__MAX_WAIT", "60s");
    // Hashes give way to whatever else the machine does: next to other tests they take long.
    let launch = launch.variable("DOORWARD_HTTP__SHUTDOWN_GRACE", "60s");
    // More of one account at once than would be let in.
    let server = launch.variable("DOORWARD_THROTTLE__ENABLED", "false").serve();
    let address = server.address();
    let body = format!(r#"{{"email":"{ADMIN_EMAIL}","password":"{ADMIN_PASSWORD}"}}"#);
    let logins: Vec<_> = (0..LOGINS).map(|_| send(address, &request("POST /auth/login", &body))).collect();
    // Connections are taken in order: once a later one is answered, all of these were taken.
    assert_eq!(status(&exchange(address, &request("GET /healthz", ""))), 200);
    thread::sleep(Duration::from_millis(400));

    let mut answers: Vec<_> =
        logins.into_iter().map(|mut login| thread::spawn(move || read_to_end(&mut login))).collect();
    server.terminate();
    let refused = wait_for("new connections to be refused", || TcpStream::connect(address).err());
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let waiting = answers.iter().filter(|answer| !answer.is_finished()).count();
    assert!(waiting > 0, "the signal came after all was answered");
    for answer in answers.drain(..) {
        let answer = answer.join().unwrap();
        assert_eq!(status(&answer), 200, "{answer}");
    }
    let ended = server.ended();
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn an_idle_connection_does_not_hold_up_the_end() {
    let data = Data::new();
    let server = data.launch().serve();
    let idle = TcpStream::connect(server.address()).unwrap();
    assert_eq!(status(&ask(&server, "GET /1/authentication", "")), 200);
    server.stop();
    drop(idle);
}

#[test]
fn a_second_sigterm_ends_a_server_that_still_waits_for_its_clients() {
    let data = Data::empty();
    let launch = data.launch().variable("DOORWARD_HTTP__SHUTDOWN_GRACE", "60s");
    let server = launch.variable("DOORWARD_HTTP__BODY_TIMEOUT", "60s").serve();
    // A body that never comes keeps a request in flight.
    let head = "POST /auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n{";
    let unfinished = send(server.address(), head);
    assert_eq!(status(&exchange(server.address(), &request("GET /healthz", ""))), 200);
    thread::sleep(Duration::from_millis(300));
    server.terminate();
    wait_for("new connections to be refused", || TcpStream::connect(server.address()).err());
    let asked_again = Instant::now();
    server.terminate();
    let ended = server.ended();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(asked_again.elapsed() < Duration::from_secs(20), "it waited all the same");
    drop(unfinished);
}

#[test]
fn a_log_that_cannot_be_written_stops_no_server() {
    let data = Data::empty();
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The first administrator's secrets are announced, too.
    let server = data.launch().anonymous().listen(address).log_into(Path::new("/dev/full")).spawn();
    wait_for("the server to listen", || TcpStream::connect(address).ok());
    // It listens before it has started: only an answer says that it has.
    assert_eq!(status(&exchange(address, &request("GET /healthz", ""))), 200);
    server.stop();
}
