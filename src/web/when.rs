//! Moments as people say them: how long ago, and the exact one.

use super::texts::Texts;
use crate::clock::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// From here on the day itself says more than how many have passed.
const LONG: u64 = 30 * DAY;

/// A moment, behind however many references a template puts before it.
pub(super) trait Moment {
    fn moment(&self) -> Timestamp;
}

impl Moment for Timestamp {
    fn moment(&self) -> Timestamp {
        *self
    }
}

impl<M: Moment> Moment for &M {
    fn moment(&self) -> Timestamp {
        (**self).moment()
    }
}

/// `3 hours ago`, or `in 3 hours`; the day of what is further away. The script of the pages counts in the same way.
pub(super) fn ago(t: &Texts, now: Timestamp, at: Timestamp) -> String {
    let (passed, to_come) = (now.since(at).as_secs(), at.since(now).as_secs());
    match passed.max(to_come) {
        LONG.. => written(t, t.date, at),
        _ if to_come > 0 => said(t.future, to_come),
        _ => said(t.times, passed),
    }
}

fn said(words: &str, seconds: u64) -> String {
    let words: Vec<_> = words.split('|').collect();
    let (count, one) = match seconds {
        0..MINUTE => (0, 0),
        MINUTE..HOUR => (seconds / MINUTE, 1),
        HOUR..DAY => (seconds / HOUR, 3),
        _ => (seconds / DAY, 5),
    };
    let word = words.get(one + usize::from(count > 1)).copied().unwrap_or_default();
    word.replace("{}", &count.to_string())
}

/// `27 November 2026, 14:03 UTC`.
pub(super) fn exactly(t: &Texts, at: Timestamp) -> String {
    written(t, t.moment, at)
}

fn written(t: &Texts, places: &str, at: Timestamp) -> String {
    let text = at.rfc3339();
    let part = |range| text.get(range).unwrap_or_default();
    let month: usize = part(5..7).parse().unwrap_or(1);
    let month = t.months.get(month.wrapping_sub(1)).copied().unwrap_or_default();
    let day = part(8..10).trim_start_matches('0');
    let values = [("{day}", day), ("{month}", month), ("{year}", part(0..4)), ("{time}", part(11..16))];
    values.iter().fold(places.to_owned(), |text, (place, value)| text.replace(place, value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::texts::{DE, EN};

    const NOON: Timestamp = Timestamp::from_seconds(1_795_348_800);

    #[test]
    fn moments_are_said_in_the_readers_language() {
        let at = |seconds: i64| Timestamp::from_seconds(NOON.seconds() - seconds);
        for (seconds, english, german) in [
            (0, "just now", "gerade eben"),
            (59, "just now", "gerade eben"),
            (60, "1 minute ago", "vor 1 Minute"),
            (7_199, "1 hour ago", "vor 1 Stunde"),
            (7_200, "2 hours ago", "vor 2 Stunden"),
            (864_000, "10 days ago", "vor 10 Tagen"),
            (2_591_999, "29 days ago", "vor 29 Tagen"),
            (2_592_000, "23 October 2026", "23. Oktober 2026"),
            (-86_400, "in 1 day", "in 1 Tag"),
            (-2_592_000, "22 December 2026", "22. Dezember 2026"),
        ] {
            assert_eq!(ago(&EN, NOON, at(seconds)), english);
            assert_eq!(ago(&DE, NOON, at(seconds)), german);
        }
    }

    #[test]
    fn the_exact_moment_is_there_too() {
        assert_eq!(exactly(&EN, NOON), "22 November 2026, 12:00 UTC");
        assert_eq!(exactly(&DE, NOON), "22. November 2026, 12:00 UTC");
    }
}
