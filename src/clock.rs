//! The only place that reads the time. Everything else is handed a [`Timestamp`] or a [`Clock`].

pub mod watch;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;

/// 0000-01-01T00:00:00Z and the last microsecond of 9999-12-31.
const EARLIEST: i64 = -62_167_219_200_000_000;
const LATEST: i64 = 253_402_300_799_999_999;

/// A moment in microseconds since 1970-01-01 UTC: the finest step that both databases keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The moment `seconds` seconds after the Unix epoch; stops at the far ends instead of wrapping.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// This moment and `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(micros_of(span)))
    }

    /// This moment and `span` earlier.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(micros_of(span)))
    }

    /// How long after `earlier` this moment is; zero when it is before it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0).max(0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }

    /// ISO 8601 in UTC with milliseconds: `2026-11-22T18:00:00.000Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).ok();
        let Some(moment) = moment.filter(|moment| (0..=9_999).contains(&moment.year())) else {
            return "9999-12-31T23:59:59.999Z".to_owned();
        };
        // By hand: one that reads a description takes 2,000 instructions, and a refresh writes four.
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let year = moment.year().unsigned_abs();
        let parts = [
            (0..4, year),
            (5..7, u8::from(moment.month()).into()),
            (8..10, moment.day().into()),
            (11..13, moment.hour().into()),
            (14..16, moment.minute().into()),
            (17..19, moment.second().into()),
            (20..23, moment.millisecond().into()),
        ];
        for (place, number) in parts {
            write_digits(&mut text[place], number);
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The beginning of a day in UTC, such as `2026-11-27`; `None` where `text` is none.
    #[must_use]
    pub fn parse_day(text: &str) -> Option<Self> {
        Self::parse_rfc3339(&format!("{text}T00:00:00Z"))
    }

    /// Reads an RFC 3339 moment; `None` where `text` is none, or one that [`Timestamp::rfc3339`]
    /// could not write: before the year 0 or after 9999 in UTC.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let moment = OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        let micros = i64::try_from(moment.unix_timestamp_nanos() / 1_000).ok()?;
        (EARLIEST..=LATEST).contains(&micros).then_some(Self(micros))
    }
}

/// Writes the last digits of `number`, as many as there is room for.
fn write_digits(room: &mut [u8], mut number: u32) {
    for digit in room.iter_mut().rev() {
        *digit = b"0123456789"[(number % 10) as usize];
        number /= 10;
    }
}

fn micros_of(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Where the time comes from: the system, another machine, or a hand that a test moves.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The system's real-time clock.
    #[default]
    System,
    /// Goes at the pace of this machine, and is set by another one's clock.
    Following(Arc<Following>),
    /// Stands still until moved.
    Manual(Arc<Hands>),
}

