//! What ends on one node is refused on the others, and soon.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::{KNOWN_WITHIN, Nodes, Tokens};
use crate::harness::{ADMIN_TOKEN, answer};

const ANN: &str = "/1/users/ann@example.com";
const ROUNDS: usize = 8;

/// How long each ending took to be known on another node.
#[derive(Default)]
struct Delays(Vec<Duration>);

impl Delays {
    /// Asks both other nodes until they refuse, which must be soon.
    async fn measure(&mut self, nodes: &Nodes, token: &str, what: &str) {
        let ended = Instant::now();
        let mut waiting = vec![1, 2];
        while !waiting.is_empty() {
            for node in waiting.clone() {
                if !nodes.is_known(node, token).await {
                    self.0.push(ended.elapsed());
                    waiting.retain(|other| *other != node);
                }
            }
            assert!(
                ended.elapsed() < KNOWN_WITHIN,
                "{what}: after {:?} nodes {waiting:?} do not know",
                ended.elapsed()
            );
        }
    }

    #[expect(clippy::print_stdout, reason = "how soon is worth reading with --nocapture")]
    fn print(mut self, how: &str) {
        self.0.sort_unstable();
        let (count, at) = (self.0.len(), |share: usize| self.0[(self.0.len() - 1) * share / 100]);
        println!(
            "{how}: {count} endings were known on another node after {:?} at least, {:?} in the median, {:?} at p99, \
             {:?} at most",
            at(0),
            at(50),
            at(99),
            at(100)
        );
    }
}

async fn heat(nodes: &Nodes, token: &str) {
    for node in 0..3 {
        for _ in 0..3 {
            assert!(nodes.is_known(node, token).await);
        }
    }
}

