//! Keys that are rotated while nodes run: nobody is refused for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{KNOWN_WITHIN, Nodes, Tokens};
use crate::harness::answer;

/// The name of the key that signed an access token.
fn kid(access: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(access.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// Refreshes on one node and shows the access token to the other two, again and again.
async fn go_on(client: Client, bases: [String; 3], mut tokens: Tokens, stop: Arc<AtomicBool>, asked: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        for at in 0..3 {
            let refresh = client.post(format!("{}/auth/refresh-tokens", bases[at]));
            let (status, body) = answer(refresh.json(&json!({"refreshToken": tokens.refresh}))).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            tokens = Tokens::of(&body);
            for other in &bases {
                let shown = client.post(format!("{other}/auth")).bearer_auth(&tokens.access);
                let (status, body) = answer(shown).await;
                assert_eq!(status, StatusCode::OK, "{body}");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_rotated_under_load_without_one_refused_token() {
    let mut nodes = Nodes::on_an_empty_database().with("DOORWARD_FEED__MAX_STALENESS", "1s");
    nodes.add(3);
    let first = nodes.register(0, "ann@example.com").await;
    let bases = [0, 1, 2].map(|node| nodes.running[node].url(""));
    let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut clients = JoinSet::new();
    for client in 0..4 {
        let tokens = nodes.login(client % 3, "ann@example.com").await;
        clients.spawn(go_on(nodes.client.clone(), bases.clone(), tokens, Arc::clone(&stop), Arc::clone(&asked)));
    }
    let listed: Value = serde_json::from_str(&nodes.command(&["keys", "rotate", "--json"])).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 4, "two of each: {listed}");
    let (old, begun) = (kid(&first.access), Instant::now());
    assert_eq!(kid(&nodes.login(1, "ann@example.com").await.access), old, "not before every node has heard");
    while kid(&nodes.login(0, "ann@example.com").await.access) == old {
        assert!(begun.elapsed() < Duration::from_secs(10), "the new key is not used");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    for ended in clients.join_all().await {
        let () = ended;
    }
    assert!(asked.load(Ordering::Relaxed) > 100, "{asked:?}");
    for node in 0..3 {
        assert_ne!(kid(&nodes.login(node, "ann@example.com").await.access), old);
        assert!(nodes.is_known(node, &first.access).await, "the old key still vouches for what it signed");
    }
    let (status, body) = nodes.post(2, "/auth/refresh-tokens", &json!({"refreshToken": first.refresh})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_secret_takes_the_place_of_the_old_one_node_by_node() {
    let mut nodes = Nodes::start(2);
    let before = nodes.register(0, "ann@example.com").await;
    let new = nodes.folder.path().join("new");
    std::fs::write(&new, "the secret that takes the place of the first one").unwrap();
    nodes.command(&["keys", "reseal", "--secret-file", new.to_str().unwrap()]);
    for node in 0..2 {
        assert!(nodes.is_known(node, &before.access).await, "a running node goes on");
    }
    nodes.launch(2).refused().says(1, &["sealed under another secret"]);
    let node = nodes.launch(2).variable("DOORWARD_SECRET_FILE", new.to_str().unwrap()).serve();
    nodes.running.push(node);
    assert!(nodes.is_known(2, &before.access).await);
    let after = nodes.login(2, "ann@example.com").await;
    assert!(nodes.is_known(0, &after.access).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_wrong_hands_are_worth_nothing_at_once() {
    let nodes = Nodes::start(2);
    let before = nodes.register(0, "ann@example.com").await;
    let made = nodes.administer(0, Method::POST, "/1/tokens", json!({"user_id": "ann@example.com"})).await;
    let api_token = made["token"]["token"].as_str().unwrap();
    nodes.command(&["keys", "rotate", "--compromised"]);
    let rotated = Instant::now();
    for node in 0..2 {
        while nodes.is_known(node, &before.access).await {
            assert!(rotated.elapsed() < KNOWN_WITHIN, "node {node} takes the old key's tokens");
        }
        let (status, _) = nodes.post(node, "/auth/refresh-tokens", &json!({"refreshToken": before.refresh})).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(nodes.is_known(node, api_token).await, "API tokens are under another key");
        let after = nodes.login(node, "ann@example.com").await;
        assert!(nodes.is_known(1 - node, &after.access).await);
    }
}

/// What it read before the rotation and what it hears after must not leave the new keys out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_starts_during_a_rotation_has_the_keys_of_all_others() {
    let mut nodes = Nodes::on_an_empty_database().with("DOORWARD_FEED__MAX_STALENESS", "1s");
    nodes.add(1);
    let mut known = vec![nodes.register(0, "ann@example.com").await];
    for (number, head_start) in (1..).zip([0, 50, 150]) {
        let mut node = nodes.launch(number).spawn();
        tokio::time::sleep(Duration::from_millis(head_start)).await;
        nodes.command(&["keys", "rotate"]);
        node.wait_until_it_answers();
        nodes.running.push(node);
        // The new key is used once every node has surely heard of it.
        for wait in [Duration::ZERO, Duration::from_millis(2_500)] {
            tokio::time::sleep(wait).await;
            for node in 0..nodes.running.len() {
                known.push(nodes.login(node, "ann@example.com").await);
            }
            for node in 0..nodes.running.len() {
                for tokens in &known {
                    assert!(nodes.is_known(node, &tokens.access).await, "node {node}, {head_start} ms ahead");
                }
            }
        }
    }
}
