//! What only the key file of SQLite has: it is looked at, as whoever replaces it may not live to tell.

use std::fs;
use std::process::Command;
use std::time::Duration;

use doorward::clock::Clock;
use doorward::domain::token::Algorithm;
use doorward::store::key_file::{self, KEY_FILE};
use doorward::store::key_material::KeyMaterial;
use reqwest::StatusCode;
use serde_json::Value;

use super::{PATH, access, published};
use crate::harness::Server;
use crate::rest::welcome;

/// Waits until the server publishes other keys.
async fn changed(server: &Server, before: &[String]) -> Vec<String> {
    for _ in 0..200 {
        let now = published(server).await;
        if now != before {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the server goes on with the keys that were replaced");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_that_cannot_tell_of_itself_is_seen_all_the_same() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let (token, before) = (access(&server).await, published(&server).await);
    // As where it is killed, or the disk is full, between the file and the row that tells of it.
    server.database().execute(
        "create trigger no_word before insert on changes when new.kind = 'keys' begin select raise(abort, 'no'); end",
    );
    let rotated = Command::new(env!("CARGO_BIN_EXE_doorward"))
        .args(["keys", "rotate", "--compromised", "--data-dir", server.data_dir().to_str().unwrap()])
        .output()
        .unwrap();
    assert!(!rotated.status.success(), "{rotated:?}");
    let after = changed(&server, &before).await;
    assert_eq!(after.len(), 1);
    assert_eq!(welcome(&server, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(welcome(&server, &access(&server).await).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_no_key_file_of_this_database_is_passed_over() {
    let server = Server::start_with("[feed]\nmax_staleness = \"1s\"\n").await;
    server.register("ann@example.com").await;
    let (token, before) = (access(&server).await, published(&server).await);
    let file = server.data_dir().join(KEY_FILE);
    let ours = key_file::read(&file).unwrap().unwrap();
    let foreign = KeyMaterial::generate(Algorithm::EdDsa, Clock::System.now()).unwrap();
    key_file::write(&file, &foreign).unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fs::write(&file, "{}").unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    fs::remove_file(&file).unwrap();
    // Longer than anything in memory is believed without the feed: the server has heard of no rotation.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(published(&server).await, before);
    assert_eq!(welcome(&server, &token).await, StatusCode::OK);
    key_file::write(&file, &ours).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_were_rotated_and_cannot_be_read_are_not_published() {
    let server = Server::start_with("[feed]\nmax_staleness = \"1s\"\n").await;
    assert_eq!(published(&server).await.len(), 1);
    let file = server.data_dir().join(KEY_FILE);
    fs::write(&file, "{}").unwrap();
    // As a rotation tells it.
    server.database().execute("update counters set value = value + 1 where name = 'changes'");
    let tell =
        "insert into changes (seq, kind, id, at) select value, 'keys', x'', 0 from counters where name = 'changes'";
    server.database().execute(tell);
    let mut answered = server.get(PATH).send().await.unwrap();
    for _ in 0..100 {
        if answered.status() != StatusCode::OK {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        answered = server.get(PATH).send().await.unwrap();
    }
    assert_eq!(answered.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answered.headers()["cache-control"], "no-store");
    assert_eq!(answered.headers()["content-type"], "application/problem+json");
    assert_eq!(answered.json::<Value>().await.unwrap()["status"], 503);
}
