//! Row 18: what works once works once, however many ask at the same moment, by connections of their
//! own and by one that they share.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{DIALECTS, Member, assert_refused_everywhere, register_username, start_with, text};
use crate::harness::{PASSWORD, Server, answer};
use crate::rest::{refresh, reset_token, verification_token};

const AT_ONCE: usize = 64;

/// Nobody is sent away for want of time to hash.
const PATIENT: &str = "[passwords]\nmax_wait = \"60s\"";

/// How 64 requests go to the server: each by a connection of its own, or all by one.
#[derive(Clone, Copy, Debug)]
enum Way {
    Apart,
    Together,
}

const WAYS: [Way; 2] = [Way::Apart, Way::Together];

impl Way {
    fn client(self) -> Client {
        let builder = Client::builder().timeout(Duration::from_mins(1));
        match self {
            Self::Apart => builder.pool_max_idle_per_host(AT_ONCE),
            Self::Together => builder.http2_prior_knowledge(),
        }
        .build()
        .unwrap()
    }

    /// The answers to 64 requests that are sent at once.
    async fn ask(
        self,
        server: &Server,
        request: impl Fn(&Client, &str, usize) -> RequestBuilder,
    ) -> Vec<(StatusCode, Value)> {
        let client = self.client();
        // So that the 64 do not wait for the greeting of a connection.
        assert_eq!(answer(client.get(format!("{}/healthz", server.base))).await.0, StatusCode::OK);
        let sent: Vec<_> =
            (0..AT_ONCE).map(|number| tokio::spawn(answer(request(&client, &server.base, number)))).collect();
        let mut answers = Vec::new();
        for sent in sent {
            answers.push(sent.await.unwrap());
        }
        answers
    }
}

/// The numbers of those that succeeded; the others got this status.
fn winners(answers: &[(StatusCode, Value)], success: StatusCode, failure: StatusCode) -> Vec<usize> {
    let mut winners = Vec::new();
    for (number, (status, body)) in answers.iter().enumerate() {
        if *status == success {
            winners.push(number);
        } else {
            assert_eq!(*status, failure, "{body}");
        }
    }
    winners
}

/// Row 18 (CVE-2025-46815): the link of a reset mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_resets_by_one_link_one_succeeds_and_its_password_holds() {
    for way in WAYS {
        let server = start_with(PATIENT).await;
        let ann = Member::register(&server, "ann").await;
        let token = reset_token(&server, &ann.email).await;
        let password = |number: usize| format!("pass phrase number {number}");
        let answers = way.ask(&server, |client, base, number| {
            let url = format!("{base}/auth/reset-password?token={token}");
            client.post(url).json(&json!({"password": password(number)}))
        });
        let winners = winners(&answers.await, StatusCode::OK, StatusCode::UNAUTHORIZED);
        assert_eq!(winners.len(), 1, "{way:?}: {winners:?}");
        for dialect in DIALECTS {
            for number in [0, 1, AT_ONCE - 1].into_iter().filter(|number| *number != winners[0]) {
                let (status, _) = dialect.sign_in(&server, &ann.email, &password(number)).await;
                assert_eq!(status, dialect.wrong_credentials());
            }
            let (status, body) = dialect.sign_in(&server, &ann.email, &password(winners[0])).await;
            assert_eq!(status, StatusCode::OK, "{body}");
        }
        assert_refused_everywhere(&server, &ann.access, "the session of before").await;
    }
}

/// Row 18: of several links to one account, all are over once one of them was used.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_resets_by_four_links_to_one_account_one_succeeds() {
    let server = start_with(PATIENT).await;
    let ann = Member::register(&server, "ann").await;
    let mut tokens = Vec::new();
    for _ in 0..4 {
        tokens.push(reset_token(&server, &ann.email).await);
    }
    let answers = Way::Apart.ask(&server, |client, base, number| {
        let url = format!("{base}/auth/reset-password?token={}", tokens[number % 4]);
        client.post(url).json(&json!({"password": "another pass phrase"}))
    });
    assert_eq!(winners(&answers.await, StatusCode::OK, StatusCode::UNAUTHORIZED).len(), 1);
}

/// Row 18 (CVE-2020-5300): the link of a verification mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_proofs_of_an_address_by_one_link_one_succeeds() {
    for way in WAYS {
        let server = start_with("").await;
        let ann = Member::register(&server, "ann").await;
        let token = verification_token(&server, &ann.access).await;
        let answers = way.ask(&server, |client, base, _| {
            client.post(format!("{base}/auth/verify-email?token={token}")).bearer_auth(&ann.access)
        });
        let winners = winners(&answers.await, StatusCode::OK, StatusCode::UNAUTHORIZED);
        assert_eq!(winners.len(), 1, "{way:?}");
    }
}

