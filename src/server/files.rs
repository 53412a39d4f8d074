//! How many files the process may have open. Each client's connection is one of them, and must not
//! take those that answers need: the database's, the log's, a mail's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open beside clients, and may come to be: of the process, and of each thread that answers.
const KEPT: u64 = 64;
const KEPT_A_THREAD: u64 = 8;

/// Takes as many as the system lets this process have: the usual limit is meant for programs that
/// cannot count further than 1,024.
pub(super) fn raise_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => tracing::debug!(before = current, now = maximum, "the limit on open files was raised"),
        Err(error) => tracing::warn!(%error, limit = current, "the limit on open files cannot be raised"),
    }
}

/// How many clients there is room for, where so many threads answer them.
pub(super) fn room_for_clients(threads: usize) -> usize {
    let Some(limit) = getrlimit(Resource::Nofile).current else { return usize::MAX };
    let kept = KEPT + KEPT_A_THREAD * u64::try_from(threads).unwrap_or(u64::MAX / KEPT_A_THREAD / 2);
    usize::try_from(limit.saturating_sub(kept).max(limit / 2)).unwrap_or(usize::MAX)
}
