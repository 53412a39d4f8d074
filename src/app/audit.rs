//! Refusals that wait to be written into the audit log. What is refused has no transaction of its own, and
//! must cost no more than it did before: it is counted here, equal ones as one, and written now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::domain::audit::{Action, Event, Reason};
use crate::domain::error::Result;
use crate::store::Entry;

/// How many that differ may wait; so many rows one transaction writes at the most.
const DIFFERING: usize = 256;

/// The refusals that wait. Takes a bounded memory whatever happens.
pub struct Refusals {
    clock: Clock,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

#[derive(Default)]
struct Waiting {
    counted: HashMap<Event, Count>,
    /// Those for which there was no room.
    lost: i64,
}

struct Count {
    /// Which came before which.
    number: usize,
    first_at: Timestamp,
    times: i64,
}

impl Refusals {
    pub(super) fn new(clock: Clock) -> Self {
        Self { clock, waiting: Mutex::default(), arrived: Notify::new() }
    }

    /// Notes a refusal. Never waits, and never fails.
    pub fn refused(&self, event: Event) {
        self.waiting().add(Entry { event, at: Some(self.clock.now()), times: 1 });
        self.arrived.notify_one();
    }

    /// Notes an outcome where it is a refusal of what was attempted, and passes it on.
    ///
    /// # Errors
    ///
    /// The outcome's own.
    pub fn note<T>(&self, attempt: &Event, outcome: Result<T>) -> Result<T> {
        if let Some(refusal) = attempt.of_refusal(&outcome) {
            self.refused(refusal);
        }
        outcome
    }

    /// Waits until some wait.
    pub(crate) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Takes all that wait, in the order in which they came.
    pub(crate) fn take(&self) -> Vec<Entry> {
        let Waiting { counted, lost } = std::mem::take(&mut *self.waiting());
        let mut counted: Vec<_> = counted.into_iter().collect();
        counted.sort_unstable_by_key(|(_, count)| count.number);
        let entry = |(event, count): (Event, Count)| Entry { event, at: Some(count.first_at), times: count.times };
        let mut entries: Vec<Entry> = counted.into_iter().map(entry).collect();
        if lost > 0 {
            let event = Event::by_server(Action::RefusalsLost).refused(Reason::Overflow);
            entries.push(Entry { event, at: None, times: lost });
        }
        entries
    }

    /// Takes back what could not be written.
    pub(crate) fn put_back(&self, entries: &[Entry]) {
        let mut waiting = self.waiting();
        for entry in entries {
            if entry.event.action == Action::RefusalsLost {
                waiting.lost = waiting.lost.saturating_add(entry.times);
            } else {
                waiting.add(entry.clone());
            }
        }
        self.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn add(&mut self, entry: Entry) {
        let number = self.counted.len();
        if let Some(count) = self.counted.get_mut(&entry.event) {
            count.times = count.times.saturating_add(entry.times);
        } else if number < DIFFERING {
            let first_at = entry.at.unwrap_or(Timestamp::from_micros(0));
            self.counted.insert(entry.event, Count { number, first_at, times: entry.times });
        } else {
            self.lost = self.lost.saturating_add(entry.times);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::UserId;

    fn refusals() -> Refusals {
        Refusals::new(Clock::manual(Timestamp::from_seconds(1)))
    }

    fn event(number: u8) -> Event {
        let user = UserId::from_bytes([number; 12]);
        Event::by_server(Action::SignIn).about_user(user).refused(Reason::WrongCredentials)
    }

    #[test]
    fn equal_refusals_are_one_row_and_differing_ones_keep_their_order() {
        let refusals = refusals();
        for number in [7, 3, 7, 5, 7] {
            refusals.refused(event(number));
        }
        let taken: Vec<_> = refusals.take().into_iter().map(|entry| (entry.event, entry.times)).collect();
        assert_eq!(taken, [(event(7), 3), (event(3), 1), (event(5), 1)]);
        assert!(refusals.take().is_empty());
    }

    #[test]
    fn what_finds_no_room_is_counted() {
        let refusals = refusals();
        for number in 0..300_u16 {
            let [high, low] = number.to_be_bytes();
            let mut bytes = [high; 12];
            bytes[11] = low;
            refusals.refused(event(0).about_user(UserId::from_bytes(bytes)));
        }
        let taken = refusals.take();
        assert_eq!(taken.len(), DIFFERING + 1);
        let last = taken.last().unwrap();
        assert_eq!((last.event.action, last.times), (Action::RefusalsLost, 44));
    }

    #[test]
    fn what_could_not_be_written_waits_again() {
        let refusals = refusals();
        refusals.refused(event(1));
        let taken = refusals.take();
        refusals.refused(event(1));
        refusals.put_back(&taken);
        assert_eq!(refusals.take().iter().map(|entry| entry.times).collect::<Vec<_>>(), [2]);
    }
}