async fn api_token(nodes: &Nodes, owner: &str) -> (String, String) {
    let made = nodes.administer(0, Method::POST, "/1/tokens", json!({"user_id": owner})).await;
    let text = |key: &str| made["token"][key].as_str().unwrap().to_owned();
    (text("_id"), text("token"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_on_one_node_is_refused_on_the_others_within_a_second() {
    let nodes = Nodes::start(3);
    let mut delays = Delays::default();
    nodes.register(0, "ann@example.com").await;
    for round in 0..ROUNDS {
        let (id, token) = api_token(&nodes, "ann@example.com").await;
        let session = nodes.login(round % 3, "ann@example.com").await;
        heat(&nodes, &token).await;
        heat(&nodes, &session.access).await;
        nodes.administer(0, Method::DELETE, &format!("/1/tokens/{id}"), json!({})).await;
        assert!(!nodes.is_known(0, &token).await, "the node itself knows at once");
        delays.measure(&nodes, &token, "a token that was deleted").await;
        nodes.post(0, "/auth/logout", &json!({"refreshToken": session.refresh})).await;
        delays.measure(&nodes, &session.access, "a session that was signed out of").await;
        let session = nodes.login(1, "ann@example.com").await;
        heat(&nodes, &session.access).await;
        nodes.administer(0, Method::PATCH, ANN, json!({"password": crate::harness::PASSWORD})).await;
        delays.measure(&nodes, &session.access, "a session before a change of the password").await;
        let (_, token) = api_token(&nodes, "ann@example.com").await;
        heat(&nodes, &token).await;
        nodes.administer(0, Method::PATCH, ANN, json!({"status": "disabled"})).await;
        delays.measure(&nodes, &token, "a token of a user who was disabled").await;
        nodes.administer(0, Method::PATCH, ANN, json!({"status": "active"})).await;
    }
    let (_, token) = api_token(&nodes, "ann@example.com").await;
    heat(&nodes, &token).await;
    nodes.administer(0, Method::DELETE, ANN, json!({})).await;
    delays.measure(&nodes, &token, "a token of a user who was deleted").await;
    delays.print("with announcements");
}

/// A poll suffices alone: where an engine announces nothing, and where an announcement is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_announced_to_nobody_is_heard_of_all_the_same() {
    let nodes = Nodes::start(3);
    let mut delays = Delays::default();
    nodes.register(0, "ann@example.com").await;
    for round in 0..ROUNDS {
        let (_, token) = api_token(&nodes, "ann@example.com").await;
        heat(&nodes, &token).await;
        // As another engine would have it: the same transaction, and no announcement.
        nodes.sql(
            "begin;
             update counters set value = value + 1 where name = 'changes';
             with gone as (delete from tokens where user_id = (select id from users where email = 'ann@example.com')
                 returning secret_hash)
             insert into changes (seq, kind, id, at) select value, 'token', secret_hash, 0 from counters, gone
                 where name = 'changes';
             commit",
        );
        delays.measure(&nodes, &token, &format!("round {round}")).await;
    }
    delays.print("by polls alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_unshared_on_one_node_is_closed_on_the_others() {
    let nodes = Nodes::start(2);
    let (ann, bob) = (nodes.register(0, "ann@example.com").await, nodes.register(1, "bob@example.com").await);
    let create = nodes.request(0, Method::POST, "/1/projects").bearer_auth(&ann.access);
    let (_, project) = answer(create.json(&json!({"name": "queues"}))).await;
    let project = project["id"].as_str().unwrap();
    let sharing = async |what: &str| {
        let request = nodes.request(0, Method::PATCH, &format!("/1/projects/{project}/{what}"));
        let (status, body) = answer(request.bearer_auth(&ann.access).json(&json!({"email": "bob@example.com"}))).await;
        assert_eq!(status, StatusCode::OK, "{body}");
    };
    let may_bob = async || {
        let path = format!("/1/authentication?project_id={project}");
        nodes.request(1, Method::GET, &path).bearer_auth(&bob.access).send().await.unwrap().status() == StatusCode::OK
    };
    for _ in 0..3 {
        for (what, allowed) in [("share", true), ("unshare", false)] {
            sharing(what).await;
            let changed = Instant::now();
            while may_bob().await != allowed {
                assert!(changed.elapsed() < KNOWN_WITHIN, "{what} is not known after {:?}", changed.elapsed());
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_clients_on_three_nodes_with_one_refresh_token_all_get_one_successor() {
    let nodes = Nodes::start(3);
    let mut token = nodes.register(0, "ann@example.com").await.refresh;
    for _ in 0..3 {
        let body = json!({"refreshToken": token});
        let attempts = (0..64).map(|client| {
            tokio::spawn(answer(nodes.request(client % 3, Method::POST, "/auth/refresh-tokens").json(&body)))
        });
        let mut successors = HashSet::new();
        for attempt in attempts.collect::<Vec<_>>() {
            let (status, body) = attempt.await.unwrap();
            assert_eq!(status, StatusCode::OK, "{body}");
            successors.insert(Tokens::of(&body).refresh);
        }
        assert_eq!(successors.len(), 1);
        token = successors.into_iter().next().unwrap();
    }
    assert_eq!(nodes.sql("select generation from sessions"), "3", "each round moved the session on once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refresh_token_that_was_used_twice_ends_the_session_on_every_node() {
    let mut nodes = Nodes::on_an_empty_database().with("DOORWARD_SESSIONS__ROTATION_GRACE", "0s");
    nodes.add(2);
    let first = nodes.register(0, "ann@example.com").await;
    let refresh = async |node: usize, token: &str| {
        nodes.post(node, "/auth/refresh-tokens", &json!({"refreshToken": token})).await
    };
    let second = Tokens::of(&refresh(1, &first.refresh).await.1);
    let third = Tokens::of(&refresh(0, &second.refresh).await.1);
    assert_eq!(refresh(1, &first.refresh).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(0, &third.refresh).await.0, StatusCode::UNAUTHORIZED, "the row itself says so");
    let ended = Instant::now();
    while nodes.is_known(0, &third.access).await {
        assert!(ended.elapsed() < KNOWN_WITHIN);
    }
}

/// Whoever waits for whoever waits would stand still until the database notices, a second later, and
/// keep everybody else from the connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_deletes_itself_many_times_at_once_stands_in_nobodys_way() {
    let nodes = Nodes::start(1);
    nodes.register(0, "ann@example.com").await;
    let begun = Instant::now();
    for _ in 0..5 {
        let (id, token) = api_token(&nodes, "ann@example.com").await;
        let attempts = (0..8).map(|_| {
            let request = nodes.request(0, Method::DELETE, &format!("/1/tokens/{id}")).bearer_auth(&token);
            tokio::spawn(answer(request))
        });
        let mut deleted = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            deleted += usize::from(attempt.await.unwrap().0 == StatusCode::OK);
        }
        assert_eq!(deleted, 1);
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
    assert_eq!(nodes.sql("select deadlocks from pg_stat_database where datname = current_database()"), "0");
}

/// Names that are wanted crosswise, a link that is followed twice, two links at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acts_that_cross_each_other_stand_in_nobodys_way() {
    let nodes = Nodes::start(1);
    let begun = Instant::now();
    let mut tokens = Vec::new();
    for name in ["ann", "bob"] {
        let body = json!({"username": name, "password": crate::harness::PASSWORD});
        tokens.push(nodes.post(0, "/api/auth/register", &body).await.1["token"].as_str().unwrap().to_owned());
    }
    let rename = |token: &str, name: &str| {
        let request = nodes.request(0, Method::PUT, "/api/auth/profile").bearer_auth(token);
        tokio::spawn(answer(request.json(&json!({"newUsername": name}))))
    };
    for _ in 0..10 {
        for crossing in [rename(&tokens[0], "bob"), rename(&tokens[1], "ann")] {
            assert_eq!(crossing.await.unwrap().0, StatusCode::BAD_REQUEST);
        }
    }
    let eve = nodes.register(0, "eve@example.com").await;
    for _ in 0..5 {
        let request = nodes.request(0, Method::POST, "/auth/send-verification-email").bearer_auth(&eve.access);
        assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
        let link = nodes.newest_mailed_token(0);
        let attempts = (0..4).map(|_| {
            let path = format!("/auth/verify-email?token={link}");
            tokio::spawn(answer(nodes.request(0, Method::POST, &path).bearer_auth(&eve.access)))
        });
        let mut verified = 0;
        for attempt in attempts.collect::<Vec<_>>() {
            verified += usize::from(attempt.await.unwrap().0 == StatusCode::OK);
        }
        assert_eq!(verified, 1);
    }
    let links: Vec<String> = (0..2).map(|_| nodes.command(&["user", "reset-link", "eve@example.com"])).collect();
    let attempts = links.iter().map(|link| {
        let token = link.trim().rsplit("token=").next().unwrap().to_owned();
        let body = json!({"password": "another pass phrase"});
        tokio::spawn(answer(nodes.request(0, Method::POST, &format!("/auth/reset-password?token={token}")).json(&body)))
    });
    let mut reset = 0;
    for attempt in attempts.collect::<Vec<_>>() {
        reset += usize::from(attempt.await.unwrap().0 == StatusCode::OK);
    }
    assert_eq!(reset, 1, "the first ends the other");
    assert_eq!(nodes.sql("select deadlocks from pg_stat_database where datname = current_database()"), "0");
    assert!(begun.elapsed() < Duration::from_secs(10), "it took {:?}", begun.elapsed());
}

/// Two administrators who take each other's power at the same time leave one of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_stays_however_many_nodes_are_asked_at_once() {
    let nodes = Nodes::start(2);
    for round in 0..5 {
        let email = format!("second{round}@example.com");
        nodes.register(0, &email).await;
        nodes.command(&["user", "grant", &email, "admin"]);
        let disable = |node: usize, who: &str| {
            let request = nodes.request(node, Method::PATCH, &format!("/1/users/{who}")).bearer_auth(ADMIN_TOKEN);
            tokio::spawn(answer(request.json(&json!({"status": "disabled"}))))
        };
        let both = [disable(0, &email), disable(1, crate::harness::ADMIN_EMAIL)];
        let mut disabled = 0;
        for one in both {
            let (status, body) = one.await.unwrap();
            assert!(
                matches!(status, StatusCode::OK | StatusCode::CONFLICT | StatusCode::UNAUTHORIZED),
                "{status} {body}"
            );
            disabled += usize::from(status == StatusCode::OK);
        }
        assert_eq!(disabled, 1);
        let active = nodes.sql("select count(*) from users where admin and status = 'active'");
        assert_eq!(active, "1");
        nodes.command(&["user", "enable", crate::harness::ADMIN_EMAIL]);
        nodes.command(&["user", "delete", "--yes", &email]);
        for node in 0..2 {
            let enabled = Instant::now();
            while !nodes.is_known(node, ADMIN_TOKEN).await {
                assert!(enabled.elapsed() < KNOWN_WITHIN);
            }
        }
    }
}
