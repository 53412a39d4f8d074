//! Rounds that take turns, so that whatever else the machine does falls on both sides alike.

use anyhow::Result;

/// What the same moment gave on both sides.
pub(crate) struct Pair<R> {
    pub(crate) limit: R,
    pub(crate) ours: R,
}

/// A comparison: the medians of both sides, and the median of the pairs' ratios.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Comparison {
    pub(crate) limit: f64,
    pub(crate) ours: f64,
    pub(crate) ratio: f64,
}

/// Runs the limit, ours, the limit, ours, and so on; each is given the round's number.
pub(crate) fn take_turns<R>(
    pairs: usize,
    mut limit: impl FnMut(usize) -> Result<R>,
    mut ours: impl FnMut(usize) -> Result<R>,
) -> Result<Vec<Pair<R>>> {
    (0..pairs).map(|round| Ok(Pair { limit: limit(round)?, ours: ours(round)? })).collect()
}

/// Compares one figure of the pairs.
pub(crate) fn compare<R>(pairs: &[Pair<R>], figure: impl Fn(&R) -> f64) -> Comparison {
    Comparison {
        limit: median(pairs.iter().map(|pair| figure(&pair.limit)).collect()),
        ours: median(pairs.iter().map(|pair| figure(&pair.ours)).collect()),
        ratio: median(pairs.iter().map(|pair| figure(&pair.ours) / figure(&pair.limit)).collect()),
    }
}

/// The middle one; of two in the middle, their mean.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => values[count / 2],
        count => f64::midpoint(values[count / 2 - 1], values[count / 2]),
    }
}

/// The value below which 99 of 100 lie.
pub(crate) fn p99(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (values.len() * 99).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
