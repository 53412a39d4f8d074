//! What other nodes have to be told of: how many failures there were under which key since they were last
//! told. Bounded: what does not fit, this node knows alone.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::Kind;

/// How many keys other nodes are told of at once.
const MOST: usize = 256;

/// What the keys of counters are hashed with, the same on all nodes.
pub(crate) struct SharedKey([u8; 32]);

impl SharedKey {
    /// The key in these bytes.
    pub(crate) const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub(super) const fn into_bytes(self) -> [u8; 32] {
        self.0
    }
}

/// What happened under one key since other nodes were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Untold {
    /// What was counted.
    pub(crate) kind: Kind,
    /// Under which key.
    pub(crate) key: u64,
    /// How many there were.
    pub(crate) failures: u32,
    /// Whether what was counted before them is forgotten.
    pub(crate) is_cleared: bool,
}

/// Gathers it.
#[derive(Default)]
pub(super) struct Tally(Mutex<BTreeMap<(Kind, u64), (u32, bool)>>);

impl Tally {
    pub(super) fn failed(&self, kind: Kind, key: u64) {
        self.change(kind, key, |(failures, _)| *failures = failures.saturating_add(1));
    }

    pub(super) fn cleared(&self, kind: Kind, key: u64) {
        self.change(kind, key, |entry| *entry = (0, true));
    }

    /// Does this, unless what was counted under a key is forgotten and others were not told yet: what they
    /// answered is of before it, then.
    pub(super) fn unless_cleared(&self, kind: Kind, key: u64, learn: impl FnOnce()) {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.get(&(kind, key)).is_some_and(|(_, is_cleared)| *is_cleared) {
            learn();
        }
    }

    fn change(&self, kind: Kind, key: u64, change: impl FnOnce(&mut (u32, bool))) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() < MOST || entries.contains_key(&(kind, key)) {
            change(entries.entry((kind, key)).or_default());
        }
    }

    pub(super) fn put_back(&self, untold: &[Untold]) {
        for untold in untold {
            self.change(untold.kind, untold.key, |(failures, is_cleared)| {
                // What was cleared meanwhile was cleared after these.
                if !*is_cleared {
                    *failures = failures.saturating_add(untold.failures);
                    *is_cleared = untold.is_cleared;
                }
            });
        }
    }

    /// All of it, in the order of the keys, which is one for all nodes.
    pub(super) fn take(&self) -> Vec<Untold> {
        let entries = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let untold = |((kind, key), (failures, is_cleared))| Untold { kind, key, failures, is_cleared };
        entries.into_iter().map(untold).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_added_up_and_told_once() {
        let tally = Tally::default();
        tally.failed(Kind::Network, 1);
        tally.failed(Kind::Account, 2);
        tally.failed(Kind::Network, 1);
        let untold = |kind, key, failures, is_cleared| Untold { kind, key, failures, is_cleared };
        assert_eq!(tally.take(), [untold(Kind::Network, 1, 2, false), untold(Kind::Account, 2, 1, false)]);
        assert_eq!(tally.take(), []);
        tally.failed(Kind::AccountNetwork, 3);
        tally.cleared(Kind::AccountNetwork, 3);
        tally.failed(Kind::AccountNetwork, 3);
        assert_eq!(tally.take(), [untold(Kind::AccountNetwork, 3, 1, true)]);
    }

    #[test]
    fn what_could_not_be_told_is_told_the_next_time() {
        let tally = Tally::default();
        tally.failed(Kind::Network, 1);
        let untold = tally.take();
        tally.failed(Kind::Network, 1);
        tally.put_back(&untold);
        assert_eq!(tally.take()[0].failures, 2);
        tally.cleared(Kind::Network, 1);
        tally.put_back(&untold);
        assert_eq!(tally.take()[0], Untold { failures: 0, is_cleared: true, ..untold[0] });
    }

    #[test]
    fn what_does_not_fit_is_left_out() {
        let tally = Tally::default();
        for key in 0..1_000 {
            tally.failed(Kind::Network, key);
        }
        tally.failed(Kind::Network, 0);
        let told = tally.take();
        assert_eq!((told.len(), told[0].failures), (MOST, 2));
    }
}
