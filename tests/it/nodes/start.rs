//! Nodes that start: together on an empty database, beside others of another version, and where the
//! database lets nobody in.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::Nodes;
use crate::harness::process::wait_for;
use crate::harness::{ADMIN_TOKEN, cluster};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_on_an_empty_database_make_one_of_everything() {
    for _ in 0..3 {
        let mut nodes = Nodes::on_an_empty_database();
        let mut starting: Vec<_> = (0..4).map(|number| nodes.launch(number).spawn()).collect();
        for node in &mut starting {
            node.wait_until_it_answers();
        }
        nodes.running = starting;
        for table in ["users", "tokens"] {
            assert_eq!(nodes.sql(&format!("select count(*) from {table}")), "1", "{table}");
        }
        let steps = "select count(*) = count(distinct version) and count(distinct applied_at) = 1 from migrations";
        assert_eq!(nodes.sql(steps), "t");
        let made = nodes.register(0, "ann@example.com").await;
        for node in 0..4 {
            assert!(nodes.is_known(node, ADMIN_TOKEN).await);
            assert!(nodes.is_known(node, &made.access).await, "all have the same keys");
        }
    }
}

/// Nobody told these nodes what they are called.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_without_a_public_url_know_each_others_access_tokens() {
    let mut nodes = Nodes::on_an_empty_database();
    for number in 0..2 {
        let launch = nodes.launch(number).without("DOORWARD_PUBLIC_URL");
        nodes.running.push(launch.serve());
    }
    let made = nodes.register(0, "ann@example.com").await;
    assert!(nodes.is_known(1, &made.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_while_a_newer_version_brings_the_schema_up_and_may_start_again() {
    let mut nodes = Nodes::start(1);
    let next = nodes.sql("select max(version) + 1 from migrations");
    // What a later version would do first: expand.
    nodes.sql(&format!(
        "begin; alter table users add column phone text; create index users_phone on users (phone);
         insert into migrations values ({next}, 'later', 'x', 0, {next} - 1); commit"
    ));
    let ann = nodes.register(0, "ann@example.com").await;
    nodes.administer(0, Method::PATCH, "/1/users/ann@example.com", json!({"flags": {"a": 1}})).await;
    nodes.add(1);
    assert!(nodes.running[1].log().contains("a newer doorward brought the schema up"), "{}", nodes.running[1].log());
    for node in 0..2 {
        assert!(nodes.is_known(node, &ann.access).await);
        nodes.register(node, &format!("{node}@example.com")).await;
    }
    nodes.sql(&format!("insert into migrations values ({next} + 1, 'last', 'x', 0, {next})"));
    let refused = nodes.launch(2).refused();
    refused.says(1, &["newer doorward", "start that one"]);
}

#[tokio::test]
async fn a_node_with_another_secret_is_refused_and_changes_nothing() {
    let nodes = Nodes::start(1);
    let before = nodes.sql("select value from meta where name = 'keys'");
    let other = nodes.folder.path().join("other");
    std::fs::write(&other, "another secret, which the first node does not have").unwrap();
    let launch = nodes.launch(1).variable("DOORWARD_SECRET_FILE", other.to_str().unwrap());
    launch.refused().says(1, &["sealed under another secret", "--new-keys"]);
    assert_eq!(nodes.sql("select value from meta where name = 'keys'"), before);
    // Who lost it for good goes on with new keys; passwords stay.
    let node = launch.argument("--new-keys").serve();
    assert_ne!(nodes.sql("select value from meta where name = 'keys'"), before);
    node.stop();
}

#[tokio::test]
async fn keys_and_passwords_stand_in_no_database_in_clear() {
    let nodes = Nodes::start(1);
    nodes.register(0, "ann@example.com").await;
    let rows = nodes.sql("select value from meta where name = 'keys'");
    assert!(!rows.contains("lookup_key") && !rows.contains("kid") && rows.len() > 300, "{rows}");
    assert!(!nodes.folder.path().join("0/keys").exists(), "no file holds them either");
}

#[tokio::test]
async fn a_database_that_lets_nobody_in_is_named_with_the_mend() {
    let nodes = Nodes::at(cluster::shared().url("no_such_database"));
    nodes.launch(0).refused().says(1, &["no_such_database", "database_url"]);
    let refused = nodes.launch_at(1, "postgres://doorward@127.0.0.1:1/doorward");
    let refused = refused.variable("DOORWARD_POSTGRES__CONNECT_TIMEOUT", "200ms").spawn().ended();
    refused.says(1, &["refused", "start PostgreSQL"]);
    assert!(refused.log.contains("trying again"), "it waits a while for a server on its way up");
}

/// As with containers that start in any order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_waits_for_a_database_that_starts_a_little_later() {
    let cluster = cluster::Cluster::start();
    let url = cluster.new_database();
    cluster.stop_fast();
    let nodes = Nodes::at(url);
    let mut node = nodes.launch(0).spawn();
    wait_for("the node to try", || node.log().contains("trying again").then_some(()));
    tokio::time::sleep(Duration::from_millis(300)).await;
    cluster.start_again();
    node.wait_until_it_answers();
    let mut nodes = nodes;
    nodes.running.push(node);
    assert_eq!(nodes.status_of(0, ADMIN_TOKEN).await, StatusCode::OK);
}