/// Row 18: a refresh token has one successor, and the one after it too, in every generation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_refreshes_by_one_token_all_get_one_successor_in_each_generation() {
    for way in WAYS {
        let server = start_with("").await;
        let ann = Member::register(&server, "ann").await;
        let mut present = ann.refresh.clone();
        let mut spent = Vec::new();
        for generation in 0..4 {
            let answers = way.ask(&server, |client, base, _| {
                client.post(format!("{base}/auth/refresh-tokens")).json(&json!({"refreshToken": present}))
            });
            let successors: BTreeSet<String> =
                answers.await.iter().map(|(_, body)| text(body, "/refreshToken")).collect();
            assert_eq!(successors.len(), 1, "{way:?} {generation}: {successors:?}");
            spent.push(present);
            present = successors.into_iter().next().unwrap();
            assert!(!spent.contains(&present), "{way:?} {generation}");
        }
        // What was used up two generations ago ends the session, whoever else goes on with it.
        let oldest = &spent[0];
        let answers = way.ask(&server, |client, base, number| {
            let token = if number % 2 == 0 { oldest } else { &present };
            client.post(format!("{base}/auth/refresh-tokens")).json(&json!({"refreshToken": token}))
        });
        for (number, (status, body)) in answers.await.into_iter().enumerate() {
            assert!(number % 2 == 1 || status == StatusCode::UNAUTHORIZED, "{way:?} {number}: {body}");
            if status == StatusCode::OK {
                let (status, body) = refresh(&server, &text(&body, "/refreshToken")).await;
                assert_eq!(status, StatusCode::UNAUTHORIZED, "{way:?} {number}: {body}");
            }
        }
        assert_eq!(refresh(&server, &present).await.0, StatusCode::UNAUTHORIZED, "{way:?}");
        assert_refused_everywhere(&server, &ann.access, "the session of a token that was used again").await;
    }
}

/// Row 18: a name is given once, and a thing deleted once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_claims_to_one_name_and_64_ends_of_one_thing_one_succeeds() {
    let server = start_with(PATIENT).await;
    let ann = Member::register(&server, "ann").await;
    let answers = Way::Together.ask(&server, |client, base, _| {
        client.post(format!("{base}/api/auth/register")).json(&json!({"username": "one-name", "password": PASSWORD}))
    });
    assert_eq!(winners(&answers.await, StatusCode::OK, StatusCode::BAD_REQUEST).len(), 1);
    let answers = Way::Apart.ask(&server, |client, base, number| {
        let email = if number % 2 == 0 { "one@example.com" } else { "ONE@Example.com" };
        let body = json!({"name": "x", "email": email, "password": PASSWORD, "confirm": PASSWORD});
        client.post(format!("{base}/auth/register")).json(&body)
    });
    assert_eq!(winners(&answers.await, StatusCode::CREATED, StatusCode::BAD_REQUEST).len(), 1);
    let (id, secret) = ann.api_token(&server).await;
    let project = ann.project(&server).await;
    for path in [format!("/1/tokens/{id}"), format!("/1/projects/{project}")] {
        let answers =
            Way::Apart.ask(&server, |client, base, _| client.delete(format!("{base}{path}")).bearer_auth(&ann.access));
        assert_eq!(winners(&answers.await, StatusCode::OK, StatusCode::NOT_FOUND).len(), 1, "{path}");
    }
    assert_refused_everywhere(&server, &secret, "a deleted token").await;
}

/// Row 18: of those who know the current password and change it at the same moment, one does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_16_changes_on_one_current_password_one_succeeds() {
    let server = start_with(PATIENT).await;
    let (_, body) = register_username(&server, "ann").await;
    let access = text(&body, "/token");
    let sent: Vec<_> = (0..16)
        .map(|number| {
            let body = json!({"currentPassword": PASSWORD, "newPassword": format!("pass phrase number {number}")});
            let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(&access).json(&body);
            tokio::spawn(answer(request))
        })
        .collect();
    let mut answers = Vec::new();
    for sent in sent {
        answers.push(sent.await.unwrap());
    }
    let winners = winners(&answers, StatusCode::OK, StatusCode::UNAUTHORIZED);
    assert_eq!(winners.len(), 1, "{answers:?}");
    let state = |token: &str| answer(server.get("/api/auth/state").bearer_auth(token));
    assert_eq!(state(&text(&answers[winners[0]].1, "/token")).await.0, StatusCode::OK);
    assert_refused_everywhere(&server, &access, "the session of before").await;
}
