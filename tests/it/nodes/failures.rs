//! Failures add up over nodes: each limits by itself at once, and soon by what all of them counted.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::Nodes;
use crate::harness::PASSWORD;

const WRONG: &str = "not the pass phrase";
/// Longer than between two tellings.
const TOLD: Duration = Duration::from_millis(2_500);

impl Nodes {
    /// So many that count failures.
    fn limiting(count: usize) -> Self {
        let mut nodes = Self::on_an_empty_database().with("DOORWARD_THROTTLE__ENABLED", "true");
        nodes.add(count);
        nodes
    }

    async fn try_password(&self, node: usize, email: &str, password: &str) -> StatusCode {
        let request =
            self.request(node, Method::POST, "/auth/login").json(&json!({"email": email, "password": password}));
        request.send().await.unwrap().status()
    }

    /// How many of `count` wrong passwords a node looks at.
    async fn guesses(&self, node: usize, email: &str, count: usize) -> usize {
        let mut looked_at = 0;
        for _ in 0..count {
            match self.try_password(node, email, WRONG).await {
                StatusCode::UNAUTHORIZED => looked_at += 1,
                status => assert_eq!(status, StatusCode::TOO_MANY_REQUESTS),
            }
        }
        looked_at
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_on_one_node_counts_on_the_others() {
    let mut nodes = Nodes::limiting(2);
    nodes.register(0, "ann@example.com").await;
    assert_eq!(nodes.guesses(0, "ann@example.com", 15).await, 10);
    tokio::time::sleep(TOLD).await;
    // The other one learns of it by the first failure of its own.
    assert_eq!(nodes.guesses(1, "ann@example.com", 1).await, 1);
    tokio::time::sleep(TOLD).await;
    assert_eq!(nodes.guesses(1, "ann@example.com", 5).await, 0);
    assert_eq!(nodes.try_password(1, "ann@example.com", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    // Also one that starts only now.
    nodes.add(1);
    assert_eq!(nodes.guesses(2, "ann@example.com", 1).await, 1);
    tokio::time::sleep(TOLD).await;
    assert_eq!(nodes.guesses(2, "ann@example.com", 5).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_in_on_one_node_is_forgiven_on_all() {
    let nodes = Nodes::limiting(2);
    nodes.register(0, "ann@example.com").await;
    assert_eq!(nodes.guesses(0, "ann@example.com", 9).await, 9);
    tokio::time::sleep(TOLD).await;
    nodes.login(0, "ann@example.com").await;
    tokio::time::sleep(TOLD).await;
    assert_eq!(nodes.guesses(1, "ann@example.com", 1).await, 1);
    tokio::time::sleep(TOLD).await;
    assert_eq!(nodes.guesses(1, "ann@example.com", 15).await, 9);
    // Names are in no table in clear.
    let keys = nodes.sql("select count(*) from failures where length(key) <> 9");
    assert_eq!(keys, "0");
}
