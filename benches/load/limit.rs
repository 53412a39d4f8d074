//! The limit server: what bare axum does on this machine, in a process of its own like the server.
//! Every measured path answers `{}`; `POST /update` does one group-committed update of one row.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, post};
use axum::serve::ListenerExt as _;
use rusqlite::{Connection, params};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::process::{die_with_parent, is_listened_on};

/// The first argument of this program where it is the limit server.
pub(crate) const LIMIT: &str = "limit";

/// How many updates share a commit at the most.
const GROUP: usize = 128;
const ROWS: i64 = 10_000;
const JSON: &str = "application/json";

/// The way to the writer: the row, and whom to tell that its update is on disk.
type Updates = Sender<(i64, oneshot::Sender<bool>)>;

/// Runs until it is killed: `limit ADDRESS DATABASE`.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let [address, database] = arguments else { bail!("limit needs an address and a database") };
    die_with_parent()?;
    let address: SocketAddr = address.parse()?;
    if is_listened_on(address) {
        bail!("somebody listens on {address} already");
    }
    let updates = start_writer(Path::new(database))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(address, updates))
}

async fn serve(address: SocketAddr, updates: Updates) -> anyhow::Result<()> {
    let constant = async || ([(CONTENT_TYPE, JSON)], "{}");
    let mut router = Router::new().route("/update", post(update)).with_state(updates);
    for path in ["/healthz", "/1/authentication", "/auth", "/users/me", "/api/auth/state"] {
        router = router.route(path, any(constant));
    }
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // A connection that is gone already needs none.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await.context("the limit server failed")
}

/// Updates the row that the body's bytes fall on, and gives the body back.
async fn update(State(updates): State<Updates>, body: Bytes) -> Response {
    let (done, committed) = oneshot::channel();
    let row = body.iter().fold(0_i64, |sum, byte| (sum * 31 + i64::from(*byte)) % ROWS);
    if updates.send((row, done)).is_ok() && committed.await == Ok(true) {
        return ([(CONTENT_TYPE, JSON)], body).into_response();
    }
    StatusCode::INTERNAL_SERVER_ERROR.into_response()
}

fn start_writer(database: &Path) -> anyhow::Result<Updates> {
    let connection = Connection::open(database)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch(
        "create table sessions (id integer primary key, generation integer not null, at integer not null) strict;
         begin;",
    )?;
    for row in 0..ROWS {
        connection.prepare_cached("insert into sessions (id, generation, at) values ($1, 0, 0)")?.execute([row])?;
    }
    connection.execute_batch("commit")?;
    let (updates, waiting) = channel();
    thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let mut at = 0;
        while let Ok(first) = waiting.recv() {
            at += 1;
            let mut told = Vec::with_capacity(GROUP);
            let committed = commit_group(&connection, first, &waiting, at, &mut told).is_ok();
            for done in told {
                let _ = done.send(committed);
            }
        }
    })?;
    Ok(updates)
}

type Waiting = (i64, oneshot::Sender<bool>);

fn commit_group(
    connection: &Connection,
    first: Waiting,
    waiting: &Receiver<Waiting>,
    at: i64,
    told: &mut Vec<oneshot::Sender<bool>>,
) -> rusqlite::Result<()> {
    connection.execute_batch("begin immediate")?;
    let mut next = Some(first);
    while let Some((row, done)) = next.take() {
        told.push(done);
        connection
            .prepare_cached("update sessions set generation = generation + 1, at = $1 where id = $2")?
            .execute(params![at, row])?;
        if told.len() < GROUP {
            next = waiting.try_recv().ok();
        }
    }
    connection.execute_batch("commit")
}
