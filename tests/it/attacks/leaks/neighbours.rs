//! Row 25: two clients that provoke errors side by side, each with words of its own; neither sees
//! anything of the other's, by whatever connection.

use std::collections::BTreeSet;
use std::sync::Arc;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::attacks::{Member, start};
use crate::harness::{PASSWORD, Server};
use crate::server::wire::Wire;

/// How often each of them asks everything.
const ROUNDS: usize = 100;

/// One of two clients, whose words no other has.
#[derive(Clone)]
struct Neighbour {
    word: String,
    access: String,
    id: String,
}

/// A request to be made: method, path, credential, body.
type Asked = (&'static str, String, String, String);

impl Neighbour {
    async fn new(server: &Server, word: &str) -> Self {
        let member = Member::register(server, word).await;
        Self { word: word.to_owned(), access: member.access, id: member.id }
    }

    /// Requests that are refused, each in its own way, and between them some that are not; the
    /// number makes each different.
    fn requests(&self, number: usize) -> Vec<Asked> {
        let word = format!("{}{number:04}", self.word);
        let (own, nobody, bad) = (self.access.clone(), String::new(), format!("bad-{word}"));
        // The one leaves out what the other has: a fault of the neighbour's would show.
        let registration = if self.word == "alder" {
            json!({"name": word, "email": word, "password": PASSWORD, "confirm": PASSWORD})
        } else {
            json!({"name": "", "email": format!("{word}@example.com"), "password": "x", "confirm": word})
        };
        let path = |path: &str| path.to_owned();
        vec![
            ("POST", path("/auth/register"), nobody.clone(), registration.to_string()),
            ("GET", path("/users/me"), own.clone(), String::new()),
            ("GET", path("/users/me"), bad.clone(), String::new()),
            ("POST", path("/auth"), own.clone(), String::new()),
            ("POST", path("/auth"), bad.clone(), json!({"word": word}).to_string()),
            ("GET", path("/api/auth/state"), own.clone(), String::new()),
            ("GET", path("/api/auth/state"), bad.clone(), String::new()),
            ("PUT", path("/api/auth/profile"), own.clone(), json!({"newUsername": format!("{word}@")}).to_string()),
            ("GET", format!("/1/users/{}", self.id), own.clone(), String::new()),
            ("GET", format!("/1/users/{word}@example.com"), own.clone(), String::new()),
            ("PATCH", format!("/1/users/{}", self.id), own.clone(), json!({"email": word}).to_string()),
            ("DELETE", format!("/1/tokens/{word}"), own.clone(), String::new()),
            ("POST", path("/1/tokens"), own, json!({"user_id": word}).to_string()),
            ("GET", format!("/1/authentication?project_id={word}"), bad.clone(), String::new()),
            (
                "POST",
                path("/auth/refresh-tokens"),
                nobody.clone(),
                json!({"refreshToken": format!("dwr_{word}")}).to_string(),
            ),
            ("POST", path("/auth/login"), nobody.clone(), format!("{{\"email\":\"{word}")),
            ("POST", path("/users/login"), nobody.clone(), json!({"email": [word]}).to_string()),
            (
                "POST",
                format!("/auth/reset-password?token={word}"),
                nobody.clone(),
                json!({"password": format!("a phrase {word}")}).to_string(),
            ),
            ("GET", format!("/{word}"), bad.clone(), String::new()),
            ("GET", format!("/auth/{word}"), bad, String::new()),
            ("BREW", path("/api/auth/login"), nobody, word),
        ]
    }
}

fn request(client: &Client, base: &str, (method, path, token, body): &Asked) -> RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("{base}{path}")).body(body.clone());
    if !token.is_empty() {
        request = request.bearer_auth(token);
    }
    request
}

/// An answer, but for what is each answer's own: its status, its body, and the number of its request.
async fn seen(request: RequestBuilder) -> (u16, String, String) {
    let answer = request.send().await.unwrap();
    let number = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    (answer.status().as_u16(), answer.text().await.unwrap(), number)
}

