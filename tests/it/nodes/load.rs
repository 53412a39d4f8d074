//! Clients that write to nodes whatever happens, and remember what was acknowledged.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use super::Nodes;
use crate::harness::ADMIN_TOKEN;

const CLIENTS: usize = 12;
/// How long a client rests after a refusal.
const REST: Duration = Duration::from_millis(20);

/// What was acknowledged, and what else was heard.
#[derive(Default)]
pub(super) struct Ledger {
    /// Tokens by id, with their secrets.
    made: HashMap<String, String>,
    /// Tokens whose deletion was sent; the answer may never have come.
    deleting: HashSet<String>,
    deleted: HashMap<String, String>,
    /// How often each other status came.
    pub(super) refusals: HashMap<u16, usize>,
    /// How often no answer came at all.
    pub(super) unanswered: usize,
}

/// Clients at work.
pub(super) struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    clients: JoinSet<Ledger>,
}

impl Load {
    /// Clients that take turns on these nodes.
    pub(super) fn start(nodes: &Nodes, on: &[usize]) -> Self {
        let (stop, acknowledged) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let bases: Vec<String> = on.iter().map(|node| nodes.running[*node].url("")).collect();
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let writer = Writer {
                client: Client::builder().timeout(Duration::from_secs(15)).build().unwrap(),
                base: bases[number % bases.len()].clone(),
                stop: Arc::clone(&stop),
                acknowledged: Arc::clone(&acknowledged),
                ledger: Ledger::default(),
            };
            clients.spawn(writer.work());
        }
        Self { stop, acknowledged, clients }
    }

    /// Waits until so many more writes are acknowledged.
    pub(super) async fn acknowledge(&self, more: usize) {
        let (wanted, begun) = (self.acknowledged.load(Ordering::Relaxed) + more, std::time::Instant::now());
        while self.acknowledged.load(Ordering::Relaxed) < wanted {
            assert!(begun.elapsed() < Duration::from_secs(30), "writes are not acknowledged any more");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends them; what all remember.
    pub(super) async fn stop(mut self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Ledger::default();
        while let Some(one) = self.clients.join_next().await {
            let one = one.unwrap();
            all.made.extend(one.made);
            all.deleting.extend(one.deleting);
            all.deleted.extend(one.deleted);
            all.unanswered += one.unanswered;
            for (status, count) in one.refusals {
                *all.refusals.entry(status).or_default() += count;
            }
        }
        all
    }
}

impl Ledger {
    /// Asserts that what was acknowledged is so, as this node has it.
    pub(super) async fn check(&self, nodes: &Nodes, node: usize) {
        assert!(self.made.len() > 20, "only {} writes were acknowledged", self.made.len());
        for (id, secret) in self.made.iter().filter(|(id, _)| !self.deleting.contains(*id)) {
            assert!(nodes.is_known(node, secret).await, "token {id} was acknowledged and is lost");
        }
        for (id, secret) in &self.deleted {
            assert!(!nodes.is_known(node, secret).await, "token {id} was deleted and works again");
        }
    }

    /// Asserts that nothing was heard but this refusal.
    pub(super) fn heard_only(&self, status: StatusCode) {
        let others: Vec<_> = self.refusals.keys().filter(|heard| **heard != status.as_u16()).collect();
        assert!(others.is_empty(), "{:?}", self.refusals);
    }
}

struct Writer {
    client: Client,
    base: String,
    stop: Arc<AtomicBool>,
    acknowledged: Arc<AtomicUsize>,
    ledger: Ledger,
}

impl Writer {
    /// Makes tokens and deletes every third one a turn later.
    async fn work(mut self) -> Ledger {
        let mut last: Option<(String, String)> = None;
        for turn in 0_usize.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let request = self.client.post(format!("{}/1/tokens", self.base)).json(&json!({}));
            let Some(made) = self.send(request).await else { continue };
            let text = |key: &str| made["token"][key].as_str().unwrap().to_owned();
            let (id, secret) = (text("_id"), text("token"));
            self.ledger.made.insert(id.clone(), secret.clone());
            if let Some((id, secret)) = last.replace((id, secret)).filter(|_| turn % 3 == 0) {
                self.ledger.deleting.insert(id.clone());
                let delete = self.client.delete(format!("{}/1/tokens/{id}", self.base));
                if self.send(delete).await.is_some() {
                    self.ledger.deleted.insert(id, secret);
                }
            }
        }
        self.ledger
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Option<serde_json::Value> {
        let answered = async {
            let answer = request.bearer_auth(ADMIN_TOKEN).send().await?;
            let (status, waits) = (answer.status(), answer.headers().contains_key("retry-after"));
            // An answer whose body was cut off is none.
            Ok::<_, reqwest::Error>((status, waits, answer.json().await?))
        };
        match answered.await {
            Ok((StatusCode::OK, _, body)) => {
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
                return Some(body);
            }
            Ok((status, waits, _)) => {
                assert!(waits || status != StatusCode::SERVICE_UNAVAILABLE, "a 503 says when to come again");
                *self.ledger.refusals.entry(status.as_u16()).or_default() += 1;
            }
            Err(_) => self.ledger.unanswered += 1,
        }
        tokio::time::sleep(REST).await;
        None
    }
}
