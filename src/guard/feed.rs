//! Follows the changes that are committed. Those of this process are applied at their commit already; here
//! they come a second time, which makes what they touched be read once more than needed.

use std::sync::{Arc, Weak};
use std::thread;
use std::time::Instant;

use super::caches::Caches;
use crate::domain::error::{Error, Result};
use crate::store::{News, Tail};

/// Starts to follow the changes; ends by itself when the caches are gone.
pub(crate) fn follow(tail: Tail, caches: &Arc<Caches>) -> Result<()> {
    let caches = Arc::downgrade(caches);
    let mut follower = Follower { tail, caches, is_lost: false };
    thread::Builder::new()
        .name("doorward-feed".to_owned())
        .spawn(move || while follower.step() {})
        .map(drop)
        .map_err(|error| Error::Internal(format!("the feed's thread cannot be started: {error}")))
}

struct Follower {
    tail: Tail,
    caches: Weak<Caches>,
    /// The last look failed, and that was said.
    is_lost: bool,
}

impl Follower {
    fn step(&mut self) -> bool {
        let Some(caches) = self.caches.upgrade() else { return false };
        let heard = hear(&mut self.tail, &caches);
        // Nothing may keep them while it waits.
        drop(caches);
        match heard {
            Ok(()) if self.is_lost => {
                self.is_lost = false;
                tracing::info!("the feed of changes is heard again");
            }
            Err(error) if !self.is_lost => {
                self.is_lost = true;
                tracing::warn!(%error, "the feed of changes cannot be read");
            }
            _ => {}
        }
        self.tail.wait();
        true
    }
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
                tracing::warn!("changes may have been missed; all caches are emptied");
                caches.forget_everything(&ended);
            }
        }
    }
}
