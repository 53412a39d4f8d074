//! Who is connected: whoever keeps the server waiting for a request is sent away, and all are told
//! when it stops. A request costs two counts here and no timer, however many there are a second.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use atomic_waker::AtomicWaker;
use tokio::sync::watch;

/// A client's patience is counted in so many steps of the roster's clock.
const STEPS: u32 = 8;

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
        for seat in roster.lock().taken.values().filter(|seat| seat.is_silent(now)) {
            seat.tell(Order::Leave);
        }
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

/// One connection, as the roster sees it.
pub(super) struct Seat {
    clock: Arc<AtomicU32>,
    /// The clock when the client last had nothing to wait for, or last took bytes from us.
    since: AtomicU32,
    /// How many of its requests are being answered.
    answering: AtomicU32,
    /// By HTTP/2 a connection may be silent for long: it is asked for signs of life elsewhere.
    is_multiplexed: AtomicBool,
    order: AtomicU8,
    waker: AtomicWaker,
}

impl Seat {
    fn new(clock: Arc<AtomicU32>) -> Arc<Self> {
        Arc::new(Self {
            since: AtomicU32::new(clock.load(Ordering::Relaxed)),
            clock,
            answering: AtomicU32::new(0),
            is_multiplexed: AtomicBool::new(false),
            order: AtomicU8::new(Order::GoOn as u8),
            waker: AtomicWaker::new(),
        })
    }

    /// Begins the client's time anew.
    pub(super) fn touch(&self) {
        self.since.store(self.clock.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) fn is_multiplexed(&self) {
        self.is_multiplexed.store(true, Ordering::Relaxed);
    }

    /// Notes that a request is being answered, until what comes back is dropped.
    pub(super) fn answering(self: &Arc<Self>) -> Answering {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Answering(Arc::clone(self))
    }

    /// Whether the client has let the server wait for longer than it may.
    fn is_silent(&self, now: u32) -> bool {
        now.wrapping_sub(self.since.load(Ordering::Relaxed)) > STEPS
            && self.answering.load(Ordering::Relaxed) == 0
            && !self.is_multiplexed.load(Ordering::Relaxed)
    }

    fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Ordering::AcqRel);
        self.waker.wake();
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

/// A request that is being answered.
pub(super) struct Answering(Arc<Seat>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.touch();
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
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
    async fn who_is_silent_is_sent_away_and_who_is_answered_or_multiplexed_is_not() {
        let roster = Roster::start(PATIENCE);
        let (silent, served, multiplexed) = (roster.seat(), roster.seat(), roster.seat());
        let answering = served.seat.answering();
        multiplexed.seat.is_multiplexed();
        tokio::time::timeout(10 * PATIENCE, told_to_leave(&silent.seat)).await.unwrap();
        assert_eq!(order(&served.seat).await, Order::GoOn);
        drop(answering);
        tokio::time::timeout(10 * PATIENCE, told_to_leave(&served.seat)).await.unwrap();
        assert_eq!(order(&multiplexed.seat).await, Order::GoOn);
    }

    #[tokio::test]
    async fn a_client_has_its_whole_time_again_after_each_answer() {
        let roster = Roster::start(PATIENCE);
        let client = roster.seat();
        for _ in 0..6 {
            tokio::time::sleep(PATIENCE / 2).await;
            drop(client.seat.answering());
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
