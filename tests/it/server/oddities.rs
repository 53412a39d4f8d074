//! Requests that no decent client sends. What reaches a route is refused in the shape of the
//! dialect; what is no HTTP at all is refused below the routes; and the server goes on.

use super::wire::{Reply, Wire, ask, post};
use super::{assert_not_kept, assert_protected, is_rest_error};
use crate::harness::Server;

const HOST: &str = "Host: test\r\n";

async fn request_line(server: &Server, line: &str) -> Reply {
    ask(server, format!("{line} HTTP/1.1\r\n{HOST}\r\n")).await.unwrap_or_else(|| panic!("no answer to {line}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_requests_that_reach_a_route_are_refused_in_the_shape_of_its_dialect() {
    let server = Server::start().await;
    let long = "a".repeat(50_000);
    for (line, status) in [
        ("POST /auth/", 404),
        ("POST /auth/%00", 404),
        ("POST /auth/é", 404),
        ("POST /auth/../auth", 404),
        ("POST /auth;x=y", 404),
        ("POST http://elsewhere.example/auth?oauth=x", 401),
        ("POST /auth?a=%zz&a=%ff&%00", 401),
        ("POST /auth/verify-email?token=%ff", 401),
        ("POST /auth/reset-password?token=a&token=b", 400),
        ("OPTIONS /auth", 405),
        ("BREW /auth", 405),
        ("post /auth", 405),
        ("TRACE /auth", 405),
        ("CONNECT /auth", 405),
        ("GET /auth/login", 405),
        (&format!("POST /auth/{long}"), 404),
        (&format!("POST /auth?{long}"), 401),
    ] {
        let reply = request_line(&server, line).await;
        // A path that only begins like the dialect's is nobody's.
        let rest = !line.contains("/auth;");
        assert_eq!((reply.status, is_rest_error(&reply.json())), (status, rest), "{line}: {reply:?}");
        assert_protected(|name| reply.header(name).map(str::to_owned));
    }
    let reply = request_line(&server, "OPTIONS /auth").await;
    assert_eq!(reply.header("allow"), Some("POST"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_requests_to_nowhere_are_answered_by_a_problem() {
    let server = Server::start().await;
    for line in [
        "POST //auth",
        "POST /%61uth",
        "POST /AUTH",
        "GET /authentic",
        "GET http://elsewhere.example/nowhere",
        "GET *",
        "OPTIONS *",
        "GET elsewhere.example:443",
        "CONNECT elsewhere.example:443",
    ] {
        let reply = request_line(&server, line).await;
        assert_eq!((reply.status, &reply.json()["status"]), (404, &404.into()), "{line}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_and_queries_of_garbage_never_hurt_the_server() {
    let server = Server::start().await;
    let authorized = format!("{HOST}Authorization: OAuth {}\r\n", crate::harness::ADMIN_TOKEN);
    let garbage =
        ["%00", "%ff", "%zz", "%", "'%20or%201=1--", "..%2f..%2f", "é", "%ed%a0%80", "0", "-1", "{user}", "*"];
    for garbage in garbage {
        for line in [
            format!("GET /1/users/{garbage}"),
            format!("GET /1/users?previous={garbage}&per_page={garbage}"),
            format!("PATCH /1/users/{garbage}"),
            format!("DELETE /1/users/{garbage}"),
            format!("DELETE /1/tokens/{garbage}"),
            format!("GET /1/projects/{garbage}"),
            format!("GET /1/projects?previous={garbage}"),
            format!("PATCH /1/projects/{garbage}/share"),
            format!("GET /1/projects/{garbage}/share"),
            format!("GET /1/authentication?project_id={garbage}"),
            format!("GET /1/tokens?user_id={garbage}"),
            format!("GET /1/users?{garbage}"),
            format!("GET /users/me?token={garbage}"),
        ] {
            let reply = ask(&server, format!("{line} HTTP/1.1\r\n{authorized}\r\n")).await;
            let reply = reply.unwrap_or_else(|| panic!("no answer to {line}"));
            assert!((200..500).contains(&reply.status), "{line}: {reply:?}");
            reply.json();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_headers_are_borne_or_refused() {
    let server = Server::start().await;
    let long = "a".repeat(40_000);
    for headers in [
        "",
        "Host: a\r\nHost: b\r\n",
        "Host: test\r\nAuthorization: Bearer \u{e9}\r\n",
        "Host: test\r\nAuthorization:\r\n",
        "Host: test\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n",
        "Host: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        "Host: test\r\nX-Forwarded-For: ,,,\r\nForwarded: for=\"[\r\nX-Forwarded-Host: x\r\nX-Real-IP: 1\r\n",
        "Host: test\r\nX-Request-Id: chosen\r\nContent-Type: \u{1f980}\r\nUser-Agent: \u{9b}2J\r\n",
        "Host: test\r\nExpect: a-pony\r\n",
        &format!("Host: test\r\nAuthorization: Bearer {long}\r\n"),
    ] {
        let reply = ask(&server, format!("POST /auth HTTP/1.1\r\n{headers}\r\n")).await.unwrap();
        assert_eq!((reply.status, is_rest_error(&reply.json())), (401, true), "{headers}: {reply:?}");
        assert_ne!(reply.header("x-request-id"), Some("chosen"));
    }
}

/// What is no HTTP, or more of it than is read, reaches no route: these answers are problems.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_http_is_refused_and_hurts_nobody() {
    let server = Server::start().await;
    let many = "X: 1\r\n".repeat(200);
    let login = format!("POST /auth/login HTTP/1.1\r\n{HOST}");
    let refused: [(&[u8], u16); 14] = [
        (b"\0\x01\x02\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 hello in TLS\r\n\r\n", 400),
        (b"GET /auth\r\n\r\n", 400),
        (b"GET /auth HTTP/3.7\r\n\r\n", 400),
        (b"POST /auth x HTTP/1.1\r\n\r\n", 400),
        (b"POST /auth/\0 HTTP/1.1\r\n\r\n", 400),
        (b"POST /auth/\xff HTTP/1.1\r\n\r\n", 400),
        (b"POST /auth HTTP/1.1\r\nX Y: 1\r\n\r\n", 400),
        (b"POST /auth HTTP/1.1\r\nX: a\0b\r\n\r\n", 400),
        (b"POST /auth HTTP/1.1\r\nAuthorization: Bearer\r\n abc\r\n\r\n", 400),
        (&format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(70_000)).into_bytes(), 431),
        (&format!("POST /auth HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(100_000)).into_bytes(), 431),
        (&format!("POST /auth HTTP/1.1\r\n{many}\r\n").into_bytes(), 431),
        (&format!("{login}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}{{}}").into_bytes(), 400),
    ];
    for (bytes, status) in refused {
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(80)]);
        let mut wire = Wire::to(&server).await;
        wire.send(bytes).await;
        assert_refused(&wire.reply().await.unwrap_or_else(|| panic!("no answer to {text:?}")), status);
        assert!(wire.is_closed().await, "{text:?}");
    }
    for framing in ["Content-Length: -1", "Content-Length: +2", "Content-Length: 9999999999999999999999"] {
        let reply = ask(&server, format!("{login}{framing}\r\n\r\n{{}}")).await.unwrap();
        assert_refused(&reply, 400);
    }
    assert_eq!(request_line(&server, "GET /healthz").await.status, 200);
}

/// A refusal below the routes says what is wrong, and that nothing follows.
fn assert_refused(reply: &Reply, status: u16) {
    assert_eq!((reply.status, &reply.json()["status"]), (status, &status.into()), "{reply:?}");
    assert!(reply.json()["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply:?}");
    assert_eq!(reply.header("connection"), Some("close"), "{reply:?}");
    assert_not_kept(|name| reply.header(name).map(str::to_owned));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strange_framing_of_a_body_is_refused_with_a_reason() {
    let server = Server::start().await;
    for (framing, body) in [
        ("Transfer-Encoding: chunked", "zz\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "ffffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked", "2\r\n{}\r\n0\r\nAuthorization: Bearer a\r\n\r\n"),
        ("Transfer-Encoding: gzip, chunked", "2\r\n{}\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4", "2\r\n{}\r\n0\r\n\r\n"),
        ("Content-Encoding: gzip\r\nContent-Length: 2", "{}"),
        ("Content-Type: multipart/form-data\r\nContent-Length: 2", "--"),
        ("Content-Type: application/json; charset=utf-16\r\nContent-Length: 4", "{\0}\0"),
    ] {
        let request = format!("POST /auth/login HTTP/1.1\r\n{HOST}{framing}\r\n\r\n{body}");
        let reply = ask(&server, request).await.unwrap_or_else(|| panic!("no answer to {framing}"));
        assert_eq!((reply.status, is_rest_error(&reply.json())), (400, true), "{framing}: {reply:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::start().await;
    let mut wire = Wire::to(&server).await;
    let health = format!("GET /healthz HTTP/1.1\r\n{HOST}\r\n");
    let requests =
        [health.as_bytes(), &post("/auth/login", "{}"), &post("/auth", ""), &post("/nowhere", ""), b"!\r\n\r\n"];
    wire.send(requests.concat()).await;
    for status in [200, 400, 401, 404, 400] {
        assert_eq!(wire.reply().await.unwrap().status, status);
    }
    assert!(wire.is_closed().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn head_is_answered_as_get_without_a_body() {
    let server = Server::start().await;
    for (path, status) in [("/healthz", 200), ("/auth/login", 405), ("/nowhere", 404), ("/1/users", 401)] {
        let mut wire = Wire::to(&server).await;
        wire.send(format!("HEAD {path} HTTP/1.1\r\n{HOST}\r\nGET /healthz HTTP/1.1\r\n{HOST}\r\n")).await;
        let head = wire.head().await.unwrap();
        assert_eq!(head.status, status, "{path}");
        assert!(head.header("content-length").is_some_and(|length| length != "0"), "{head:?}");
        // Nothing stands between this head and the next answer.
        assert_eq!(wire.reply().await.unwrap().json()["status"], "alive", "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on_or_not() {
    let server = Server::start().await;
    let ask_first = |length: usize| {
        format!("POST /auth/login HTTP/1.1\r\n{HOST}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n")
    };
    let mut wire = Wire::to(&server).await;
    wire.send(ask_first(2)).await;
    assert_eq!(wire.head().await.unwrap().status, 100);
    wire.send("{}").await;
    assert_eq!(wire.reply().await.unwrap().status, 400);

    let refused = ask(&server, ask_first(1_000_000_000)).await.unwrap();
    assert_eq!((refused.status, is_rest_error(&refused.json())), (413, true));
}
