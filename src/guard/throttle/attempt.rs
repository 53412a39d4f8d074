//! Something that is being tried: where it is counted, until it is known how it ended.

use std::time::Duration;

use super::{Counters, Kind};

/// An attempt that counts as failed unless it is said to be none. Dropped without a word, it stays one:
/// whoever goes away before the answer has guessed all the same.
pub(crate) struct Attempt<'t> {
    pub(super) counters: Option<&'t Counters>,
    pub(super) taken: Vec<(Kind, u64)>,
}

impl Attempt<'_> {
    pub(super) const fn uncounted() -> Self {
        Self { counters: None, taken: Vec::new() }
    }

    /// Counts under one more key; where that may not be, under none.
    pub(super) fn take(&mut self, kind: Kind, key: u64) -> Result<(), Duration> {
        let Some(counters) = self.counters else { return Ok(()) };
        match counters.table(kind).take(key, counters.now()) {
            Ok(()) => {
                self.taken.push((kind, key));
                Ok(())
            }
            Err(wait) => {
                self.give_back();
                Err(wait)
            }
        }
    }

    fn give_back(&mut self) {
        if let Some(counters) = self.counters {
            for (kind, key) in self.taken.drain(..) {
                counters.table(kind).give_back(key, counters.now());
            }
        }
    }

    /// It was neither a failure nor a success: the server could not decide. Counts no more.
    pub(crate) fn withdraw(mut self) {
        self.give_back();
    }

    /// The password was right: no failure, and what was mistyped before it from the same network is
    /// forgotten.
    pub(crate) fn succeeded(mut self) {
        let Some(counters) = self.counters else { return };
        for (kind, key) in &self.taken {
            if *kind == Kind::AccountNetwork {
                // In this order: what is being learnt meanwhile is either cleared here or not learnt at all.
                if let Some(tally) = &counters.tally {
                    tally.cleared(*kind, *key);
                }
                counters.table(*kind).clear(*key, counters.now());
            }
        }
        self.taken.retain(|(kind, _)| *kind != Kind::AccountNetwork);
        self.give_back();
    }

    /// It counts, as it does when it is dropped.
    pub(crate) fn stands(self) {
        drop(self);
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        if let Some(counters) = self.counters {
            for (kind, key) in self.taken.drain(..) {
                counters.note(kind, key);
            }
        }
    }
}
