//! Sessions and refresh: what rotates, what ends, and what outlives what.

mod clock;
mod sqlite;

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};
use crate::rest::{
    assert_failure, iron, login, logout, refresh, reset, reset_token, set_status, text, verify, welcome,
};

const GRACE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_hours(24);

/// The tokens of a registration, a login or a refresh.
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    fn of(body: &Value) -> Self {
        Self { access: text(body, "/accessToken").to_owned(), refresh: text(body, "/refreshToken").to_owned() }
    }
}

async fn register(server: &Server) -> Pair {
    Pair::of(&server.register("ann@example.com").await)
}

async fn refreshed(server: &Server, token: &str) -> Pair {
    let (status, body) = refresh(server, token).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    Pair::of(&body)
}

async fn assert_over(server: &Server, pair: &Pair) {
    assert_failure(&refresh(server, &pair.refresh).await, StatusCode::UNAUTHORIZED);
    assert_failure(&logout(server, &pair.refresh).await, StatusCode::BAD_REQUEST);
    assert_eq!(welcome(server, &pair.access).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_answers_in_every_spelling_that_clients_read() {
    let server = Server::start().await;
    let first = register(&server).await;
    let end = server.clock.now().plus(30 * DAY).rfc3339();
    server.clock.advance(Duration::from_secs(5));
    let (status, body) = refresh(&server, &first.refresh).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let quarter = server.clock.now().plus(Duration::from_mins(15)).rfc3339();
    let access = json!({"token": body["accessToken"], "expires": quarter});
    let refresh = json!({"token": body["refreshToken"], "expires": end});
    let expected = json!({
        "access": access, "refresh": refresh, "tokens": {"access": access, "refresh": refresh},
        "accessToken": body["accessToken"], "refreshToken": body["refreshToken"],
    });
    assert_eq!(body, expected);
    let second = Pair::of(&body);
    assert_ne!(second.refresh, first.refresh);
    assert_ne!(second.access, first.access);
    assert_eq!(welcome(&server, &second.access).await, StatusCode::OK);
    assert_eq!(welcome(&server, &first.access).await, StatusCode::OK, "a refresh ends no access token");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_used_again_within_the_grace_gives_the_same_successor() {
    let server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    for wait in [Duration::ZERO, Duration::from_secs(10), Duration::from_secs(20)] {
        server.clock.advance(wait);
        let again = refreshed(&server, &first.refresh).await;
        assert_eq!(again.refresh, second.refresh);
        assert_eq!(welcome(&server, &again.access).await, StatusCode::OK);
    }
    let third = refreshed(&server, &second.refresh).await;
    assert_ne!(third.refresh, second.refresh);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_used_again_after_the_grace_ends_the_session() {
    let server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    server.clock.advance(GRACE);
    assert_eq!(refreshed(&server, &first.refresh).await.refresh, second.refresh, "the last moment counts");
    server.clock.advance(Duration::from_micros(1));
    assert_failure(&refresh(&server, &first.refresh).await, StatusCode::UNAUTHORIZED);
    assert_over(&server, &second).await;
    assert_over(&server, &first).await;
    assert_eq!(audited(&server), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_older_generation_ends_the_session_at_any_time() {
    let server = Server::start().await;
    let other = register(&server).await;
    let first = Pair::of(&login(&server, "ann@example.com", PASSWORD).await.1);
    let second = refreshed(&server, &first.refresh).await;
    let third = refreshed(&server, &second.refresh).await;
    assert_eq!(audited(&server), 0);
    assert_failure(&refresh(&server, &first.refresh).await, StatusCode::UNAUTHORIZED);
    for pair in [&first, &second, &third] {
        assert_over(&server, pair).await;
    }
    assert_eq!(audited(&server), 1, "a session ends once");
    assert_eq!(welcome(&server, &other.access).await, StatusCode::OK, "other sessions go on");
    refreshed(&server, &other.refresh).await;
}

/// How many reuses were recorded, each with its user and address.
fn audited(server: &Server) -> i64 {
    let count = "select count(*) from audit_log join users on users.id = user_id
        where action = 'session.refresh_reused' and email = 'ann@example.com' and address = '127.0.0.1'";
    server.database().value(count).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_clients_with_one_token_all_get_one_successor() {
    let server = Server::start().await;
    let first = register(&server).await;
    let body = json!({"refreshToken": first.refresh});
    let attempts = (0..64).map(|_| tokio::spawn(answer(server.post("/auth/refresh-tokens").json(&body))));
    let (mut successors, mut access) = (HashSet::new(), HashSet::new());
    for attempt in attempts.collect::<Vec<_>>() {
        let (status, body) = attempt.await.unwrap();
        assert_eq!(status, StatusCode::OK, "{body}");
        let pair = Pair::of(&body);
        successors.insert(pair.refresh);
        access.insert(pair.access);
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(access.len(), 64, "no two access tokens are alike");
    let successor = successors.into_iter().next().unwrap();
    refreshed(&server, &successor).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refreshes_and_logouts_at_once_leave_nothing_alive() {
    let server = Server::start().await;
    let first = register(&server).await;
    let second = refreshed(&server, &first.refresh).await;
    let attempts = (0..32).map(|number| {
        let path = if number == 7 { "/auth/logout" } else { "/auth/refresh-tokens" };
        tokio::spawn(answer(server.post(path).json(&json!({"refreshToken": second.refresh}))))
    });
    let mut pairs = vec![first];
    for (number, attempt) in attempts.collect::<Vec<_>>().into_iter().enumerate() {
        let (status, body) = attempt.await.unwrap();
        match (number, status) {
            (7, StatusCode::OK) | (_, StatusCode::UNAUTHORIZED) => {}
            (_, StatusCode::OK) => pairs.push(Pair::of(&body)),
            _ => panic!("{status} {body}"),
        }
    }
    for pair in &pairs {
        assert_failure(&refresh(&server, &pair.refresh).await, StatusCode::UNAUTHORIZED);
        assert_eq!(welcome(&server, &pair.access).await, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_generation_logs_its_session_out_and_no_other() {
    let server = Server::start().await;
    let other = register(&server).await;
    for generation in 0..3 {
        let mut pairs = vec![Pair::of(&login(&server, "ann@example.com", PASSWORD).await.1)];
        for _ in 0..2 {
            pairs.push(refreshed(&server, &pairs.last().unwrap().refresh).await);
        }
        server.clock.advance(2 * GRACE);
        let (status, body) = logout(&server, &pairs[generation].refresh).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        assert!(!text(&body, "/message").is_empty());
        for pair in &pairs {
            assert_over(&server, pair).await;
        }
    }
    assert_eq!(audited(&server), 0, "a token of a session that is over is no news");
    assert_eq!(welcome(&server, &other.access).await, StatusCode::OK);
    refreshed(&server, &other.refresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_lives_fifteen_minutes_and_the_leeway() {
    let server = Server::start().await;
    let (seen, unseen) = (register(&server).await, login(&server, "ann@example.com", PASSWORD).await.1);
    assert_eq!(welcome(&server, &seen.access).await, StatusCode::OK);
    server.clock.advance(Duration::from_secs(15 * 60 + 58));
    assert_eq!(welcome(&server, &seen.access).await, StatusCode::OK);
    // `exp` is in whole seconds, rounded down: the token is over within two seconds from here.
    server.clock.advance(Duration::from_secs(2));
    for token in [&seen.access, text(&unseen, "/accessToken")] {
        let got = answer(server.post("/auth").bearer_auth(token)).await;
        assert_failure(&got, StatusCode::UNAUTHORIZED);
        assert!(text(&got.1, "/message").contains("expired"), "{}", got.1);
    }
    let next = refreshed(&server, &seen.refresh).await;
    assert_eq!(welcome(&server, &next.access).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lives_thirty_days_however_often_it_is_refreshed() {
    let server = Server::start().await;
    let body = server.register("ann@example.com").await;
    let end = text(&body, "/tokens/refresh/expires");
    let mut pair = Pair::of(&body);
    for _ in 0..29 {
        server.clock.advance(DAY);
        pair = refreshed(&server, &pair.refresh).await;
    }
    server.clock.advance(Duration::from_mins(24 * 60 - 1));
    let (status, body) = refresh(&server, &pair.refresh).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(text(&body, "/refresh/expires"), end);
    assert_eq!(text(&body, "/access/expires"), end, "an access token does not outlive its session");
    server.clock.advance(Duration::from_mins(1));
    assert_failure(&refresh(&server, text(&body, "/refreshToken")).await, StatusCode::UNAUTHORIZED);
    assert_failure(&logout(&server, text(&body, "/refreshToken")).await, StatusCode::BAD_REQUEST);
    server.clock.advance(Duration::from_mins(1));
    assert_eq!(welcome(&server, text(&body, "/accessToken")).await, StatusCode::UNAUTHORIZED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lifetimes_and_grace_are_settings() {
    let settings = "[sessions]\nrotation_grace = \"0s\"\n[rest]\naccess_lifetime = \"1m\"\nsession_lifetime = \"2h\"";
    let server = Server::start_with(settings).await;
    let body = server.register("ann@example.com").await;
    let after = |minutes| server.clock.now().plus(Duration::from_mins(minutes)).rfc3339();
    assert_eq!(text(&body, "/tokens/access/expires"), after(1));
    assert_eq!(text(&body, "/tokens/refresh/expires"), after(120));
    let first = Pair::of(&body);
    let second = refreshed(&server, &first.refresh).await;
    server.clock.advance(Duration::from_millis(1));
    assert_failure(&refresh(&server, &first.refresh).await, StatusCode::UNAUTHORIZED);
    assert_over(&server, &second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_outlive_a_restart_and_so_do_their_ends() {
    // Access tokens name the server's address otherwise, and a test's server gets another port.
    let mut server = Server::start_with("public_url = \"https://id.example.com\"").await;
    let lives = register(&server).await;
    let ended = Pair::of(&login(&server, "ann@example.com", PASSWORD).await.1);
    assert_eq!(logout(&server, &ended.refresh).await.0, StatusCode::OK);
    server.restart().await;
    assert_over(&server, &ended).await;
    assert_eq!(welcome(&server, &lives.access).await, StatusCode::OK);
    let next = refreshed(&server, &lives.refresh).await;
    server.restart().await;
    assert_eq!(refreshed(&server, &lives.refresh).await.refresh, next.refresh, "the grace outlives it too");
    assert_over(&server, &ended).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_access_token_says_what_the_contract_lists_and_nothing_secret() {
    let server = Server::start_with("public_url = \"https://id.example.com\"").await;
    let body = server.register("ann@example.com").await;
    let parts: Vec<&str> = text(&body, "/accessToken").split('.').collect();
    let [header, claims]: [Value; 2] =
        [0, 1].map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[part]).unwrap()).unwrap());
    assert_eq!(header["typ"], "at+jwt");
    assert_eq!(header["alg"], "EdDSA");
    assert!(header["kid"].is_string());
    assert_eq!(header.as_object().unwrap().len(), 3, "{header}");
    let now = server.clock.now().seconds();
    assert_eq!(claims["iss"], "https://id.example.com");
    assert_eq!(claims["aud"], "https://id.example.com");
    assert_eq!(claims["sub"], body["user"]["id"]);
    assert_eq!(claims["client_id"], "rest");
    assert_eq!(claims["iat"], now);
    let names: BTreeSet<&str> = claims.as_object().unwrap().keys().map(String::as_str).collect();
    let listed = ["aud", "auth_time", "client_id", "cver", "exp", "iat", "iss", "jti", "sid", "sub"];
    assert_eq!(names, BTreeSet::from(listed));
    assert!(((now + 899)..=(now + 901)).contains(&claims["exp"].as_i64().unwrap()), "{claims}");
    let database = server.database();
    let hash = database.value("select password from users where email = 'ann@example.com'");
    assert_eq!(claims["sid"], database.value(&format!("select {} from sessions", database.hex("id"))));
    let salt = hash.split('$').nth(4).unwrap();
    for secret in ["ann@example.com", "Ann", PASSWORD, "argon2", salt, text(&body, "/refreshToken")] {
        assert!(!claims.to_string().contains(secret), "{secret} in {claims}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_kind_of_token_is_not_taken_for_another() {
    let server = Server::start().await;
    let pair = register(&server).await;
    let reset = reset_token(&server, "ann@example.com").await;
    for bearer in [&pair.refresh, &reset] {
        assert_eq!(welcome(&server, bearer).await, StatusCode::UNAUTHORIZED);
        let (status, _) = answer(server.get("/1/authentication").bearer_auth(bearer)).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_failure(&verify(&server, bearer, &reset).await, StatusCode::UNAUTHORIZED);
    }
    for token in [&pair.access, &reset, ADMIN_TOKEN] {
        assert_failure(&refresh(&server, token).await, StatusCode::UNAUTHORIZED);
        assert_failure(&logout(&server, token).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(welcome(&server, &pair.access).await, StatusCode::OK);
    refreshed(&server, &pair.refresh).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_with_one_character_changed_is_forged() {
    let server = Server::start().await;
    let pair = register(&server).await;
    let token = pair.refresh;
    for at in 0..token.len() {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let forged = format!("{}{other}{}", &token[..at], &token[at + 1..]);
        assert_failure(&refresh(&server, &forged).await, StatusCode::UNAUTHORIZED);
    }
    for forged in
        [&token[..token.len() - 1], &format!("{token}A"), &format!(" {token}"), &format!("{token}="), "", "dwr_"]
    {
        assert_failure(&refresh(&server, forged).await, StatusCode::UNAUTHORIZED);
        assert_failure(&logout(&server, forged).await, StatusCode::BAD_REQUEST);
    }
    refreshed(&server, &token).await;
}

/// CVE-2025-29928.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_a_user_ends_their_sessions() {
    let server = Server::start().await;
    let path = "/1/users/ann@example.com";
    let pair = register(&server).await;
    set_status(&server, "ann@example.com", "disabled").await;
    assert_over(&server, &pair).await;
    set_status(&server, "ann@example.com", "active").await;
    assert_over(&server, &pair).await;
    let pair = Pair::of(&login(&server, "ann@example.com", PASSWORD).await.1);
    let new = "another pass phrase";
    iron(&server, ADMIN_TOKEN, Method::PATCH, path, json!({"password": new})).await;
    assert_over(&server, &pair).await;
    assert_failure(&login(&server, "ann@example.com", PASSWORD).await, StatusCode::UNAUTHORIZED);
    let pair = Pair::of(&login(&server, "ann@example.com", new).await.1);
    let token = reset_token(&server, "ann@example.com").await;
    assert_eq!(reset(&server, &token, "a third pass phrase").await.0, StatusCode::OK);
    assert_over(&server, &pair).await;
    let pair = Pair::of(&login(&server, "ann@example.com", "a third pass phrase").await.1);
    iron(&server, ADMIN_TOKEN, Method::DELETE, path, json!({})).await;
    assert_over(&server, &pair).await;
    let again = register(&server).await;
    assert_over(&server, &pair).await;
    assert_eq!(welcome(&server, &again.access).await, StatusCode::OK);
}
