//! How much a client may send, and how slowly.

use std::ops::Range;
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::sleep;

use super::is_rest_error;
use super::wire::{Wire, ask, post};
use crate::harness::{PASSWORD, Server, answer};

const MEBIBYTE: usize = 1_048_576;

/// Short enough for a test, long enough for a busy machine to send a request in.
const IMPATIENT: &str = "[http]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"\n";

/// How long a server with a patience of 1 s bears a slow client: its time, and not much more.
const BORNE: Range<Duration> = Duration::from_millis(990)..Duration::from_secs(8);

/// What begins HTTP/2, with settings.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
/// `GET /healthz` on the first stream, whole.
const HEALTH: &[u8] = b"\0\0\x12\x01\x05\0\0\0\x01\x82\x86\x44\x08/healthz\x41\x04test";
const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0doorward";

fn login_of_size(size: usize) -> String {
    let frame = json!({"email": "ann@example.com", "extra": ""}).to_string().len();
    json!({"email": "ann@example.com", "extra": "a".repeat(size - frame)}).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_of_a_mebibyte_is_read_and_one_more_byte_is_refused() {
    let server = Server::start().await;
    let (status, body) = answer(server.post("/auth/login").body(login_of_size(MEBIBYTE))).await;
    assert_eq!((status.as_u16(), &body["errors"][0]["field"]), (400, &json!("password")), "{body}");
    for (path, told) in [
        ("/auth/login", "message"),
        ("/1/authentication", "msg"),
        ("/users/login", "message"),
        ("/api/auth/login", "error"),
    ] {
        let (status, body) = answer(server.post(path).body(login_of_size(MEBIBYTE + 1))).await;
        assert_eq!(status, 413, "{path}");
        assert!(body[told].as_str().is_some_and(|text| text.contains("too large")), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_limit_is_a_setting() {
    let server = Server::start_with("[http]\nbody_limit = 2048\n").await;
    assert_eq!(answer(server.post("/auth/login").body(login_of_size(2_048))).await.0, 400);
    assert_eq!(answer(server.post("/auth/login").body(login_of_size(2_049))).await.0, 413);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_huge_announced_body_is_refused_before_it_is_sent() {
    let server = Server::start().await;
    let started = Instant::now();
    let request = "POST /auth/register HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000000\r\n\r\n";
    let reply = ask(&server, request).await.unwrap();
    assert_eq!((reply.status, is_rest_error(&reply.json())), (413, true));
    assert!(started.elapsed() < BORNE.end);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_may_finish_a_body_that_nobody_reads_and_go_on() {
    let server = Server::start().await;
    let too_large = MEBIBYTE + MEBIBYTE / 2;
    for (line, status, size) in [
        ("POST /auth", 401, 500_000),
        ("POST /auth/nowhere", 404, 500_000),
        ("POST /nowhere", 404, 500_000),
        ("PUT /auth/login", 405, 500_000),
        ("GET /healthz", 200, 500_000),
        ("POST /auth/login", 413, too_large),
    ] {
        let mut wire = Wire::to(&server).await;
        wire.send(format!("{line} HTTP/1.1\r\nHost: test\r\nContent-Length: {size}\r\n\r\n")).await;
        assert_eq!(wire.reply().await.unwrap().status, status, "{line}");
        for _ in 0..10 {
            assert!(wire.send("a".repeat(size / 10)).await, "{line} was closed while it was sent");
        }
        wire.send("a".repeat(size % 10)).await;
        wire.send("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n").await;
        let next = wire.reply().await.unwrap_or_else(|| panic!("{line} was closed after it was sent"));
        assert_eq!(next.json()["status"], "ready", "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_without_an_end_is_refused_when_it_is_over_the_limit() {
    let server = Server::start().await;
    let mut wire = Wire::to(&server).await;
    wire.send("POST /auth/login HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(65_536));
    let mut sent = 0;
    // The 17th chunk is over; from there on the server may close at any time.
    while sent < 17 || (sent < 200 && wire.send(&chunk).await) {
        if sent < 17 {
            assert!(wire.send(&chunk).await, "closed after {sent} chunks");
        }
        sent += 1;
        if sent == 17 {
            let reply = wire.reply().await.unwrap();
            assert_eq!((reply.status, is_rest_error(&reply.json())), (413, true));
        }
    }
    assert!(sent < 200, "the server reads on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_sends_its_head_too_slowly_is_cut_off() {
    let server = Server::start_with(IMPATIENT).await;
    // Silence, the beginning of HTTP/2, a head without an end, and a second one after a good request.
    for beginning in [b"".as_slice(), b"POST /auth/lo", PREFACE] {
        let started = Instant::now();
        let mut wire = Wire::to(&server).await;
        wire.send(beginning).await;
        wire.drain().await;
        let borne = started.elapsed();
        assert!(BORNE.contains(&borne), "{beginning:?} was borne for {borne:?}");
    }
    let mut wire = Wire::to(&server).await;
    let started = Instant::now();
    wire.send("GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(wire.reply().await.unwrap().status, 200);
    wire.send("GET /healthz HTTP/1.1\r\nHo").await;
    assert!(wire.is_closed().await);
    let borne = started.elapsed();
    assert!(BORNE.contains(&borne), "a second head was borne for {borne:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dripping_a_head_byte_by_byte_gains_no_time() {
    let server = Server::start_with(IMPATIENT).await;
    let started = Instant::now();
    let mut wire = Wire::to(&server).await;
    wire.send("GET /healthz HTTP/1.1\r\nX: ").await;
    while wire.send("a").await {
        assert!(started.elapsed() < BORNE.end, "still read after {:?}", started.elapsed());
        sleep(Duration::from_millis(40)).await;
    }
    assert!(started.elapsed() >= BORNE.start, "borne for {:?} only", started.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_comes_too_slowly_is_told_so_and_cut_off() {
    let server = Server::start_with(IMPATIENT).await;
    for framing in ["Content-Length: 100\r\n\r\n{", "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        let started = Instant::now();
        let mut wire = Wire::to(&server).await;
        wire.send(format!("POST /auth/login HTTP/1.1\r\nHost: test\r\n{framing}")).await;
        let reply = wire.reply().await.unwrap();
        assert_eq!((reply.status, is_rest_error(&reply.json())), (408, true), "{reply:?}");
        wire.drain().await;
        let borne = started.elapsed();
        assert!(BORNE.contains(&borne), "{framing} was borne for {borne:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_answer_is_not_mistaken_for_a_slow_client() {
    let server = Server::start_with(IMPATIENT).await;
    let mut wire = Wire::to(&server).await;
    // The wait for the next request begins with the answer, not with the last request.
    for _ in 0..3 {
        sleep(Duration::from_millis(600)).await;
        wire.send(post("/auth/login", "{}")).await;
        assert_eq!(wire.reply().await.unwrap().status, 400);
    }
    // While another process writes, a registration has to wait.
    let lock = server.database().lock();
    let ann = json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    wire.send(post("/auth/register", &ann.to_string())).await;
    sleep(Duration::from_secs(2)).await;
    assert!(!wire.has_reply().await, "the answer came too soon for this test");
    drop(lock);
    assert_eq!(wire.reply().await.unwrap().status, 201);
    sleep(Duration::from_millis(600)).await;
    wire.send(post("/auth/login", "{}")).await;
    assert_eq!(wire.reply().await.unwrap().status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_body_may_come_as_slowly_as_one_that_is_read() {
    let server = Server::start_with("[http]\nheader_timeout = \"1s\"\nbody_timeout = \"30s\"\n").await;
    let mut wire = Wire::to(&server).await;
    wire.send("POST /auth HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n").await;
    assert_eq!(wire.reply().await.unwrap().status, 401);
    for sent in 0..10 {
        sleep(Duration::from_millis(300)).await;
        assert!(wire.send("a").await, "closed after {sent} bytes");
    }
    wire.send("GET /readyz HTTP/1.1\r\nHost: test\r\n\r\n").await;
    assert_eq!(wire.reply().await.unwrap().json()["status"], "ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signs_of_life_keep_no_http_2_connection_on_which_nothing_is_asked() {
    let server = Server::start_with(IMPATIENT).await;
    let waits = 6 * BORNE.start..6 * BORNE.start + BORNE.end;
    for (beginning, borne) in [(PREFACE.to_vec(), BORNE), ([PREFACE, HEALTH].concat(), waits)] {
        let started = Instant::now();
        let mut wire = Wire::to(&server).await;
        wire.send(&beginning).await;
        while wire.send(PING).await {
            assert!(started.elapsed() < borne.end, "still kept after {:?}", started.elapsed());
            sleep(Duration::from_millis(100)).await;
        }
        assert!(borne.contains(&started.elapsed()), "kept for {:?}", started.elapsed());
    }
}