/// What each request of a client is answered while nobody else asks.
async fn alone(server: &Server, who: &Neighbour) -> Vec<(u16, String)> {
    let mut answers = Vec::new();
    for asked in who.requests(0) {
        let (status, body, _) = seen(request(&server.client, &server.base, &asked)).await;
        serde_json::from_str::<Value>(&body).unwrap_or_else(|error| panic!("{asked:?}: {error}: {body}"));
        answers.push((status, body));
    }
    answers
}

/// Asks everything, round after round, by one client; the numbers of the requests.
async fn ask_beside(
    client: Client,
    base: Arc<str>,
    who: Neighbour,
    other: &'static str,
    alone: Arc<Vec<(u16, String)>>,
) -> Vec<String> {
    let mut numbers = Vec::new();
    for round in 0..ROUNDS {
        for (asked, expected) in who.requests(round).iter().zip(&*alone) {
            let (status, body, number) = seen(request(&client, &base, asked)).await;
            // The same as alone, to the letter: what no error repeats, no other error brings.
            assert_eq!((status, &body), (expected.0, &expected.1), "{asked:?}");
            assert!(!body.contains(other), "{asked:?}: {body}");
            numbers.push(number);
        }
    }
    numbers
}

async fn neighbours_see_nothing(clients: [Client; 2], server: &Server) {
    let [alder, birch] = [Neighbour::new(server, "alder").await, Neighbour::new(server, "birch").await];
    let (of_alder, of_birch) = (Arc::new(alone(server, &alder).await), Arc::new(alone(server, &birch).await));
    assert!(of_alder.iter().filter(|(status, _)| *status >= 400).count() > 15, "{of_alder:?}");
    assert_ne!(of_alder, of_birch);
    let base: Arc<str> = server.base.as_str().into();
    let mut asking = JoinSet::new();
    let [first, second] = clients;
    // Each of them twice, so that errors meet errors of every kind.
    for turn in 0..2 {
        let (first, second) = if turn == 0 { (&first, &second) } else { (&second, &first) };
        asking.spawn(ask_beside(first.clone(), base.clone(), alder.clone(), "birch", of_alder.clone()));
        asking.spawn(ask_beside(second.clone(), base.clone(), birch.clone(), "alder", of_birch.clone()));
    }
    let (mut numbers, mut count) = (BTreeSet::new(), 0);
    while let Some(asked) = asking.join_next().await {
        let asked = asked.unwrap();
        count += asked.len();
        numbers.extend(asked);
    }
    assert_eq!(numbers.len(), count, "every answer has a number of its own");
}

/// Row 25 (Oathkeeper 26.2.5), on connections of HTTP/1.1 that are kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_on_kept_connections_see_nothing_of_each_other() {
    let server = start().await;
    let client = || Client::builder().pool_max_idle_per_host(1).build().unwrap();
    neighbours_see_nothing([client(), client()], &server).await;
}

/// Row 25, where a proxy sends the requests of both by one connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_on_one_multiplexed_connection_see_nothing_of_each_other() {
    let server = start().await;
    let client = Client::builder().http2_prior_knowledge().build().unwrap();
    neighbours_see_nothing([client.clone(), client], &server).await;
}

/// Row 25, where a proxy pipelines the requests of both: each answer is the right one's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_in_one_pipeline_get_their_own_answers_in_order() {
    let server = start().await;
    let [alder, birch] = [Neighbour::new(&server, "alder").await, Neighbour::new(&server, "birch").await];
    let (of_alder, of_birch) = (alone(&server, &alder).await, alone(&server, &birch).await);
    let mut wire = Wire::to(&server).await;
    let written = |(method, path, token, body): &Asked| {
        let length = body.len();
        let authorization = if token.is_empty() { String::new() } else { format!("Authorization: Bearer {token}\r\n") };
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{authorization}Content-Length: {length}\r\n\r\n{body}")
    };
    for round in 0..20 {
        let (mut sent, mut expected) = (String::new(), Vec::new());
        for (number, (one, other)) in alder.requests(round).iter().zip(&birch.requests(round)).enumerate() {
            sent.push_str(&written(one));
            sent.push_str(&written(other));
            expected.extend([&of_alder[number], &of_birch[number]]);
        }
        wire.send(sent).await;
        for expected in expected {
            let reply = wire.reply().await.unwrap();
            assert_eq!((reply.status, reply.body), *expected);
        }
    }
}
