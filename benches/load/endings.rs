//! How soon what ended on one node is refused on another one: by an own client, one session after
//! the other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

use crate::http::Connection;

/// An ending that is not heard of by then never will be.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests with one access token: who its holder is, and to end its session.
pub(crate) struct Session {
    pub(crate) me: Vec<u8>,
    pub(crate) logout: Vec<u8>,
}

/// Ends sessions on `one`, until this moment or until all are ended; milliseconds from each answer
/// to the first refusal by `other`, which knew the token and is asked without a pause.
pub(crate) async fn measure(
    [one, other]: [SocketAddr; 2],
    sessions: Vec<Session>,
    until: Instant,
) -> anyhow::Result<Vec<f64>> {
    let (mut one, mut other) = (Connection::open(one).await?, Connection::open(other).await?);
    let mut times = Vec::with_capacity(sessions.len());
    for session in sessions {
        if Instant::now() >= until {
            break;
        }
        for node in [&mut one, &mut other] {
            let status = node.ask(&session.me).await?.status;
            ensure!(status == 200, "a session that lives was answered {status}");
        }
        let status = one.ask(&session.logout).await?.status;
        ensure!(status == 200, "a logout was answered {status}");
        let ended = Instant::now();
        times.push(refused(&mut other, &session.me, ended).await?.as_secs_f64() * 1e3);
    }
    Ok(times)
}

async fn refused(node: &mut Connection, request: &[u8], ended: Instant) -> anyhow::Result<Duration> {
    loop {
        let status = node.ask(request).await?.status;
        let passed = ended.elapsed();
        match status {
            200 if passed < PATIENCE => {}
            200 => bail!("an ended session was still answered after {PATIENCE:?}"),
            401 | 403 => return Ok(passed),
            other => bail!("an ended session was answered {other}"),
        }
    }
}