impl Clock {
    /// A clock that stands at `start` until [`Clock::advance`] or [`Clock::set`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(Hands { shown: AtomicI64::new(start.0), passed: AtomicU64::new(0) }))
    }

    /// A clock that shows the system's time until [`Clock::follow`] sets it.
    #[must_use]
    pub fn following() -> Self {
        Self::Following(Arc::new(Following { begun: Instant::now(), ahead: AtomicI64::new(system_now().0) }))
    }

    /// Sets a following clock: the other one showed `there` between `sent`, as [`Clock::own`] had it,
    /// and now. It is left alone where that may be so already.
    pub fn follow(&self, there: Timestamp, sent: Timestamp) {
        let Self::Following(following) = self else { return };
        let (least, most) = (there.0.saturating_sub(self.own().0), there.0.saturating_sub(sent.0));
        if !(least..=most).contains(&following.ahead.load(Ordering::Acquire)) {
            following.ahead.store(least.midpoint(most), Ordering::Release);
        }
    }

    /// What a following clock shows before it is set right; of the others, the present moment.
    #[must_use]
    pub fn own(&self) -> Timestamp {
        match self {
            Self::Following(following) => Timestamp(micros_of(following.begun.elapsed())),
            other => other.now(),
        }
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => system_now(),
            Self::Following(following) => Timestamp(self.own().0 + following.ahead.load(Ordering::Acquire)),
            Self::Manual(hands) => Timestamp(hands.shown.load(Ordering::SeqCst)),
        }
    }

    /// How much time has passed since some moment before, whatever the clock was set to meanwhile.
    #[must_use]
    pub fn passed(&self) -> Duration {
        static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);
        match self {
            Self::System => BEGUN.elapsed(),
            Self::Following(following) => following.begun.elapsed(),
            Self::Manual(hands) => Duration::from_micros(hands.passed.load(Ordering::SeqCst)),
        }
    }

    /// Lets time pass on a manual clock; a system clock does not listen.
    pub fn advance(&self, span: Duration) {
        if let Self::Manual(hands) = self {
            hands.shown.fetch_add(micros_of(span), Ordering::SeqCst);
            hands.passed.fetch_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX), Ordering::SeqCst);
        }
    }

    /// Has a manual clock show another time, as an operator or a time server sets a system's: no time
    /// passes.
    pub fn set(&self, to: Timestamp) {
        if let Self::Manual(hands) = self {
            hands.shown.store(to.0, Ordering::SeqCst);
        }
    }
}

/// The state of [`Clock::Manual`].
#[derive(Debug)]
pub struct Hands {
    shown: AtomicI64,
    passed: AtomicU64,
}

/// The state of [`Clock::Following`].
#[derive(Debug)]
pub struct Following {
    begun: Instant,
    /// What the other clock showed when this began.
    ahead: AtomicI64,
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's time")]
fn system_now() -> Timestamp {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(micros_of(elapsed))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::format_description;

    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_and_read_back() {
        let moment = Timestamp::from_micros(1_700_000_000_123_000);
        assert_eq!(moment.rfc3339(), "2023-11-14T22:13:20.123Z");
        assert_eq!(Timestamp::parse_rfc3339("2023-11-14T22:13:20.123Z"), Some(moment));
        assert_eq!(Timestamp::parse_rfc3339("yesterday"), None);
        for outside in ["0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-01:00"] {
            assert_eq!(Timestamp::parse_rfc3339(outside), None, "{outside}");
        }
        let first = Timestamp::parse_rfc3339("0000-01-01T00:00:00Z").unwrap();
        assert_eq!(first.rfc3339(), "0000-01-01T00:00:00.000Z");
    }

    proptest! {
        #[test]
        fn every_moment_is_written_as_the_library_would(micros in EARLIEST..=LATEST) {
            let description =
                format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap();
            prop_assert_eq!(Timestamp::from_micros(micros).rfc3339(), moment.format(description).unwrap());
        }
    }

    #[test]
    fn a_following_clock_is_set_by_another_and_left_alone_while_it_may_be_right() {
        let clock = Clock::following();
        assert!(clock.now().since(system_now()) < Duration::from_secs(1));
        for there in [system_now().plus(Duration::from_hours(24)), system_now().minus(Duration::from_hours(24))] {
            clock.follow(there, clock.own());
            let shown = clock.now();
            assert!(there.minus(Duration::from_secs(1)) < shown && shown < there.plus(Duration::from_secs(1)));
            // A slow answer that fits.
            let before = clock.own().minus(Duration::from_secs(4));
            clock.follow(clock.now().minus(Duration::from_secs(2)), before);
            assert!(clock.now().since(shown) < Duration::from_secs(1));
        }
    }

    #[test]
    fn times_do_not_wrap_at_the_far_ends() {
        let far = Timestamp::from_micros(i64::MAX);
        assert_eq!(far.plus(Duration::from_secs(1)), far);
        assert_eq!(Timestamp::from_micros(0).since(far), Duration::ZERO);
        assert!(far.rfc3339().starts_with("9999"));
    }
}
