//! What a clock that is set does to sessions: within the leeway nothing, beyond it what must not end goes
//! on by refresh tokens, what ended stays so, and nothing is deleted before an hour has passed.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{DAY, Pair, assert_over, refreshed, register};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};
use crate::rest::{assert_failure, login, logout, refresh, text, welcome};

const HOUR: Duration = Duration::from_hours(1);
/// What the time server of a machine may do that was not heard for long.
const STEP: Duration = Duration::from_secs(90);

fn ahead(server: &Server, by: Duration) {
    server.clock.set(server.clock.now().plus(by));
}

fn back(server: &Server, by: Duration) {
    server.clock.set(server.clock.now().minus(by));
}

/// Has the clock prove itself, and what is over swept away.
async fn an_hour_later(server: &Server) {
    for _ in 0..2 {
        server.clock.advance(HOUR);
        server.sweep().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_ahead_by_a_minute_and_a_half_ends_nothing() {
    let server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    ahead(&server, STEP);
    for pair in [&first, &second] {
        assert_eq!(welcome(&server, &pair.access).await, StatusCode::OK);
    }
    refreshed(&server, &second.refresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_set_back_by_a_minute_and_a_half_keeps_the_newest_access_tokens_waiting_for_half_a_minute() {
    let server = Server::start().await;
    let first = register(&server).await;
    server.clock.advance(Duration::from_secs(31));
    let second = refreshed(&server, &first.refresh).await;
    let shown = refreshed(&server, &first.refresh).await;
    assert_eq!(welcome(&server, &shown.access).await, StatusCode::OK);
    back(&server, STEP);
    assert_eq!(welcome(&server, &first.access).await, StatusCode::OK, "within the leeway");
    for pair in [&second, &shown] {
        // Whether the server has seen it before or not.
        assert_eq!(welcome(&server, &pair.access).await, StatusCode::UNAUTHORIZED, "from the future");
    }
    // Whoever lost the answer asks again: no reuse.
    assert_eq!(refreshed(&server, &first.refresh).await.refresh, second.refresh);
    let third = refreshed(&server, &second.refresh).await;
    assert_eq!(welcome(&server, &third.access).await, StatusCode::OK);
    server.clock.advance(Duration::from_secs(31));
    assert_eq!(welcome(&server, &second.access).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_go_on_after_a_day_ahead_and_a_day_back() {
    let server = Server::start().await;
    let mut pair = register(&server).await;
    for step in [ahead as fn(&Server, Duration), back, back, ahead] {
        step(&server, DAY);
        pair = refreshed(&server, &pair.refresh).await;
        assert_eq!(welcome(&server, &pair.access).await, StatusCode::OK);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_of_a_rotation_in_the_future_is_over() {
    let server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    back(&server, STEP + Duration::from_secs(1));
    assert_failure(&refresh(&server, &first.refresh).await, StatusCode::UNAUTHORIZED);
    assert_over(&server, &second).await;
}

/// A session from the future proves no password of ten minutes ago.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_began_before_the_clock_was_set_back_is_not_fresh() {
    let server = Server::start().await;
    let pair = register(&server).await;
    back(&server, DAY);
    let pair = refreshed(&server, &pair.refresh).await;
    let deletion = server.request(Method::DELETE, "/1/users/ann@example.com").bearer_auth(&pair.access);
    assert_eq!(answer(deletion.json(&json!({}))).await.0, StatusCode::FORBIDDEN);
    assert_eq!(welcome(&server, &pair.access).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_stays_ended_when_the_clock_is_set_ahead_and_back_and_all_is_swept() {
    let mut server =
        Server::start_with("public_url = \"https://id.example.com\"\n[rest]\naccess_lifetime = \"24h\"").await;
    an_hour_later(&server).await;
    let ended = register(&server).await;
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    ahead(&server, DAY);
    server.sweep().await;
    an_hour_later(&server).await;
    back(&server, DAY);
    assert_over(&server, &ended).await;
    server.restart().await;
    assert_over(&server, &ended).await;
}

/// Farther than anything is kept for, and put right before anybody believed it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_stays_ended_when_the_clock_is_set_far_ahead_and_back_within_the_hour() {
    let mut server = Server::start_with("public_url = \"https://id.example.com\"").await;
    an_hour_later(&server).await;
    let ended = register(&server).await;
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    ahead(&server, 400 * DAY);
    server.sweep().await;
    server.clock.advance(Duration::from_mins(10));
    server.sweep().await;
    back(&server, 400 * DAY);
    assert_over(&server, &ended).await;
    server.restart().await;
    assert_over(&server, &ended).await;
}

/// Ended by a clock that is a day behind, which is put right then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_while_the_clock_was_behind_stays_ended_when_it_is_put_right() {
    let mut server =
        Server::start_with("public_url = \"https://id.example.com\"\n[rest]\naccess_lifetime = \"24h\"").await;
    an_hour_later(&server).await;
    let ended = register(&server).await;
    back(&server, DAY);
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    ahead(&server, DAY);
    server.sweep().await;
    an_hour_later(&server).await;
    assert_over(&server, &ended).await;
    server.restart().await;
    assert_over(&server, &ended).await;
}

/// Issued by a clock that is a day ahead: once that day has come, the token is not from the future any
/// more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_issued_by_a_clock_ahead_and_ended_stays_ended_when_its_day_comes() {
    let server = Server::start_with("[rest]\naccess_lifetime = \"24h\"").await;
    an_hour_later(&server).await;
    ahead(&server, DAY);
    let ended = register(&server).await;
    back(&server, DAY);
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    for _ in 0..46 {
        server.clock.advance(HOUR);
        server.sweep().await;
        assert_eq!(welcome(&server, &ended.access).await, StatusCode::UNAUTHORIZED);
    }
}

fn count(server: &Server, table: &str) -> String {
    server.database().value(&format!("select count(*) from {table}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_deleted_until_a_clock_that_was_set_has_gone_evenly_for_an_hour() {
    let server = Server::start().await;
    an_hour_later(&server).await;
    let pair = register(&server).await;
    let ended = Pair::of(&login(&server, "ann@example.com", PASSWORD).await.1);
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    let tomorrow = server.clock.now().plus(DAY).rfc3339();
    let made = server.post("/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({"expires_at": tomorrow}));
    let (_, made): (_, Value) = answer(made).await;
    let token = text(&made, "/token/token");
    let before = [count(&server, "sessions"), count(&server, "tokens")];
    assert_eq!(before[0], "2");

    let now = server.clock.now();
    for _ in 0..3 {
        ahead(&server, 40 * DAY);
        server.sweep().await;
        server.clock.advance(Duration::from_mins(59));
        server.sweep().await;
        assert_eq!([count(&server, "sessions"), count(&server, "tokens")], before, "before an hour has passed");
    }
    server.clock.set(now.plus(Duration::from_mins(5)));
    server.sweep().await;
    refreshed(&server, &pair.refresh).await;
    assert_eq!(answer(server.get("/1/tokens").bearer_auth(token)).await.0, StatusCode::OK);

    ahead(&server, 40 * DAY);
    server.sweep().await;
    server.clock.advance(HOUR);
    server.sweep().await;
    assert_eq!(count(&server, "sessions"), "0");
    assert_ne!(count(&server, "tokens"), before[1]);
}
