//! Refusals that wait to be written into the audit log. What is refused has no transaction of its own, and
//! must cost no more than it did before: it is counted here, equal ones as one, and written now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::clock::{Clock, Timestamp};
use crate::domain::audit::{Action, Event, Reason};
use crate::domain::error::Result;
use crate::domain::network::Network;
use crate::store::Entry;

/// How many that differ may wait; so many rows one transaction writes at the most.
const DIFFERING: usize = 256;

/// The refusals that wait. Takes a bounded memory whatever happens.
pub struct Refusals {
    clock: Clock,
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

struct Waiting {
    counted: HashMap<Event, Count>,
    allowance: Allowance,
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
        let waiting = Waiting { counted: HashMap::new(), allowance: Allowance::default(), lost: 0 };
        Self { clock, waiting: Mutex::new(waiting), arrived: Notify::new() }
    }

    /// Notes a refusal. Never waits, and never fails.
    pub fn refused(&self, event: Event) {
        let (event, passed) = (folded(event), self.clock.passed());
        self.waiting().add(Entry { event, at: Some(self.clock.now()), times: 1 }, passed);
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
        let mut waiting = self.waiting();
        let lost = std::mem::take(&mut waiting.lost);
        let mut counted: Vec<_> = std::mem::take(&mut waiting.counted).into_iter().collect();
        drop(waiting);
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
                // Their rows were allowed when they came first.
                waiting.count(entry.clone());
            }
        }
        self.arrived.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A refusal of somebody who is not known, without what they may choose at will: a flood of them is few rows
/// whatever they call themselves, and from whichever address of their network they come.
fn folded(event: Event) -> Event {
    if event.actor.is_some() {
        return event;
    }
    let address = event.address.map(|address| Network::of_client(address).base());
    Event { user_agent: None, address, ..event }
}

/// How many rows refusals may take: so many at once, and then so many a second. A refusal that names a user may take
/// all of it, any other half.
struct Allowance {
    left: u32,
    at: Duration,
}

/// As many as there are in ten busy minutes of honest mistakes.
const AT_ONCE: u32 = 1_024;
const A_SECOND: u32 = 8;

impl Default for Allowance {
    fn default() -> Self {
        Self { left: AT_ONCE, at: Duration::ZERO }
    }
}

impl Allowance {
    fn take(&mut self, event: &Event, passed: Duration) -> bool {
        let seconds = u32::try_from(passed.saturating_sub(self.at).as_secs()).unwrap_or(u32::MAX);
        if seconds > 0 {
            self.left = self.left.saturating_add(seconds.saturating_mul(A_SECOND)).min(AT_ONCE);
            self.at = passed;
        }
        let kept = if event.user.is_some() { 0 } else { AT_ONCE / 2 };
        let is_allowed = self.left > kept;
        self.left -= u32::from(is_allowed);
        is_allowed
    }
}

impl Waiting {
    fn add(&mut self, entry: Entry, passed: Duration) {
        if self.counted.contains_key(&entry.event) || self.allowance.take(&entry.event, passed) {
            self.count(entry);
        } else {
            self.lost = self.lost.saturating_add(entry.times);
        }
    }

    fn count(&mut self, entry: Entry) {
        let number = self.counted.len();
        if let Some(count) = self.counted.get_mut(&entry.event) {
            count.times = count.times.saturating_add(entry.times);
            count.first_at = entry.at.map_or(count.first_at, |at| at.min(count.first_at));
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
    use crate::domain::caller::Origin;
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

    #[test]
    fn whoever_is_not_known_does_not_make_rows_by_other_names_and_addresses() {
        let refusals = refusals();
        for host in 0..500_u16 {
            let address = format!("2001:db8:0:1::{host:x}").parse().ok();
            let user_agent = Some(format!("agent {host}"));
            let origin = Origin { address, user_agent, dialect: None };
            refusals.refused(origin.event(Action::SignIn).refused(Reason::WrongCredentials));
        }
        let taken = refusals.take();
        assert_eq!((taken.len(), taken[0].times), (1, 500));
        assert_eq!(taken[0].event.address, "2001:db8:0:1::".parse().ok());
    }

    #[test]
    fn a_flood_from_many_networks_takes_few_rows_and_leaves_room_for_what_names_a_user() {
        let clock = Clock::manual(Timestamp::from_seconds(1));
        let refusals = Refusals::new(clock.clone());
        let mut rows = 0;
        for network in 0..5_000_u32 {
            let address = Some(std::net::IpAddr::V4(network.into()));
            let origin = Origin { address, ..Origin::default() };
            refusals.refused(origin.event(Action::SignIn).refused(Reason::WrongCredentials));
            if network % 100 == 99 {
                rows += refusals.take().iter().filter(|entry| entry.event.action == Action::SignIn).count();
            }
        }
        assert_eq!(rows, 512);
        refusals.refused(event(1));
        assert_eq!(refusals.take()[0].event, event(1));
        clock.advance(Duration::from_secs(1_000));
        refusals.refused(Event::by_server(Action::SignIn).refused(Reason::Throttled));
        assert_eq!(refusals.take().len(), 1);
    }
}
