//! New keys in place of old ones, by command and by age: nobody is refused for it, also nobody who
//! verifies elsewhere and keeps the published keys for as long as they may.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use doorward::actions::keys::{self, Rotation};
use doorward::clock::Timestamp;
use doorward::domain::caller::Caller;
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use super::{access, kid, published, rotate};
use crate::harness::{Server, answer};
use crate::rest::{refresh, text, welcome};

/// For how long others may keep the published keys.
const MAX_AGE: Duration = Duration::from_mins(5);
/// How old a new signing key is before it is used: `MAX_AGE`, and twice what the news of it may take.
const SETTLING: Duration = Duration::from_secs(320);
/// Of the steps of ten seconds in which the clock moves.
const ROTATED_IN: usize = 7;
const DAY: Duration = Duration::from_hours(24);

/// Refreshes and asks who it is, again and again, and meets no refusal.
async fn go_on(client: Client, base: String, mut pair: [String; 2], stop: Arc<AtomicBool>, asked: Arc<AtomicUsize>) {
    while !stop.load(Ordering::Relaxed) {
        let request = client.post(format!("{base}/auth/refresh-tokens"));
        let (status, body) = answer(request.json(&json!({"refreshToken": pair[1]}))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let old =
            std::mem::replace(&mut pair, ["/accessToken", "/refreshToken"].map(|key| text(&body, key).to_owned()));
        for shown in [&old[0], &pair[0], &pair[0]] {
            let (status, body) = answer(client.post(format!("{base}/auth")).bearer_auth(shown)).await;
            assert_eq!(status, StatusCode::OK, "{body}");
            asked.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Verifies elsewhere, with keys that it reads no more often than it has to.
#[derive(Default)]
struct Elsewhere {
    read: Option<(Timestamp, BTreeSet<String>)>,
}

impl Elsewhere {
    /// Asserts that it takes a token of now.
    async fn takes(&mut self, server: &Server, access: &str) {
        let now = server.clock.now();
        if self.read.as_ref().is_none_or(|(at, _)| now.since(*at) > MAX_AGE) {
            self.read = Some((now, published(server).await.into_iter().collect()));
        }
        let (at, known) = self.read.as_ref().unwrap();
        assert!(known.contains(&kid(access)), "a new key signs {:?} after others could hear of it", now.since(*at));
    }
}

/// How new keys come about.
#[derive(Clone, Copy, Debug)]
enum By {
    Command,
    Age,
}

/// Rotates under load, moves the clock on until the new key is used, and far beyond.
async fn is_rotated_without_a_refusal(by: By) {
    // The clock jumps, and hours are as long as the tokens' lives.
    let server = Server::start_with("[tokens]\nrotate_after = \"2h\"\n[rest]\naccess_lifetime = \"1h\"\n").await;
    let registered = server.register("ann@example.com").await;
    let first = ["/accessToken", "/refreshToken"].map(|key| text(&registered, key).to_owned());
    if let By::Age = by {
        server.clock.advance(Duration::from_mins(118));
    }
    let before = access(&server).await;
    let (stop, asked) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
    let mut clients = JoinSet::new();
    for _ in 0..4 {
        let (_, body) = crate::rest::login(&server, "ann@example.com", crate::harness::PASSWORD).await;
        let pair = ["/accessToken", "/refreshToken"].map(|key| text(&body, key).to_owned());
        clients.spawn(go_on(server.client.clone(), server.base.clone(), pair, Arc::clone(&stop), Arc::clone(&asked)));
    }
    let mut verifiers: Vec<_> = (0..=ROTATED_IN).map(|_| Elsewhere::default()).collect();
    let mut signed = HashMap::<String, Duration>::new();
    let mut rotated_at = None;
    for step in 0..ROTATED_IN + 40 {
        if let (ROTATED_IN, By::Age) = (step, by) {
            assert_eq!(published(&server).await.len(), 1, "not a minute too early");
            server.clock.advance(Duration::from_mins(1));
        }
        // Each of them reads the keys at another time, the last one just before the rotation.
        let shown = access(&server).await;
        for verifier in verifiers.iter_mut().take(step + 1) {
            verifier.takes(&server, &shown).await;
        }
        if step == ROTATED_IN {
            match by {
                By::Command => rotate(&server, Rotation::Routine).await,
                By::Age => server.sweep().await,
            }
            rotated_at = Some(server.clock.now());
            assert_eq!(published(&server).await.len(), 2, "the new key is published at once");
        }
        let used = kid(&access(&server).await);
        signed.entry(used).or_insert(rotated_at.map_or(Duration::ZERO, |at| server.clock.now().since(at)));
        assert_eq!(welcome(&server, &before).await, StatusCode::OK, "{by:?}, step {step}");
        server.clock.advance(Duration::from_secs(10));
        server.sweep().await;
    }
    stop.store(true, Ordering::Relaxed);
    for ended in clients.join_all().await {
        let () = ended;
    }
    assert!(asked.load(Ordering::Relaxed) > 30, "{asked:?}");
    let mut signed: Vec<_> = signed.into_values().collect();
    signed.sort_unstable();
    assert_eq!(signed, [Duration::ZERO, SETTLING], "the old key, then the new one as soon as everybody has it");
    let (status, body) = refresh(&server, &first[1]).await;
    assert_eq!(status, StatusCode::OK, "a refresh token of the old root key: {body}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotated_by_command_refuse_nobody() {
    is_rotated_without_a_refusal(By::Command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_rotated_by_age_refuse_nobody() {
    is_rotated_without_a_refusal(By::Age).await;
}

/// How many root keys and signing keys there are.
async fn counted(server: &Server) -> (usize, usize) {
    let listed = keys::list(server.app(), &Caller::operator()).await.unwrap();
    let signing = listed.iter().filter(|key| key.signs == "access tokens").count();
    (listed.len() - signing, signing)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_key_is_published_for_as_long_as_anything_alive_needs_it_and_no_longer() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let old = kid(&access(&server).await);
    rotate(&server, Rotation::Routine).await;
    server.clock.advance(Duration::from_secs(319));
    // The longest-lived access token that there is, by the old key in its last second.
    let pair = json!({"email": "ann@example.com", "password": crate::harness::PASSWORD});
    let (status, body) = server.post_json("/users/login", &pair).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let last = text(&body, "/token").to_owned();
    assert_eq!(kid(&last), old);
    server.clock.advance(DAY);
    server.sweep().await;
    // By the leeway, it is taken for a minute beyond its end.
    assert_eq!(welcome(&server, &last).await, StatusCode::OK);
    assert!(published(&server).await.contains(&old));
    server.clock.advance(Duration::from_mins(2));
    assert_eq!(welcome(&server, &last).await, StatusCode::UNAUTHORIZED);
    server.clock.advance(Duration::from_mins(1));
    server.sweep().await;
    let left = published(&server).await;
    assert_eq!((left.len(), left.contains(&old)), (1, false), "{left:?}");
    assert_eq!(counted(&server).await, (2, 1), "refresh tokens of the old root key live on");
    server.clock.advance(30 * DAY);
    server.sweep().await;
    assert_eq!(counted(&server).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_in_wrong_hands_are_published_no_more_and_the_new_one_signs_at_once() {
    let server = Server::start().await;
    server.register("ann@example.com").await;
    let before = access(&server).await;
    // Also where another one waits to be used.
    rotate(&server, Rotation::Routine).await;
    rotate(&server, Rotation::Compromised).await;
    let left = published(&server).await;
    assert_eq!(left, [kid(&access(&server).await)]);
    assert!(!left.contains(&kid(&before)));
    assert_eq!(welcome(&server, &before).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_get_as_old_as_they_may_and_no_older() {
    let server = Server::start().await;
    for (days, expected) in [(89, (1, 1)), (1, (2, 2)), (89, (1, 1)), (1, (2, 2))] {
        server.clock.advance(days * DAY);
        for _ in 0..3 {
            server.sweep().await;
            assert_eq!(counted(&server).await, expected, "after {days} days");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_shall_not_be_rotated_by_age_are_not() {
    let server = Server::start_with("[tokens]\nrotate_after = \"never\"\n").await;
    server.clock.advance(3_000 * DAY);
    server.sweep().await;
    assert_eq!(counted(&server).await, (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_by_command_counts_for_the_age() {
    let server = Server::start().await;
    server.clock.advance(80 * DAY);
    rotate(&server, Rotation::Routine).await;
    server.clock.advance(60 * DAY);
    server.sweep().await;
    assert_eq!(counted(&server).await, (1, 1));
    server.clock.advance(30 * DAY);
    server.sweep().await;
    assert_eq!(counted(&server).await, (2, 2));
}
