//! Mails by a real mail server: how they get there whatever it does, and what is never lost, told or sent twice.

mod change;
mod delivery;
mod encryption;
mod links;
mod nodes;
mod notices;
mod program;
mod server;

use std::time::Duration;

use doorward::actions::credentials;
use doorward::domain::caller::{Actor, Origin};
use reqwest::StatusCode;
use serde_json::json;

use self::server::MailServer;
use crate::harness::{Server, UNTHROTTLED};

/// How long a mail is left alone that somebody began to send, with the timeout of these tests, and a little more.
const LEASE: Duration = Duration::from_secs(12);

/// A server that sends its mails by another one.
async fn with_mail_server(more: &str) -> (Server, MailServer) {
    let mails = MailServer::start();
    let server = Server::start_with(&format!("{more}{UNTHROTTLED}{}", mails.section())).await;
    (server, mails)
}

/// Asks for a reset mail; the answer is the same for everybody.
async fn forgot(server: &Server, email: &str) {
    let (status, body) = server.post_json("/auth/forgot-password", &json!({ "email": email })).await;
    assert_eq!(status, StatusCode::OK, "{body}");
}

/// How many mails wait.
fn waiting(server: &Server) -> usize {
    server.database().value("select count(*) from mails").parse().unwrap()
}

/// Waits until so many mails wait.
async fn wait_until_waiting(server: &Server, count: usize) {
    for _ in 0..1_200 {
        if waiting(server) == count {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{count} mails should wait, {} do", waiting(server));
}

/// Waits until the oldest mail that waits was put back after so many attempts.
async fn wait_for_attempts(server: &Server, attempts: usize) {
    let query = format!("select count(*) from mails where attempts = {attempts} and sending = false");
    for _ in 0..1_200 {
        if server.database().value(&query) != "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no mail was put back after {attempts} attempts");
}

/// Waits until no mail is in hand or about to be: a clock that is set ahead would have it sent by another beside.
async fn wait_until_none_is_sent(server: &Server) {
    let now = server.clock.now().micros();
    let query = format!("select count(*) from mails where sending = true or due_at <= {now}");
    for _ in 0..1_200 {
        if server.database().value(&query) == "0" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("mails are in hand for too long");
}

/// Whoever shows this token, as an action is told.
async fn actor(server: &Server, token: &str) -> Actor {
    credentials::verify_actor(server.app(), token, Origin::default()).await.unwrap()
}
