//! What stands behind the console and the pages of one's own account, asked as those ask: on a real server,
//! whose answers to tokens show what has become of them.

mod export;
mod overview;
mod profile;
mod recovery;
mod search;
mod sessions;

use std::time::Duration;

use doorward::actions::audit::{self, Filter, Order, Record};
use doorward::actions::credentials;
use doorward::domain::caller::{Actor, Caller, Origin};
use doorward::domain::id::UserId;
use doorward::domain::session::Dialect;
use serde_json::Value;

use crate::harness::{ADMIN_TOKEN, PASSWORD, Server};
use crate::rest::{login, text};

/// Whoever shows this token.
async fn actor(server: &Server, token: &str) -> Actor {
    let origin = Origin { address: None, user_agent: None, dialect: Some(Dialect::Rest) };
    credentials::verify_actor(server.app(), token, origin).await.unwrap()
}

async fn administrator(server: &Server) -> Actor {
    actor(server, ADMIN_TOKEN).await
}

/// A new user's access token.
async fn registered(server: &Server, email: &str) -> String {
    text(&server.register(email).await, "/accessToken").to_owned()
}

/// A further session of a user that begins a second later: its answer.
async fn signed_in(server: &Server, email: &str) -> Value {
    server.clock.advance(Duration::from_secs(1));
    login(server, email, PASSWORD).await.1
}

fn id(actor: &Actor) -> UserId {
    actor.caller.require_user().unwrap()
}

/// The rows of the audit log behind one.
async fn rows_behind(server: &Server, seq: i64) -> Vec<Record> {
    let order = (Order::OldestFirst, Some(seq));
    audit::list(server.app(), &Caller::operator(), &Filter::default(), order, 100_000).await.unwrap()
}

async fn last_row(server: &Server) -> i64 {
    rows_behind(server, 0).await.last().map_or(0, |row| row.seq)
}

/// What rows say: action, result or reason, detail.
fn said(rows: &[Record]) -> Vec<String> {
    let said = |row: &Record| {
        let outcome = row.reason.as_deref().unwrap_or(&row.result);
        let detail = row.detail.as_ref().map(|detail| format!(" [{detail}]")).unwrap_or_default();
        format!("{} {outcome}{detail}", row.action)
    };
    rows.iter().map(said).collect()
}
