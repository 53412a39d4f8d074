//! Where a client comes from, and what its network has failed in.

use reqwest::StatusCode;

use super::{BEHIND_A_PROXY, DIALECTS, Dialect, ELSEWHERE, HERE, WRONG, guesses, wait, with_ann};
use crate::harness::{PASSWORD, Server};

/// Row 9: CVE-2024-47070, CVE-2023-36456, CVE-2026-45364.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_not_believed_who_says_to_be_somebody_else() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let mut looked_at = 0;
    for host in 0..40 {
        let dialect = DIALECTS[host % 4];
        let forged = format!("203.0.113.{host}");
        let request = dialect.request(&server, &forged, "ann@example.com", WRONG);
        let request = request.header("X-Real-IP", &forged).header("Forwarded", format!("for={forged}"));
        let request = request.header("True-Client-IP", &forged).header("CF-Connecting-IP", &forged);
        let status = request.header("X-Forwarded-Host", "evil.example").send().await.unwrap().status();
        looked_at += usize::from(status == dialect.wrong_credentials());
    }
    assert_eq!(looked_at, 10);
}

/// Row 9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_in_a_proxys_headers_is_neither_a_way_round_nor_a_fault() {
    let server = with_ann().await;
    let garbage = [
        "",
        ",",
        ",,,,",
        " ",
        "unknown",
        "_hidden",
        "203.0.113.9;",
        "999.999.999.999",
        "::ffff:999.1.1.1",
        "fe80::1%eth0",
        "203.0.113.9, ",
        "\"203.0.113.9\"",
        "for=203.0.113.9",
        "0x7f.1",
        "[::1",
        "203.0.113.9:x",
        "127.0.0.1",
        "127.0.0.1, 127.0.0.1",
    ];
    let long = "1,".repeat(10_000);
    let mut looked_at = 0;
    for (number, header) in garbage.into_iter().chain([long.as_str()]).cycle().take(60).enumerate() {
        let dialect = DIALECTS[number % 4];
        let status = dialect.sign_in_from(&server, header, "bob@example.com", WRONG).await;
        assert!(
            status == dialect.wrong_credentials() || status == StatusCode::TOO_MANY_REQUESTS,
            "{header:?}: {status}"
        );
        looked_at += usize::from(status == dialect.wrong_credentials());
    }
    assert_eq!(looked_at, 10, "whoever is behind what cannot be read is one client, the proxy");
    let binary = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe, 192.0.2.1, \x80").unwrap();
    let request = server.post("/auth/login").header("X-Forwarded-For", binary);
    let status = request.json(&Dialect::Rest.credentials("bob@example.com", WRONG)).send().await.unwrap().status();
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    // What the client itself wrote stands left of what the proxy did.
    let forged = format!("203.0.113.77, {HERE}");
    assert_eq!(guesses(&server, &forged, "ann@example.com", 6).await, 6);
    assert_eq!(guesses(&server, HERE, "ann@example.com", 20).await, 4);
}

/// Row 9: whoever has one IPv6 network has all its addresses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_addresses_of_one_ipv6_network_are_one_client() {
    let server = with_ann().await;
    let mut looked_at = 0;
    for host in 0..1_000 {
        let from = format!("2001:db8:0:1::{host:x}");
        let status = Dialect::Rest.sign_in_from(&server, &from, "bob@example.com", WRONG).await;
        looked_at += usize::from(status == StatusCode::UNAUTHORIZED);
    }
    assert_eq!(looked_at, 10);
    assert_eq!(guesses(&server, "2001:db8:0:2::1", "bob@example.com", 4).await, 4);
    assert_eq!(guesses(&server, "::ffff:192.0.2.1", "bob@example.com", 8).await, 8);
    assert_eq!(guesses(&server, HERE, "bob@example.com", 8).await, 2, "an IPv4 address in IPv6's clothes is IPv4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_may_fail_a_hundred_times_and_then_ten_times_a_minute() {
    let server = with_ann().await;
    let mut looked_at = 0;
    for number in 0..110 {
        looked_at += guesses(&server, HERE, &format!("nobody{number}@example.com"), 1).await;
    }
    assert_eq!(looked_at, 100);
    assert_eq!(
        Dialect::Rest.sign_in_from(&server, HERE, "bob@example.com", PASSWORD).await,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(Dialect::Rest.sign_in_from(&server, ELSEWHERE, "bob@example.com", PASSWORD).await, StatusCode::OK);
    wait(&server, 60);
    let mut looked_at = 0;
    for number in 0..30 {
        looked_at += guesses(&server, HERE, &format!("nobody{number}@example.com"), 1).await;
    }
    assert_eq!(looked_at, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exempt_network_is_limited_by_account_alone() {
    let settings = format!("{BEHIND_A_PROXY}[throttle]\nexempt = [\"192.0.2.0/24\"]\n");
    let server = Server::start_with(&settings).await;
    for number in 0..120 {
        assert_eq!(guesses(&server, HERE, &format!("nobody{number}@example.com"), 1).await, 1);
    }
    assert_eq!(guesses(&server, HERE, "nobody@example.com", 30).await, 10);
    assert_eq!(guesses(&server, ELSEWHERE, "nobody@example.com", 30).await, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sessions_address_is_that_of_the_client_behind_the_proxy() {
    let server = with_ann().await;
    wait(&server, 1);
    let request = Dialect::Rest.request(&server, &format!("203.0.113.99, {HERE}"), "ann@example.com", PASSWORD);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let kept = server.database().value("select address from sessions order by created_at desc limit 1");
    assert_eq!(kept, HERE);
    let network = server.database().value(&format!(
        "select {} from known_networks where at = (select max(at) from known_networks) limit 1",
        server.database().hex("network")
    ));
    assert!(network.starts_with("c0000201"), "{network}");
}
