//! Counters of a fixed size: each key has a cell with the moment at which everything is allowed again
//! (GCRA). Where a set of cells is full, the one that is nearest to that moment makes room: whoever comes
//! under many names displaces their own counters, not those of somebody who has failed often.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::limits::Rate;

/// How many cells a key may be in.
const WAYS: usize = 8;
/// How many cells share a lock.
const SHARD: usize = 512;

/// A key, which is a hash, and the microsecond at which all of its attempts are forgotten; zeros where it is free.
type Cell = [u64; 2];

/// One kind of counters.
pub(super) struct Table {
    rate: Rate,
    shards: Vec<Mutex<Vec<Cell>>>,
}

impl Table {
    /// A table for `cells` keys at a time, rounded up. Its memory is taken as it is used.
    pub(super) fn new(rate: Rate, cells: usize) -> Self {
        let shards = cells.div_ceil(SHARD).next_power_of_two();
        Self { rate, shards: (0..shards).map(|_| Mutex::new(vec![Cell::default(); SHARD])).collect() }
    }

    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Counts one attempt.
    ///
    /// # Errors
    ///
    /// After how long there may be one; then nothing is counted.
    pub(super) fn take(&self, key: u64, now: Timestamp) -> Result<(), Duration> {
        self.with(key, now, |cell| {
            let due = self.debt(cell, now) + micros(self.rate.period());
            match due.checked_sub(micros(self.rate.window())) {
                None | Some(0) => {
                    *cell = [key, at(now, due)];
                    Ok(())
                }
                Some(over) => Err(Duration::from_micros(over)),
            }
        })
    }

    /// After how long there may be an attempt; zero where there may be one now.
    pub(super) fn wait(&self, key: u64, now: Timestamp) -> Duration {
        self.with(key, now, |cell| {
            let due = self.debt(cell, now) + micros(self.rate.period());
            Duration::from_micros(due.saturating_sub(micros(self.rate.window())))
        })
    }

    /// Counts one attempt, also where there may be none: it was made already.
    pub(super) fn add(&self, key: u64, now: Timestamp) {
        self.with(key, now, |cell| {
            let due = self.debt(cell, now) + micros(self.rate.period());
            *cell = [key, at(now, due.min(self.most()))];
        });
    }

    /// Counts one attempt less: it was none of those that are limited.
    pub(super) fn give_back(&self, key: u64, now: Timestamp) {
        self.with(key, now, |cell| {
            let due = self.debt(cell, now).saturating_sub(micros(self.rate.period()));
            *cell = if due == 0 { Cell::default() } else { [key, at(now, due)] };
        });
    }

    /// Forgets all attempts under a key.
    pub(super) fn clear(&self, key: u64, now: Timestamp) {
        self.with(key, now, |cell| *cell = Cell::default());
    }

    /// Learns of attempts that were counted elsewhere, too: they are forgotten after `due` at the soonest.
    pub(super) fn raise(&self, key: u64, due: Duration, now: Timestamp) {
        self.with(key, now, |cell| {
            let due = micros(due).min(self.most()).max(self.debt(cell, now));
            if due > 0 {
                *cell = [key, at(now, due)];
            }
        });
    }

    /// How long until a cell's attempts are forgotten. A clock that was set back must not make that
    /// longer than it can be.
    fn debt(&self, cell: &Cell, now: Timestamp) -> u64 {
        cell[1].saturating_sub(at(now, 0)).min(self.most())
    }

    /// The longest that attempts are remembered: of those that several servers let through at once there
    /// are more than one would.
    fn most(&self) -> u64 {
        micros(self.rate.window()).saturating_mul(2)
    }

    /// Does `work` on the key's cell or, where it has none, on a free one in the key's place. A key is
    /// never zero.
    fn with<T>(&self, key: u64, now: Timestamp, work: impl FnOnce(&mut Cell) -> T) -> T {
        let place = usize::try_from(key >> 32).unwrap_or_default();
        let shard = &self.shards[place % self.shards.len()];
        let set = (place / self.shards.len()) % (SHARD / WAYS) * WAYS;
        let mut cells = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let cells = &mut cells[set..set + WAYS];
        if let Some(cell) = cells.iter_mut().find(|cell| cell[0] == key) {
            return work(cell);
        }
        let mut fresh = Cell::default();
        let done = work(&mut fresh);
        if fresh != Cell::default()
            && let Some(least) = cells.iter_mut().min_by_key(|cell| self.debt(cell, now))
        {
            *least = fresh;
        }
        done
    }
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

fn at(now: Timestamp, later: u64) -> u64 {
    u64::try_from(now.micros()).unwrap_or_default().saturating_add(later)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000);
    const KEY: u64 = 0x1234_5678_9abc_def0;

