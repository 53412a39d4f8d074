//! On PostgreSQL: the node is killed before each message that it sends to the database, and before it
//! hears each answer.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use super::gate::{Direction, Gate};
use super::holding::Ground;
use super::{ALL_FROM, Deed, replay};
use crate::crash::asker::Asker;
use crate::crash::rounds;
use crate::crash::site::{asker_of, settled};
use crate::harness::ADMIN_TOKEN;
use crate::harness::cluster::{self, Cluster};
use crate::harness::process::{Launch, Process};
use crate::harness::secret_file;

/// The deeds that are tried where not all are asked for, and how many of their steps.
const SOME_DEEDS: [Deed; 3] = [Deed::Refresh, Deed::SignOut, Deed::ChangePassword];
const SOME: usize = 4;

/// A database that is copied for each kill.
struct Template {
    folder: TempDir,
    cluster: &'static Cluster,
    name: String,
    ground: Ground,
}

impl Template {
    async fn make() -> Self {
        let (folder, cluster) = (tempfile::tempdir().unwrap(), cluster::shared());
        let url = cluster.new_database();
        let data = folder.path().join("data");
        let server = settled(Launch::on(&data).database(&url, &secret_file(folder.path()))).serve();
        let ground = Ground::lay(&asker_of(&server, &data)).await;
        server.stop();
        let name = url.rsplit('/').next().unwrap().to_owned();
        Self { folder, cluster, name, ground }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn launch(&self, url: &str) -> Launch {
        settled(Launch::on(&self.data()).database(url, &self.folder.path().join("secret")))
    }

    fn asker(&self, server: &Process) -> Asker {
        asker_of(server, &self.data())
    }
}

impl Drop for Template {
    fn drop(&mut self) {
        self.cluster.drop_database(&self.name);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_no_kill_between_two_messages_brings_anything_back() {
    let template = Template::make().await;
    let is_whole = rounds() >= ALL_FROM;
    for deed in if is_whole { &Deed::ALL[..] } else { &SOME_DEEDS } {
        for direction in [Direction::There, Direction::Back] {
            let (steps, _) = is_killed(&template, *deed, direction, usize::MAX).await;
            assert!((2..100).contains(&steps), "{deed:?} took {steps} messages {direction:?}");
            println!("{deed:?}: {steps} messages {direction:?}");
            let one_in = if is_whole { 1 } else { steps.div_ceil(SOME) };
            for through in (0..steps).filter(|through| through % one_in == 0 || through + 1 == steps) {
                let (_, is_answered) = is_killed(&template, *deed, direction, through).await;
                // What comes in one piece now may have come in two before: 10 and 13 were seen of the same deed.
                assert!(!is_answered || through * 2 > steps, "{deed:?}: answered after {through} of {steps} messages");
            }
        }
    }
}

/// Kills a node once so many messages of a deed came through, or once all did; how many that were, and
/// whether it was answered.
async fn is_killed(template: &Template, deed: Deed, direction: Direction, through: usize) -> (usize, bool) {
    let when = format!("{deed:?}, killed after {through} messages {direction:?}");
    let (cluster, port) = (template.cluster, template.cluster.port());
    let copy = format!("{}_copy", template.name);
    cluster.sql("postgres", &format!("create database {copy} template {}", template.name));
    let url = cluster.url(&copy);
    let gate = Gate::to(port, direction, through).await;
    let server = template.launch(&gate.url(&url, port)).serve();
    let asker = template.asker(&server);
    // Its connections are no part of the deed.
    asker.iron(Method::POST, "/1/tokens", ADMIN_TOKEN, json!({})).await.unwrap();
    assert!(asker.exists("/1/users/nobody@example.com").await.is_none());
    gate.arm();
    let answer = tokio::select! {
        answer = deed.begin(&asker, &template.ground) => Some(answer.unwrap_or_else(|_| panic!("{when}: a refusal"))),
        () = gate.closed() => None,
    };
    let left = gate.left();
    server.kill();
    // What PostgreSQL has heard it may still be at work on.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let server = template.launch(&url).serve();
    let mut over = replay(&template.asker(&server), &template.ground, deed, answer.as_ref(), &when).await;
    server.kill();
    let server = template.launch(&url).serve();
    over.is_over(&template.asker(&server), &format!("{when}, and once more")).await;
    server.kill();
    cluster.drop_database(&copy);
    assert!(answer.is_some() || through < usize::MAX, "{when}: never answered");
    (through - left, answer.is_some())
}
