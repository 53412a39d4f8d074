//! A primary that is lost, and the standby that takes its place.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::Nodes;
use super::load::Load;
use crate::harness::ADMIN_TOKEN;
use crate::harness::cluster::Cluster;

/// A primary with a standby that has everything before it is acknowledged, and a database on them.
struct Pair {
    primary: Cluster,
    standby: Cluster,
    /// Both hosts, in one URL.
    url: String,
}

impl Pair {
    fn start() -> Self {
        let primary = Cluster::start();
        let url = primary.new_database();
        let name = url.rsplit('/').next().unwrap();
        let standby = primary.standby();
        primary.sql("postgres", "alter system set synchronous_standby_names = '*'");
        primary.sql("postgres", "alter system set synchronous_commit = 'on'");
        primary.sql("postgres", "select pg_reload_conf()");
        let hosts = [&primary, &standby].map(|cluster| format!("127.0.0.1:{}", cluster.port())).join(",");
        let url = format!("postgres://doorward@{hosts}/{name}");
        Self { primary, standby, url }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_takes_over_and_nothing_acknowledged_is_lost() {
    let Pair { primary, standby, url } = Pair::start();
    let mut nodes = Nodes::at(url);
    nodes.add(2);
    let ended = nodes.administer(0, Method::POST, "/1/tokens", json!({})).await;
    let (id, ended) = (ended["token"]["_id"].as_str().unwrap(), ended["token"]["token"].as_str().unwrap());
    nodes.administer(1, Method::DELETE, &format!("/1/tokens/{id}"), json!({})).await;
    let load = Load::start(&nodes, &[0, 1]);
    load.acknowledge(100).await;
    primary.kill();
    let write = nodes.request(0, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
    assert_eq!(write.send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    // Nobody has taken over yet: a standby takes no writes.
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The new primary has no standby to wait for.
    standby.sql("postgres", "alter system set synchronous_standby_names = ''");
    standby.promote();
    let promoted = Instant::now();
    load.acknowledge(1).await;
    println!("the first write after the promotion came after {:?}", promoted.elapsed());
    assert!(promoted.elapsed() < Duration::from_secs(2), "{:?}", promoted.elapsed());
    load.acknowledge(100).await;
    let ledger = load.stop().await;
    ledger.heard_only(StatusCode::SERVICE_UNAVAILABLE);
    for node in 0..2 {
        ledger.check(&nodes, node).await;
        assert!(!nodes.is_known(node, ended).await);
    }
    // What ends on the new primary is heard of, too.
    let made = nodes.administer(0, Method::POST, "/1/tokens", json!({})).await;
    let (id, token) = (made["token"]["_id"].as_str().unwrap(), made["token"]["token"].as_str().unwrap());
    assert!(nodes.is_known(1, token).await);
    nodes.administer(0, Method::DELETE, &format!("/1/tokens/{id}"), json!({})).await;
    let deleted = Instant::now();
    while nodes.is_known(1, token).await {
        assert!(deleted.elapsed() < super::KNOWN_WITHIN);
    }
}

/// Without synchronous replication the standby may lack the last changes: what a node believes because
/// of them is doubted, however far the new history went meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_that_lacks_the_last_changes_is_believed_and_not_the_memory() {
    let primary = Cluster::start();
    let url = primary.new_database();
    let name = url.rsplit('/').next().unwrap().to_owned();
    let standby = primary.standby();
    let hosts = [&primary, &standby].map(|cluster| format!("127.0.0.1:{}", cluster.port())).join(",");
    let mut nodes = Nodes::at(format!("postgres://doorward@{hosts}/{name}"));
    nodes.add(1);
    let token = async |node: usize| {
        let made = nodes.administer(node, Method::POST, "/1/tokens", json!({})).await;
        (made["token"]["_id"].as_str().unwrap().to_owned(), made["token"]["token"].as_str().unwrap().to_owned())
    };
    let (kept_id, kept) = token(0).await;
    standby.catch_up_with(&primary);
    // From here on it hears nothing of the primary.
    standby.sql("postgres", "alter system set primary_conninfo = 'host=127.0.0.1 port=1'");
    standby.sql("postgres", "select pg_reload_conf()");
    while standby.sql("postgres", "select count(*) from pg_stat_wal_receiver where status = 'streaming'") != "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (_, lost) = token(0).await;
    for secret in [&kept, &lost] {
        assert!(nodes.is_known(0, secret).await);
    }
    primary.kill();
    standby.promote();
    let promoted = Instant::now();
    while nodes.status_of(0, &lost).await != StatusCode::FORBIDDEN {
        assert!(promoted.elapsed() < Duration::from_secs(3), "it believes what the database lost");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(nodes.is_known(0, &kept).await);
    nodes.administer(0, Method::DELETE, &format!("/1/tokens/{kept_id}"), json!({})).await;
    assert!(!nodes.is_known(0, &kept).await);
}

/// A commit that waits for a standby which is not there would wait for ever, with all that it holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_standby_that_is_away_is_answered_and_leaves_nothing_behind() {
    let cluster = Cluster::start();
    let mut nodes = Nodes::at(cluster.new_database()).with("DOORWARD_POSTGRES__STATEMENT_TIMEOUT", "500ms");
    nodes.add(1);
    cluster.sql("postgres", "alter system set synchronous_standby_names = 'somebody'");
    cluster.sql("postgres", "select pg_reload_conf()");
    let write = async || {
        let request = nodes.request(0, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
        request.send().await.unwrap().status()
    };
    for _ in 0..3 {
        let asked = Instant::now();
        assert_eq!(write().await, StatusCode::SERVICE_UNAVAILABLE);
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    }
    let waiting =
        "select count(*) from pg_stat_activity where wait_event = 'SyncRep' and application_name = 'doorward'";
    let asked = Instant::now();
    while cluster.sql("postgres", waiting) != "0" {
        assert!(asked.elapsed() < Duration::from_secs(5), "commits wait on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.sql("postgres", "alter system set synchronous_standby_names = ''");
    cluster.sql("postgres", "select pg_reload_conf()");
    let back = Instant::now();
    while write().await != StatusCode::OK {
        assert!(back.elapsed() < Duration::from_secs(2));
    }
}
