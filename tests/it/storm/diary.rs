//! What clients were told and how soon, and what should not have happened to them.

use std::fmt;
use std::time::{Duration, Instant};

use super::clients::Outcome;

#[derive(Default)]
pub(super) struct Diary {
    answers: Vec<(Outcome, Duration)>,
    pub(super) faults: Vec<String>,
}

impl Diary {
    pub(super) fn of_all(diaries: Vec<Self>) -> Self {
        diaries.into_iter().fold(Self::default(), |mut all, one| {
            all.answers.extend(one.answers);
            all.faults.extend(one.faults);
            all
        })
    }

    /// Notes what came of a request that was begun then; whether it was an answer.
    pub(super) fn note(&mut self, began: Instant, outcome: Result<Outcome, String>) -> bool {
        let took = began.elapsed();
        match outcome {
            Ok(outcome) => self.answers.push((outcome, took)),
            Err(fault) => {
                self.faults.push(format!("after {took:?}: {fault}"));
                return false;
            }
        }
        true
    }

    /// How soon these answers came.
    pub(super) fn latencies(&self, of: impl Fn(Outcome) -> bool) -> Latencies {
        let mut latencies: Vec<_> =
            self.answers.iter().filter(|(outcome, _)| of(*outcome)).map(|(_, took)| *took).collect();
        latencies.sort_unstable();
        Latencies(latencies)
    }
}

impl fmt::Debug for Diary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = Outcome::ALL.map(|outcome| (outcome, self.latencies(|one| one == outcome)));
        f.debug_map().entries(told.into_iter().filter(|(_, latencies)| latencies.count() > 0)).finish()
    }
}

/// How soon answers came, in ascending order.
pub(super) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub(super) fn p99(&self) -> Duration {
        self.percentile(99)
    }

    pub(super) fn max(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    fn percentile(&self, percent: usize) -> Duration {
        self.0.get(self.count() * percent / 100).copied().unwrap_or_default()
    }
}

impl fmt::Debug for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (median, p99, max) = (self.median(), self.p99(), self.max());
        write!(f, "{} (median {median:?}, p99 {p99:?}, max {max:?})", self.count())
    }
}
