//! Whether a clock may be believed by what cannot be undone: a clock that is set, by hand or by a time
//! server that errs, must not have everything deleted that would be over at the time that it shows.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Clock, Timestamp};

/// How long a clock has to go evenly before it is believed.
const PROBATION: Duration = Duration::from_hours(1);
/// How far a clock may be from where it was expected at the next look, without having been set.
const SLACK: Duration = Duration::from_mins(1);

/// Holds what a clock shows against the time that has passed.
#[derive(Debug)]
pub struct Watch {
    clock: Clock,
    last: Mutex<Sight>,
}

/// One look at a clock.
#[derive(Clone, Copy, Debug)]
struct Sight {
    shown: Timestamp,
    passed: Duration,
    /// Since when, by the time that has passed, the clock goes evenly.
    even_since: Duration,
}

/// What a look at a clock tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It has gone evenly for an hour.
    Proven(Timestamp),
    /// It has not, or not yet.
    Unproven,
    /// It was set since the last look.
    SetAhead(Duration),
    /// It was set since the last look.
    SetBack(Duration),
}

impl Watch {
    /// Begins to watch a clock, which has proven nothing yet: it may have been set just before.
    #[must_use]
    pub fn over(clock: Clock) -> Self {
        let passed = clock.passed();
        let last = Sight { shown: clock.now(), passed, even_since: passed };
        Self { clock, last: Mutex::new(last) }
    }

    /// Looks at the clock. Between two looks it may be set forth and back unseen.
    pub fn look(&self) -> Verdict {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (shown, passed) = (self.clock.now(), self.clock.passed());
        let expected = last.shown.plus(passed.saturating_sub(last.passed));
        let (ahead, back) = (shown.since(expected), expected.since(shown));
        let is_set = ahead.max(back) > SLACK;
        let even_since = if is_set { passed } else { last.even_since };
        *last = Sight { shown, passed, even_since };
        match is_set {
            true if ahead > back => Verdict::SetAhead(ahead),
            true => Verdict::SetBack(back),
            false if passed.saturating_sub(even_since) >= PROBATION => Verdict::Proven(shown),
            false => Verdict::Unproven,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);
    const DAY: Duration = Duration::from_hours(24);

    fn watched() -> (Clock, Watch) {
        let clock = Clock::manual(Clock::System.now());
        (clock.clone(), Watch::over(clock))
    }

    /// Looks once a minute for an hour.
    fn an_hour(clock: &Clock, watch: &Watch) -> Verdict {
        for _ in 1..60 {
            clock.advance(MINUTE);
            assert_eq!(watch.look(), Verdict::Unproven);
        }
        clock.advance(MINUTE);
        watch.look()
    }

    #[test]
    fn a_clock_is_believed_once_it_went_evenly_for_an_hour() {
        let (clock, watch) = watched();
        assert_eq!(watch.look(), Verdict::Unproven, "it may have been set before the start");
        assert_eq!(an_hour(&clock, &watch), Verdict::Proven(clock.now()));
        clock.advance(30 * DAY);
        assert_eq!(watch.look(), Verdict::Proven(clock.now()), "so much time has passed");
    }

    #[test]
    fn a_clock_that_was_set_is_not_believed_for_another_hour() {
        let (clock, watch) = watched();
        an_hour(&clock, &watch);
        let now = clock.now();
        for (to, verdict) in [
            (now.plus(DAY), Verdict::SetAhead(DAY)),
            (now, Verdict::SetBack(DAY)),
            (now.minus(90 * Duration::from_secs(1)), Verdict::SetBack(Duration::from_secs(90))),
            (now.plus(MINUTE), Verdict::SetAhead(Duration::from_secs(150))),
        ] {
            clock.set(to);
            assert_eq!(watch.look(), verdict);
            assert_eq!(watch.look(), Verdict::Unproven);
        }
        assert_eq!(an_hour(&clock, &watch), Verdict::Proven(clock.now()));
    }

    #[test]
    fn a_clock_that_is_brought_right_step_by_step_was_not_set() {
        let (clock, watch) = watched();
        for _ in 0..59 {
            clock.advance(MINUTE);
            clock.set(clock.now().plus(Duration::from_secs(1)));
            assert_eq!(watch.look(), Verdict::Unproven);
        }
        clock.advance(MINUTE);
        assert_eq!(watch.look(), Verdict::Proven(clock.now()));
    }
}
