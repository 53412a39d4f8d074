//! Who is connected: whoever keeps the server waiting for a request is sent away, and all are told
//! when it stops. A request costs some counts here and no timer, however many there are a second.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::sync::watch;

/// A client's patience is counted in so many steps of the roster's clock.
const STEPS: u32 = 8;
/// By HTTP/2 a connection may wait for its next request so many times as long: it is one for all
/// that a client does, and costs more to make.
const MULTIPLEXED: u32 = 6;

/// All connections.
pub(super) struct Roster {
    /// Steps since the start.
    clock: Arc<AtomicU32>,
    seats: Mutex<Seats>,
    count: watch::Sender<usize>,
}

#[derive(Default)]
struct Seats {
    next: u64,
    taken: HashMap<u64, Arc<Seat>>,
    /// Whether all were told to finish.
    closing: bool,
}

impl Roster {
    /// A roster whose connections may be silent for `patience` before a request of theirs is there.
    /// Its clock runs until nobody holds it.
    pub(super) fn start(patience: Duration) -> Arc<Self> {
        let roster = Arc::new(Self { clock: Arc::default(), seats: Mutex::default(), count: watch::Sender::new(0) });
        tokio::spawn(send_the_silent_away(Arc::downgrade(&roster), patience / STEPS));
        roster
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat on no roster.
    #[cfg(test)]
    pub(super) fn lone_seat() -> Arc<Seat> {
        Seat::new(Arc::default())
    }

    /// A seat for a new connection, given back when it is dropped.
    pub(super) fn seat(self: &Arc<Self>) -> Seated {
        let seat = Seat::new(Arc::clone(&self.clock));
        let mut seats = self.lock();
        if seats.closing {
            seat.tell(Order::Finish);
        }
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, Arc::clone(&seat));
        self.count.send_replace(seats.taken.len());
        drop(seats);
        Seated { roster: Arc::clone(self), number, seat }
    }

    /// How many connections there are.
    pub(super) fn count(&self) -> usize {
        *self.count.borrow()
    }

    /// Waits until there are fewer than so many.
    pub(super) async fn fewer_than(&self, room: usize) {
        // The sender is this roster's own: it cannot be gone.
        let _ = self.count.subscribe().wait_for(|count| *count < room).await;
    }

    fn leave(&self, number: u64) {
        let mut seats = self.lock();
        seats.taken.remove(&number);
        self.count.send_replace(seats.taken.len());
    }

    fn tell_all(&self, order: Order) {
        let mut seats = self.lock();
        seats.closing = true;
        seats.taken.values().for_each(|seat| seat.tell(order));
    }

    /// Has every connection answer what it is at, and end; cuts off those that have not after `grace`.
    pub(super) async fn close(&self, grace: Duration) {
        let mut count = self.count.subscribe();
        self.tell_all(Order::Finish);
        let all_left = tokio::time::timeout(grace, count.wait_for(|count| *count == 0)).await.is_ok();
        if !all_left {
            self.tell_all(Order::Leave);
            // The sender is this roster's own: it cannot be gone.
            let _ = count.wait_for(|count| *count == 0).await;
        }
    }
}

async fn send_the_silent_away(roster: Weak<Roster>, step: Duration) {
    loop {
        tokio::time::sleep(step).await;
        let Some(roster) = roster.upgrade() else { return };
        let now = roster.clock.fetch_add(1, Ordering::Relaxed) + 1;
        roster.lock().taken.values().for_each(|seat| seat.tell(seat.due(now)));
    }
}

/// What a connection is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    /// Nothing in particular.
    GoOn = 0,
    /// Answer what is in flight, and end.
    Finish = 1,
    /// End.
    Leave = 2,
}

/// How requests come on a connection: not known before the first; by HTTP/1, one after the other;
/// by HTTP/2, many at once.
const UNKNOWN: u8 = 0;
const ONE_BY_ONE: u8 = 1;
const AT_ONCE: u8 = 2;

