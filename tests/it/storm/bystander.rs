//! Somebody who takes no part in the storm, and to whom the server should be as ever: asks who a
//! token belongs to, and logs in now and then.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep_until;

use super::alone;
use super::clients::{Outcome, PEOPLE, email};
use super::connection::{Connection, Reply, post};
use super::diary::Diary;
use crate::harness::dialect::Dialect;
use crate::harness::{ADMIN_TOKEN, PASSWORD};

const EMAIL: &str = "bystander@example.com";
/// How often a check is due, by turns on so many connections.
const PERIOD: Duration = Duration::from_millis(20);
const CONNECTIONS: u32 = 25;

pub(super) struct Bystander {
    check: String,
    login: String,
}

impl Bystander {
    /// Makes the people to log in as, and the bystander with a token and a project.
    pub(super) fn make(server: SocketAddr) -> Self {
        alone(async {
            let mut connection = Connection::open(Ipv4Addr::LOCALHOST, server).await.unwrap();
            for person in (0..PEOPLE).map(email) {
                let body = json!({"name": "Ann", "email": person, "password": PASSWORD, "confirm": PASSWORD});
                let reply = connection.ask(&post("/auth/register", "", &body)).await.unwrap();
                assert_eq!(reply.status, 201, "{reply:?}");
            }
            let mut made = async |token: &str, path: &str, body: Value, pointer: &str| {
                let reply = connection.ask(&post(path, &authorization(token), &body)).await.unwrap();
                let text = reply.body.pointer(pointer).and_then(Value::as_str);
                text.unwrap_or_else(|| panic!("{reply:?}")).to_owned()
            };
            let user = json!({"email": EMAIL, "password": PASSWORD});
            let token = made(ADMIN_TOKEN, "/1/users", user, "/tokens/0").await;
            let project = made(&token, "/1/projects", json!({"name": "calm"}), "/id").await;
            let (line, headers) = (format!("GET /1/authentication?project_id={project}"), authorization(&token));
            Self {
                check: format!("{line} HTTP/1.1\r\nHost: storm.test\r\n{headers}\r\n"),
                login: Dialect::Rest.login(EMAIL, PASSWORD),
            }
        })
    }

    /// How long a login took.
    pub(super) fn log_in(&self, server: SocketAddr) -> Duration {
        let (reply, took) = alone(async {
            let mut connection = Connection::open(Ipv4Addr::LOCALHOST, server).await.unwrap();
            let began = Instant::now();
            (connection.ask(&self.login).await.unwrap(), began.elapsed())
        });
        assert_eq!(reply.status, 200, "{reply:?}");
        took
    }

    /// Asks whether the token may use the project, 50 times a second for as long as it goes on;
    /// how long the answers took.
    pub(super) fn check(&self, server: SocketAddr, goes_on: impl Fn() -> bool + Clone + Send + 'static) -> Diary {
        alone(async {
            let begin = Instant::now();
            let mut checking = JoinSet::new();
            for number in 0..CONNECTIONS {
                let connection = Connection::open(Ipv4Addr::LOCALHOST, server).await.unwrap();
                checking.spawn(check(connection, self.check.clone(), begin + PERIOD * number, goes_on.clone()));
            }
            Diary::of_all(checking.join_all().await)
        })
    }
}

/// One connection's share of the checks: a slow answer does not hold up the others.
async fn check(mut connection: Connection, request: String, mut due: Instant, goes_on: impl Fn() -> bool) -> Diary {
    let mut diary = Diary::default();
    loop {
        sleep_until(due.into()).await;
        if !goes_on() {
            return diary;
        }
        let began = Instant::now();
        let outcome = match connection.ask(&request).await {
            Ok(Reply { status: 200, body, .. }) if body == json!({}) => Ok(Outcome::Welcome),
            Ok(other) => Err(format!("a check: {other:?}")),
            Err(fault) => Err(format!("a check: {fault}")),
        };
        if !diary.note(began, outcome) {
            return diary;
        }
        due += PERIOD * CONNECTIONS;
    }
}

fn authorization(token: &str) -> String {
    format!("Authorization: OAuth {token}\r\n")
}
