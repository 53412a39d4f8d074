//! The last day as bars: the numbers of each hour as lengths, in a box of 240 by 100.

use crate::actions::overview::Hour;

/// How many lines of the grid there are above the ground.
const STEPS: u64 = 4;

/// A day of hours.
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    /// What the lines of the grid stand for, from the top down.
    pub(super) scale: Vec<u64>,
    /// Every sixth hour, by its name.
    pub(super) hours: Vec<String>,
    pub(super) sign_ins: u64,
    pub(super) refused: u64,
}

/// An hour: what was done below, what was refused on top of it.
pub(super) struct Bar {
    /// `15:00`, in UTC.
    pub(super) hour: String,
    pub(super) sign_ins: u64,
    pub(super) refused: u64,
    pub(super) x: usize,
    pub(super) done_y: String,
    pub(super) done_height: String,
    pub(super) refused_y: String,
    pub(super) refused_height: String,
}

impl Chart {
    /// Of the hours of a day, oldest first.
    pub(super) fn of(hours: &[Hour]) -> Self {
        let highest = hours.iter().map(|hour| hour.sign_ins.saturating_add(hour.refused)).max().unwrap_or_default();
        let top = round_up(highest);
        let bars: Vec<_> = hours.iter().enumerate().map(|(index, hour)| bar(index, hour, top)).collect();
        Self {
            hours: bars.iter().step_by(6).map(|bar| bar.hour.clone()).collect(),
            scale: (0..=STEPS).rev().map(|step| top / STEPS * step).collect(),
            sign_ins: hours.iter().map(|hour| hour.sign_ins).sum(),
            refused: hours.iter().map(|hour| hour.refused).sum(),
            bars,
        }
    }
}

/// The least of 4, 8, 20, 40, 80, 200, … that is not less: each line of the grid is a round number then.
fn round_up(highest: u64) -> u64 {
    let mut step = 1_u64;
    loop {
        for factor in [1, 2, 5] {
            let top = step.saturating_mul(factor).saturating_mul(STEPS);
            if top >= highest {
                return top;
            }
        }
        step = step.saturating_mul(10);
    }
}

/// What is left open between the two parts of a bar, in tenths.
const GAP: u64 = 6;

fn bar(index: usize, hour: &Hour, top: u64) -> Bar {
    let (done, refused) = (tenths(hour.sign_ins, top), tenths(hour.refused, top));
    let gap = if done > 0 { GAP } else { 0 };
    Bar {
        hour: hour.from.rfc3339().get(11..16).unwrap_or_default().to_owned(),
        sign_ins: hour.sign_ins,
        refused: hour.refused,
        x: index * 10 + 1,
        done_y: length(1_000_u64.saturating_sub(done)),
        done_height: length(done),
        refused_y: length(1_000_u64.saturating_sub(done + refused)),
        refused_height: length(refused.saturating_sub(gap).max(GAP)),
    }
}

/// A part of the height in tenths of a hundredth; what is there at all is seen.
fn tenths(part: u64, whole: u64) -> u64 {
    let share = u128::from(part) * 1_000 / u128::from(whole.max(1));
    u64::try_from(share).unwrap_or(1_000).max(u64::from(part > 0) * 8)
}

fn length(tenths: u64) -> String {
    format!("{}.{}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn hour(index: i64, sign_ins: u64, refused: u64) -> Hour {
        Hour { from: Timestamp::from_seconds(1_795_348_800 + index * 3_600), sign_ins, refused }
    }

    #[test]
    fn the_highest_hour_fits_below_a_round_number() {
        for (highest, top) in [(0, 4), (4, 4), (5, 8), (9, 20), (388, 400), (401, 800), (u64::MAX, u64::MAX)] {
            assert_eq!(round_up(highest), top, "{highest}");
        }
    }

    #[test]
    fn bars_stand_on_the_ground_and_refusals_on_what_was_done() {
        let chart = Chart::of(&[hour(0, 100, 50), hour(1, 0, 0), hour(2, 200, 0)]);
        assert_eq!(chart.scale, [200, 150, 100, 50, 0]);
        assert_eq!((chart.sign_ins, chart.refused), (300, 50));
        let first = &chart.bars[0];
        assert_eq!((&*first.done_y, &*first.done_height), ("50.0", "50.0"));
        assert_eq!((&*first.refused_y, &*first.refused_height), ("25.0", "24.4"));
        assert_eq!((first.x, &*first.hour), (1, "12:00"));
        assert_eq!(chart.bars[2].done_y, "0.0");
    }

    #[test]
    fn one_among_many_is_seen() {
        assert_eq!(Chart::of(&[hour(0, 1, 100_000)]).bars[0].done_height, "0.8");
    }
}