/// One connection, as the roster sees it.
pub(super) struct Seat {
    clock: Arc<AtomicU32>,
    /// The clock when the client last had nothing to wait for, or last took bytes of an answer.
    since: AtomicU32,
    /// How many of its requests are being read or answered.
    engaged: AtomicU32,
    manner: AtomicU8,
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Seat {
    fn new(clock: Arc<AtomicU32>) -> Arc<Self> {
        Arc::new(Self {
            since: AtomicU32::new(clock.load(Ordering::Relaxed)),
            clock,
            engaged: AtomicU32::new(0),
            manner: AtomicU8::new(UNKNOWN),
            order: AtomicU8::new(Order::GoOn as u8),
            waker: AtomicWaker::new(),
        })
    }

    /// Begins the client's time anew.
    pub(super) fn touch(&self) {
        self.since.store(self.clock.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Begins it anew where bytes were part of an answer for sure: by HTTP/2 they may be those of a
    /// sign of life, which a client can have for the asking.
    pub(super) fn touch_by_write(&self) {
        if self.manner.load(Ordering::Relaxed) == ONE_BY_ONE {
            self.touch();
        }
    }

    /// Notes that a request is being read or answered, until what comes back is dropped.
    pub(super) fn engage(self: &Arc<Self>, is_multiplexed: bool) -> Engaged {
        self.manner.store(if is_multiplexed { AT_ONCE } else { ONE_BY_ONE }, Ordering::Relaxed);
        self.engaged.fetch_add(1, Ordering::Relaxed);
        Engaged(Arc::clone(self))
    }

    /// What a client is to be told that has let the server wait for so long.
    fn due(&self, now: u32) -> Order {
        if self.engaged.load(Ordering::Acquire) > 0 {
            return Order::GoOn;
        }
        let silent = now.wrapping_sub(self.since.load(Ordering::Relaxed));
        let is_multiplexed = self.manner.load(Ordering::Relaxed) == AT_ONCE;
        let patience = if is_multiplexed { MULTIPLEXED * STEPS } else { STEPS };
        match silent.saturating_sub(patience) {
            0 => Order::GoOn,
            // What it has not taken of its answers yet it may still take.
            1..=STEPS if is_multiplexed => Order::Finish,
            _ => Order::Leave,
        }
    }

    fn tell(&self, order: Order) {
        if self.order.fetch_max(order as u8, Ordering::AcqRel) < order as u8 {
            self.waker.wake();
        }
    }

    /// The order; a later one wakes the task of `context`.
    pub(super) fn order(&self, context: &Context<'_>) -> Order {
        self.waker.register(context.waker());
        match self.order.load(Ordering::Acquire) {
            0 => Order::GoOn,
            1 => Order::Finish,
            _ => Order::Leave,
        }
    }

    /// What `work` gives, unless the connection is told to end before.
    pub(super) async fn unless_told<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = pin!(work);
        poll_fn(|context| match self.order(context) {
            Order::GoOn => work.as_mut().poll(context).map(Some),
            Order::Finish | Order::Leave => Poll::Ready(None),
        })
        .await
    }
}

/// A seat that is taken.
pub(super) struct Seated {
    roster: Arc<Roster>,
    number: u64,
    pub(super) seat: Arc<Seat>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.roster.leave(self.number);
    }
}

/// A request that is being read or answered.
pub(super) struct Engaged(Arc<Seat>);

impl Drop for Engaged {
    fn drop(&mut self) {
        self.0.touch();
        self.0.engaged.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(80);

    async fn order(seat: &Seat) -> Order {
        poll_fn(|context| Poll::Ready(seat.order(context))).await
    }

    /// Waits until the connection is told to leave.
    async fn told_to_leave(seat: &Seat) {
        poll_fn(|context| if seat.order(context) == Order::Leave { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    #[tokio::test]
    async fn who_is_silent_is_sent_away_and_who_is_answered_is_not() {
        let roster = Roster::start(PATIENCE);
        let (silent, served) = (roster.seat(), roster.seat());
        let engaged = served.seat.engage(false);
        tokio::time::timeout(10 * PATIENCE, told_to_leave(&silent.seat)).await.unwrap();
        assert_eq!(order(&served.seat).await, Order::GoOn);
        drop(engaged);
        tokio::time::timeout(10 * PATIENCE, told_to_leave(&served.seat)).await.unwrap();
    }

    #[test]
    fn a_multiplexed_connection_may_wait_longer_and_is_then_told_before_it_is_cut_off() {
        let seat = Roster::lone_seat();
        drop(seat.engage(true));
        let waits = MULTIPLEXED * STEPS;
        for (now, order) in [
            (waits, Order::GoOn),
            (waits + 1, Order::Finish),
            (waits + STEPS, Order::Finish),
            (waits + STEPS + 1, Order::Leave),
        ] {
            assert_eq!(seat.due(now), order, "{now}");
        }
        let engaged = seat.engage(true);
        assert_eq!(seat.due(u32::MAX), Order::GoOn, "a request is being answered");
        drop(engaged);
    }

    #[test]
    fn signs_of_life_begin_no_clients_time_anew() {
        let clock = Arc::new(AtomicU32::new(0));
        let [unknown, one_by_one, at_once] = [(); 3].map(|()| Seat::new(Arc::clone(&clock)));
        drop((one_by_one.engage(false), at_once.engage(true)));
        clock.store(5, Ordering::Relaxed);
        for seat in [&unknown, &one_by_one, &at_once] {
            seat.touch_by_write();
        }
        let since = [unknown, one_by_one, at_once].map(|seat| seat.since.load(Ordering::Relaxed));
        assert_eq!(since, [0, 5, 0]);
    }

    #[tokio::test]
    async fn a_client_has_its_whole_time_again_after_each_answer() {
        let roster = Roster::start(PATIENCE);
        let client = roster.seat();
        for _ in 0..6 {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(client.seat.engage(false));
        }
        assert_eq!(order(&client.seat).await, Order::GoOn);
    }

    #[tokio::test]
    async fn all_are_told_to_finish_and_waited_for_and_then_cut_off() {
        let roster = Roster::start(Duration::from_mins(1));
        let (quick, slow) = (roster.seat(), roster.seat());
        let serve = |seated: Seated, last: Order| async move {
            poll_fn(|context| if seated.seat.order(context) >= last { Poll::Ready(()) } else { Poll::Pending }).await;
        };
        let clients = [tokio::spawn(serve(quick, Order::Finish)), tokio::spawn(serve(slow, Order::Leave))];
        tokio::time::timeout(Duration::from_secs(5), roster.close(Duration::from_millis(50))).await.unwrap();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(order(&roster.seat().seat).await, Order::Finish, "who comes later is told too");
    }
}
