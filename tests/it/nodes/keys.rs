//! Keys that are rotated while nodes run: nobody is refused for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use doorward::actions::housekeeping;
use doorward::actions::keys::{self, Rotation};
use doorward::clock::Clock;
use doorward::config::{Settings, Sources};
use doorward::domain::caller::{Actor, Caller};
use doorward::server::{Running, Start};
use futures_util::future::join_all;
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{KNOWN_WITHIN, Nodes, PUBLIC_URL, Tokens};
use crate::harness::{PASSWORD, answer};
use crate::keys::{PATH, kid, kids};

/// Between two questions whether something is known by now.
const PAUSE: Duration = Duration::from_millis(20);

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
    let (old, rotated) = (kid(&first.access), Instant::now());
    for (node, base) in bases.iter().enumerate() {
        while published(&nodes.client, base).await.len() < 2 {
            assert!(rotated.elapsed() < KNOWN_WITHIN, "node {node} does not publish the new key");
            tokio::time::sleep(PAUSE).await;
        }
        assert_eq!(kid(&nodes.login(node, "ann@example.com").await.access), old, "not before others can know it");
    }
    let everywhere = join_all(bases.iter().map(|base| published(&nodes.client, base))).await;
    assert!(everywhere.iter().all(|listed| *listed == everywhere[0] && listed.contains(&old)), "{everywhere:?}");
    tokio::time::sleep(Duration::from_secs(2)).await;
    stop.store(true, Ordering::Relaxed);
    for ended in clients.join_all().await {
        let () = ended;
    }
    assert!(asked.load(Ordering::Relaxed) > 100, "{asked:?}");
    for node in 0..3 {
        assert!(nodes.is_known(node, &first.access).await, "the old key still vouches for what it signed");
    }
    let (status, body) = nodes.post(2, "/auth/refresh-tokens", &json!({"refreshToken": first.refresh})).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

/// The names of the keys that a node publishes.
async fn published(client: &Client, base: &str) -> Vec<String> {
    let (status, document) = answer(client.get(format!("{base}{PATH}"))).await;
    assert_eq!(status, StatusCode::OK, "{document}");
    kids(&document)
}

/// Nodes in this process, on one database, that all go by one clock, which the test moves.
struct Clocked {
    // In this order: the nodes end before their database goes.
    running: Vec<Running>,
    clock: Clock,
    nodes: Nodes,
}

impl Clocked {
    async fn start(count: usize) -> Self {
        let nodes = Nodes::on_an_empty_database();
        let clock = Clock::manual(Clock::System.now());
        let mut running = Vec::new();
        for number in 0..count {
            let file = nodes.folder.path().join(format!("{number}.toml"));
            let (data, secret) = (nodes.folder.path().join(number.to_string()), nodes.secret_file());
            let text = format!(
                "listen = \"127.0.0.1:0\"\npublic_url = \"{PUBLIC_URL}\"\ndata_dir = \"{}\"\n\
                 database_url = \"{}\"\nsecret_file = \"{}\"\n[feed]\nmax_staleness = \"3s\"\n",
                data.display(),
                nodes.url,
                secret.display()
            );
            std::fs::write(&file, text).unwrap();
            let settings = Settings::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
            running.push(Running::start(settings, Start::default(), clock.clone()).await.unwrap());
        }
        Self { running, clock, nodes }
    }

    fn base(&self, node: usize) -> String {
        format!("http://{}", self.running[node].address())
    }

    async fn published(&self, node: usize) -> Vec<String> {
        published(&self.nodes.client, &self.base(node)).await
    }

    /// The tokens of a new session on a node.
    async fn login(&self, node: usize) -> Tokens {
        let body = json!({"email": "ann@example.com", "password": PASSWORD});
        let request = self.nodes.client.post(format!("{}/auth/login", self.base(node)));
        let (status, body) = answer(request.json(&body)).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        Tokens::of(&body)
    }

    /// Whether every node takes an access token.
    async fn is_known(&self, access: &str) -> bool {
        let asked = (0..self.running.len()).map(|node| {
            let request = self.nodes.client.post(format!("{}/auth", self.base(node)));
            async move { answer(request.bearer_auth(access)).await.0 == StatusCode::OK }
        });
        join_all(asked).await.into_iter().all(|is_known| is_known)
    }

    /// Waits until every node publishes so many keys; which they are.
    async fn all_publish(&self, count: usize) -> Vec<String> {
        let begun = Instant::now();
        for node in 0..self.running.len() {
            while self.published(node).await.len() != count {
                assert!(begun.elapsed() < KNOWN_WITHIN, "node {node} does not publish {count} keys");
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.published(0).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_node_publishes_a_new_key_before_any_of_them_uses_it() {
    let nodes = Clocked::start(2).await;
    let body = json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    let (status, body) = answer(nodes.nodes.client.post(format!("{}/auth/register", nodes.base(0))).json(&body)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    let before = Tokens::of(&body);
    keys::rotate(nodes.running[0].app(), &Actor::operator(), Rotation::Routine).await.unwrap();
    let listed = nodes.all_publish(2).await;
    assert_eq!(nodes.published(1).await, listed);
    // Longer than others may keep what the last node published before it heard: 300 s and twice 3 s.
    for (seconds, is_new) in [(305, false), (1, true)] {
        nodes.clock.advance(Duration::from_secs(seconds));
        for node in 0..2 {
            let made = nodes.login(node).await;
            assert!(listed.contains(&kid(&made.access)));
            assert_eq!(kid(&made.access) != kid(&before.access), is_new, "node {node}");
            assert!(nodes.is_known(&made.access).await && nodes.is_known(&before.access).await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_find_their_keys_old_at_once_one_makes_new_ones() {
    let nodes = Clocked::start(3).await;
    let mut expected = 1;
    for _ in 0..5 {
        nodes.clock.advance(Duration::from_secs(90 * 24 * 3600 - 1));
        join_all(nodes.running.iter().map(|node| housekeeping::sweep(node.app()))).await;
        // What nothing alive needs any more goes with the next look.
        nodes.all_publish(1).await;
        nodes.clock.advance(Duration::from_secs(1));
        let swept = join_all(nodes.running.iter().map(|node| housekeeping::sweep(node.app()))).await;
        assert!(swept.iter().all(Result::is_ok), "{swept:?}");
        nodes.all_publish(2).await;
        expected += 1;
        let listed = keys::list(nodes.running[0].app(), &Caller::operator()).await.unwrap();
        let newest = listed.iter().find(|key| key.signs == "refresh tokens").unwrap();
        assert_eq!(newest.id, expected.to_string(), "each new root key has the next number");
    }
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
            tokio::time::sleep(PAUSE).await;
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
