//! What nodes do when the database is away, slow or silent, and when one of them is killed.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::load::Load;
use super::proxy::Proxy;
use super::{KNOWN_WITHIN, Nodes};
use crate::harness::ADMIN_TOKEN;
use crate::harness::cluster::Cluster;
use crate::harness::process::Launch;

/// How soon after its return the database has to be used again.
const RECOVERED_WITHIN: Duration = Duration::from_secs(2);

/// What a write is answered.
async fn write(nodes: &Nodes, node: usize) -> StatusCode {
    let request = nodes.request(node, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN);
    let answered = request.json(&json!({})).send().await.unwrap();
    if answered.status() == StatusCode::SERVICE_UNAVAILABLE {
        assert!(answered.headers().contains_key("retry-after"), "{answered:?}");
    }
    answered.status()
}

/// What a look-up is answered that no cache can answer.
async fn read(nodes: &Nodes, node: usize) -> StatusCode {
    let request = nodes.request(node, Method::GET, "/1/users/nobody@example.com").bearer_auth(ADMIN_TOKEN);
    request.send().await.unwrap().status()
}

/// Waits until a node reads and writes again; how long that took.
async fn recovered(nodes: &Nodes, node: usize) -> Duration {
    let back = Instant::now();
    while (read(nodes, node).await, write(nodes, node).await) != (StatusCode::NOT_FOUND, StatusCode::OK) {
        assert!(back.elapsed() < RECOVERED_WITHIN, "node {node} does not recover: {}", nodes.running[node].log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    back.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_postgres_restarts_requests_are_refused_and_nothing_acknowledged_is_lost() {
    let cluster = Cluster::start();
    let mut nodes = Nodes::at(cluster.new_database());
    nodes.add(2);
    for is_crash in [false, true] {
        let load = Load::start(&nodes, &[0, 1]);
        load.acknowledge(100).await;
        if is_crash {
            cluster.kill();
        } else {
            cluster.stop_fast();
        }
        for node in 0..2 {
            assert_eq!(write(&nodes, node).await, StatusCode::SERVICE_UNAVAILABLE);
            assert_eq!(read(&nodes, node).await, StatusCode::SERVICE_UNAVAILABLE);
            assert!(nodes.is_known(node, ADMIN_TOKEN).await, "what is in memory is answered for a while");
            let health = nodes.request(node, Method::GET, "/readyz").send().await.unwrap();
            assert_eq!(health.status(), StatusCode::SERVICE_UNAVAILABLE);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.start_again();
        let took = [recovered(&nodes, 0).await, recovered(&nodes, 1).await];
        println!("after a {}: {took:?}", if is_crash { "crash" } else { "restart" });
        load.acknowledge(50).await;
        let ledger = load.stop().await;
        ledger.heard_only(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(ledger.unanswered, 0);
        for node in 0..2 {
            ledger.check(&nodes, node).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_under_load_takes_nothing_with_it() {
    let mut nodes = Nodes::start(2);
    let load = Load::start(&nodes, &[0, 1]);
    load.acknowledge(100).await;
    nodes.running.remove(1).kill();
    let rest = Load::start(&nodes, &[0]);
    rest.acknowledge(100).await;
    let (ledger, rest) = (load.stop().await, rest.stop().await);
    assert!(ledger.refusals.is_empty() && rest.refusals.is_empty(), "the other node goes on: {:?}", rest.refusals);
    assert_eq!(rest.unanswered, 0);
    nodes.add(1);
    for node in 0..2 {
        ledger.check(&nodes, node).await;
        rest.check(&nodes, node).await;
    }
}

/// One node by way of a proxy, one directly.
struct Divided {
    nodes: Nodes,
    proxy: Proxy,
}

impl Divided {
    async fn start() -> Self {
        let nodes = Nodes::on_an_empty_database();
        let mut nodes = nodes
            .with("DOORWARD_FEED__MAX_STALENESS", "2s")
            .with("DOORWARD_POSTGRES__STATEMENT_TIMEOUT", "500ms")
            .with("DOORWARD_POSTGRES__CONNECT_TIMEOUT", "500ms");
        let port = nodes.database.as_ref().unwrap().0.port();
        let proxy = Proxy::to(port).await;
        let far = nodes.launch_at(0, &proxy.url(&nodes.url, port)).serve();
        nodes.running.push(far);
        nodes.add(1);
        Self { nodes, proxy }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_hears_nothing_stops_believing_its_memory_within_the_longest_staleness() {
    let Divided { nodes, proxy } = Divided::start().await;
    let made = nodes.administer(1, Method::POST, "/1/tokens", json!({})).await;
    let (id, token) = (made["token"]["_id"].as_str().unwrap(), made["token"]["token"].as_str().unwrap());
    for _ in 0..3 {
        assert!(nodes.is_known(0, token).await);
    }
    proxy.go_dead();
    let dead = Instant::now();
    nodes.administer(1, Method::DELETE, &format!("/1/tokens/{id}"), json!({})).await;
    assert!(nodes.is_known(0, token).await, "nothing tells it yet");
    let mut last_belief = Duration::ZERO;
    while dead.elapsed() < Duration::from_secs(5) {
        let asked = dead.elapsed();
        match nodes.status_of(0, token).await {
            StatusCode::OK => last_belief = asked,
            StatusCode::SERVICE_UNAVAILABLE => {}
            other => panic!("{other}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The silence began with the last look before, a quarter of a second at the most.
    assert!(last_belief < Duration::from_millis(2_100), "it believed for {last_belief:?}");
    proxy.recover();
    let back = Instant::now();
    while nodes.status_of(0, token).await != StatusCode::FORBIDDEN {
        assert!(back.elapsed() < RECOVERED_WITHIN, "{}", nodes.running[0].log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    recovered(&nodes, 0).await;
    let again = nodes.administer(1, Method::POST, "/1/tokens", json!({})).await;
    assert!(nodes.is_known(0, again["token"]["token"].as_str().unwrap()).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_whose_answer_is_lost_is_answered_in_time_and_said_to_be_unknown() {
    let Divided { nodes, proxy } = Divided::start().await;
    assert_eq!(write(&nodes, 0).await, StatusCode::OK);
    proxy.go_dead();
    let asked = Instant::now();
    assert_eq!(write(&nodes, 0).await, StatusCode::SERVICE_UNAVAILABLE);
    assert!(asked.elapsed() < Duration::from_secs(6), "it waited {:?}", asked.elapsed());
    proxy.recover();
    recovered(&nodes, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_all_connections_are_taken_who_waits_too_long_is_refused_and_reads_go_on() {
    let mut nodes = Nodes::on_an_empty_database().with("DOORWARD_POSTGRES__CONNECTIONS", "2");
    nodes.add(1);
    nodes.register(0, "ann@example.com").await;
    let holder = nodes.hold("select id from users for update");
    // Two hold both connections and wait for the row; the others wait for a connection.
    let attempts: Vec<_> = (0..10)
        .map(|_| {
            let request = nodes.request(0, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
            tokio::spawn(async move { (request.send().await.unwrap(), Instant::now()) })
        })
        .collect();
    let begun = Instant::now();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(read(&nodes, 0).await, StatusCode::NOT_FOUND, "reads have connections of their own");
    assert!(nodes.is_known(0, ADMIN_TOKEN).await);
    let mut refused = 0;
    for attempt in attempts {
        let (answered, at) = attempt.await.unwrap();
        assert_eq!(answered.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(answered.headers().contains_key("retry-after"));
        refused += usize::from(at - begun < Duration::from_secs(3));
    }
    assert!(refused >= 8, "{refused} of those who wait for a connection learned of it within 3 s");
    drop(holder);
    recovered(&nodes, 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_told_to_stop_answers_what_is_in_flight() {
    let mut nodes = Nodes::start(1);
    let load = Load::start(&nodes, &[0]);
    load.acknowledge(50).await;
    nodes.running.remove(0).stop();
    let ledger = load.stop().await;
    assert!(ledger.refusals.is_empty(), "{:?}", ledger.refusals);
    nodes.add(1);
    ledger.check(&nodes, 0).await;
}

/// The clock of a node's machine says nothing: all go by the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_on_machines_whose_clocks_differ_judge_times_alike() {
    let mut nodes = Nodes::on_an_empty_database();
    nodes.running.push(a_day_ahead(&nodes.launch(0)).serve());
    nodes.add(1);
    let first = nodes.register(0, "ann@example.com").await;
    assert!(nodes.is_known(1, &first.access).await, "it is not from the future");
    let (status, second) = nodes.post(1, "/auth/refresh-tokens", &json!({"refreshToken": first.refresh})).await;
    assert_eq!(status, StatusCode::OK, "{second}");
    let (status, again) = nodes.post(0, "/auth/refresh-tokens", &json!({"refreshToken": first.refresh})).await;
    assert_eq!((status, &again["refreshToken"]), (StatusCode::OK, &second["refreshToken"]), "the grace is the same");
    let ended = Instant::now();
    nodes.post(1, "/auth/logout", &json!({"refreshToken": second["refreshToken"]})).await;
    while nodes.is_known(0, &first.access).await {
        assert!(ended.elapsed() < KNOWN_WITHIN);
    }
}

/// On a machine whose clock is a day ahead, as far as the program can tell.
fn a_day_ahead(launch: &Launch) -> Launch {
    let library = "ls /usr/lib/*/faketime/libfaketimeMT.so.1";
    let found = std::process::Command::new("sh").args(["-c", library]).output().unwrap();
    assert!(found.status.success(), "install the package `faketime`");
    let launch = launch.clone().variable("LD_PRELOAD", String::from_utf8(found.stdout).unwrap().trim());
    launch.variable("FAKETIME", "+1d").variable("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}
