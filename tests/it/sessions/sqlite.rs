//! What a session owes to the key file, which a server has on SQLite only.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::store::key_file;
use reqwest::StatusCode;

use super::{refreshed, register};
use crate::harness::Server;
use crate::rest::logout;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_successor_is_the_same_across_a_new_root_key() {
    let mut server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    // The running server has read its keys; the next one finds one more.
    add_root_key(&server);
    server.restart().await;
    assert_eq!(refreshed(&server, &first.refresh).await.refresh, second.refresh);
    let third = refreshed(&server, &second.refresh).await;
    assert_eq!(refreshed(&server, &second.refresh).await.refresh, third.refresh);
    let fourth = refreshed(&server, &third.refresh).await;
    assert_ne!(key_of(&second.refresh), key_of(&third.refresh));
    assert_eq!(key_of(&third.refresh), key_of(&fourth.refresh));
    assert_eq!(logout(&server, &first.refresh).await.0, StatusCode::OK, "under its old key still");
}

/// Keys that are let go cannot be made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_is_let_go_for_an_hour_after_the_clock_was_set() {
    let mut server = Server::start().await;
    add_root_key(&server);
    server.restart().await;
    let keys = || key_file::read(&server.data_dir().join(key_file::KEY_FILE)).unwrap().unwrap().root_keys.len();
    server.clock.advance(Duration::from_hours(2));
    server.sweep().await;
    server.clock.set(server.clock.now().plus(Duration::from_hours(24 * 60)));
    for _ in 0..59 {
        server.sweep().await;
        server.clock.advance(Duration::from_mins(1));
        assert_eq!(keys(), 2);
    }
    server.clock.advance(Duration::from_mins(2));
    server.sweep().await;
    assert_eq!(keys(), 1, "after that hour it is believed");
}

fn add_root_key(server: &Server) {
    let path = server.data_dir().join(key_file::KEY_FILE);
    let keys = key_file::read(&path).unwrap().unwrap();
    key_file::write(&path, &keys.with_root_key(server.clock.now())).unwrap();
}

/// The version and key id in a refresh token.
fn key_of(token: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(token.strip_prefix("dwr_").unwrap()).unwrap()[..5].to_vec()
}