    fn table() -> Table {
        Table::new(Rate::then_per_minute(10, 1), 1_024)
    }

    impl Table {
        /// How long until all attempts under a key are forgotten.
        fn due(&self, key: u64, now: Timestamp) -> Duration {
            self.with(key, now, |cell| Duration::from_micros(self.debt(cell, now)))
        }
    }

    fn after(seconds: u64) -> Timestamp {
        NOW.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn ten_at_once_and_then_one_a_minute() {
        let table = table();
        for _ in 0..10 {
            assert_eq!(table.wait(KEY, NOW), Duration::ZERO);
            assert_eq!(table.take(KEY, NOW), Ok(()));
        }
        assert_eq!(table.take(KEY, NOW), Err(Duration::from_mins(1)));
        assert_eq!(table.wait(KEY, after(20)), Duration::from_secs(40));
        assert_eq!(table.take(KEY, after(60)), Ok(()));
        assert_eq!(table.take(KEY, after(60)), Err(Duration::from_mins(1)));
        assert_eq!(table.take(KEY ^ 1, NOW), Ok(()), "another key has attempts of its own");
        for _ in 0..10 {
            assert_eq!(table.take(KEY, after(3_600)), Ok(()));
        }
        assert!(table.take(KEY, after(3_600)).is_err());
    }

    #[test]
    fn what_is_given_back_may_be_taken_again_and_what_is_cleared_is_forgotten() {
        let table = table();
        for _ in 0..100 {
            table.take(KEY, NOW).unwrap();
            table.give_back(KEY, NOW);
        }
        for _ in 0..10 {
            table.take(KEY, NOW).unwrap();
        }
        table.give_back(KEY, NOW);
        table.take(KEY, NOW).unwrap();
        assert!(table.take(KEY, NOW).is_err());
        table.clear(KEY, NOW);
        assert_eq!(table.due(KEY, NOW), Duration::ZERO);
        table.give_back(KEY, NOW);
        assert_eq!(table.take(KEY, NOW), Ok(()), "what was never taken cannot be given back");
    }

    #[test]
    fn of_many_at_once_no_more_pass_than_may() {
        let (table, passed) = (table(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        passed.fetch_add(usize::from(table.take(KEY, NOW).is_ok()), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(passed.into_inner(), 10);
    }

    #[test]
    fn random_names_neither_grow_the_table_nor_displace_who_failed_often() {
        let table = table();
        for _ in 0..10 {
            table.take(KEY, NOW).unwrap();
        }
        for name in 1..100_000_u64 {
            let _ = table.take(name.wrapping_mul(0x9e37_79b9_7f4a_7c15), NOW);
        }
        assert!(table.take(KEY, NOW).is_err());
        assert_eq!(table.shards.iter().map(|shard| shard.lock().unwrap().len()).sum::<usize>(), 1_024);
    }

    #[test]
    fn a_clock_that_is_set_back_makes_nobody_wait_longer_than_twice_the_window() {
        let table = table();
        for _ in 0..10 {
            table.take(KEY, after(86_400)).unwrap();
        }
        assert_eq!(table.take(KEY, NOW), Err(Duration::from_mins(11)));
    }

    #[test]
    fn what_was_counted_elsewhere_raises_and_never_lowers() {
        let table = table();
        table.raise(KEY, Duration::from_mins(9), NOW);
        assert_eq!(table.due(KEY, NOW), Duration::from_mins(9));
        table.raise(KEY, Duration::from_mins(2), NOW);
        assert_eq!(table.due(KEY, NOW), Duration::from_mins(9));
        table.raise(KEY, Duration::from_hours(9), NOW);
        assert_eq!(table.due(KEY, NOW), Duration::from_mins(20));
        table.add(KEY, NOW);
        assert_eq!(table.due(KEY, NOW), Duration::from_mins(20));
    }
}
