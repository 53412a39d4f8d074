//! Follows the changes that are committed. Those of this process are applied at their commit already; here
//! they come a second time, which makes what they touched be read once more than needed.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use super::caches::Caches;
use crate::domain::error::{Error, Result};
use crate::store::{News, Tail};

/// How often the database is asked whether anything changed: a look at shared memory.
const PERIOD: Duration = Duration::from_millis(100);

/// Starts to follow the changes; ends by itself when the caches are gone.
pub(crate) fn follow(mut tail: Tail, caches: &Arc<Caches>) -> Result<()> {
    let caches = Arc::downgrade(caches);
    thread::Builder::new()
        .name("doorward-feed".to_owned())
        .spawn(move || while step(&mut tail, &caches) {})
        .map(drop)
        .map_err(|error| Error::Internal(format!("the feed's thread cannot be started: {error}")))
}

fn step(tail: &mut Tail, caches: &Weak<Caches>) -> bool {
    thread::sleep(PERIOD);
    let Some(caches) = caches.upgrade() else { return false };
    if let Err(error) = hear(tail, &caches) {
        tracing::warn!(%error, "the feed of changes cannot be read");
    }
    true
}

fn hear(tail: &mut Tail, caches: &Caches) -> Result<()> {
    loop {
        // What is known afterwards is from before the look, however long that waited.
        let asked = Instant::now();
        match tail.poll(caches.remember_sessions_since())? {
            News::More(changes) => caches.apply(&changes),
            News::Changes(changes) => {
                caches.apply(&changes);
                caches.freshness().heard(asked);
                return Ok(());
            }
            News::Missed(ended) => {
                tracing::warn!("changes were swept away before they were heard; all caches are emptied");
                caches.forget_everything(&ended);
            }
        }
    }
}
