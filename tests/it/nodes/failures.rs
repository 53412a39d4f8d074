//! Failures add up over nodes: each limits by itself at once, and soon by what all of them counted.

use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::Nodes;
use crate::harness::PASSWORD;

const WRONG: &str = "not the pass phrase";
/// Longer than between two tellings, on a machine that is not busy.
const TOLD: Duration = Duration::from_millis(1_500);

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

    /// Waits until a node refuses a wrong password because of those that others had: it would look at ten
    /// by itself.
    async fn learns(&self, node: usize, email: &str) {
        for _ in 0..8 {
            tokio::time::sleep(TOLD).await;
            if self.guesses(node, email, 1).await == 0 {
                return;
            }
        }
        panic!("node {node} counts its own failures alone");
    }

    /// Waits until the database has so many counters of failures for one account from one network.
    async fn are_told(&self, count: &str) {
        let begun = Instant::now();
        while self.sql("select count(*) from failures where get_byte(key, 0) = 0") != count {
            assert!(begun.elapsed() < Duration::from_secs(20), "it does not come to {count} counters");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
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
    nodes.learns(1, "ann@example.com").await;
    assert_eq!(nodes.try_password(1, "ann@example.com", PASSWORD).await, StatusCode::TOO_MANY_REQUESTS);
    // Also one that starts only now.
    nodes.add(1);
    assert_eq!(nodes.guesses(2, "ann@example.com", 1).await, 1);
    nodes.learns(2, "ann@example.com").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_in_on_one_node_is_forgiven_on_all() {
    let nodes = Nodes::limiting(2);
    nodes.register(0, "ann@example.com").await;
    assert_eq!(nodes.guesses(0, "ann@example.com", 9).await, 9);
    nodes.are_told("1").await;
    nodes.login(0, "ann@example.com").await;
    nodes.are_told("0").await;
    assert_eq!(nodes.guesses(1, "ann@example.com", 1).await, 1);
    nodes.are_told("1").await;
    tokio::time::sleep(TOLD).await;
    assert_eq!(nodes.guesses(1, "ann@example.com", 15).await, 9);
    // Names are in no table in clear.
    let keys = nodes.sql("select count(*) > 0, count(*) filter (where length(key) <> 9) from failures");
    assert_eq!(keys, "t|0");
}
