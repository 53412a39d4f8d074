//! What several nodes and the command line write at once is one audit log.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Nodes;
use crate::harness::ADMIN_TOKEN;
use crate::harness::process::wait_for;

const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_nodes_and_the_command_line_write_at_once_is_one_chain_also_where_one_is_killed() {
    let mut nodes = Nodes::start(2);
    let mut clients = JoinSet::new();
    for number in 0..16 {
        let made = nodes.request(number % 2, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
        let refused = nodes
            .request(number % 2, Method::POST, "/auth/refresh-tokens")
            .json(&json!({"refreshToken": "dwr_forged"}));
        clients.spawn(async move {
            for _ in 0..ROUNDS {
                assert_eq!(made.try_clone().unwrap().send().await.unwrap().status(), StatusCode::OK);
                assert_eq!(refused.try_clone().unwrap().send().await.unwrap().status(), StatusCode::UNAUTHORIZED);
            }
        });
    }
    nodes.command(&["user", "add", "ann", "--no-password"]);
    clients.join_all().await;
    let verified: Value = serde_json::from_str(&nodes.command(&["audit", "verify", "--json"])).unwrap();
    let noted = verified["head"].as_str().unwrap().to_owned();
    let count =
        |nodes: &Nodes, action: &str| nodes.sql(&format!("select count(*) from audit_log where action = '{action}'"));
    assert_eq!(count(&nodes, "token.created"), (16 * ROUNDS + 1).to_string());
    assert_eq!(count(&nodes, "user.created"), "1");

    let refused = || nodes.sql("select coalesce(sum(times), 0) from audit_log where action = 'session.refreshed'");
    wait_for("all refusals to be written", || (refused() == (16 * ROUNDS).to_string()).then_some(()));

    // One is killed in the middle of it.
    let mut clients = JoinSet::new();
    for _ in 0..8 {
        let made = nodes.request(1, Method::POST, "/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
        clients.spawn(async move {
            let mut acknowledged = 0;
            while made.try_clone().unwrap().send().await.is_ok_and(|answer| answer.status() == StatusCode::OK) {
                acknowledged += 1;
            }
            acknowledged
        });
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    nodes.running.remove(1).kill();
    let acknowledged: usize = clients.join_all().await.into_iter().sum();
    let written: usize = count(&nodes, "token.created").parse().unwrap();
    assert!(acknowledged > 0 && written >= 16 * ROUNDS + 1 + acknowledged, "{acknowledged} {written}");
    nodes.command(&["audit", "verify", "--expect", &noted]);
}
