//! Refreshes: durable writes that share their commits.

use crate::bench::Bench;
use crate::directory::{Directory, Server};
use crate::process::Cores;
use crate::rounds::{Pair, compare};
use crate::seed::REFRESH;
use crate::table::{Line, Target};
use crate::wrk::{Reading, Script, THREADS};

pub(super) const PATH: &str = "/auth/refresh-tokens";
/// More than each thread has connections: some tokens are lost in answers that nobody awaits.
const TOKENS_A_THREAD: usize = 48;

/// Each run has sessions of its own: the last answers of a run are lost, and a used token would
/// end its session in a later one.
#[derive(Default)]
pub(super) struct Runs(usize);

impl Runs {
    fn script(&mut self, directory: &Directory, path: &'static str) -> Script {
        let first = self.0 * TOKENS_A_THREAD * THREADS;
        self.0 += 1;
        Script::Refresh { tokens: directory.files().refresh(), width: REFRESH, records: (first, TOKENS_A_THREAD), path }
    }

    /// A round after its warm-up, each a run.
    pub(super) fn round(
        &mut self,
        bench: &Bench,
        (servers, directory): (&[&Server], &Directory),
        path: &'static str,
    ) -> anyhow::Result<Reading> {
        let [warm_up, round] = [(); 2].map(|()| self.script(directory, path));
        bench.round(servers, Cores::Any, [&warm_up, &round])
    }
}

pub(crate) fn refresh(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let filled = bench.filled(bench.plan.small)?;
    // Copies: a session moves on with each refresh, and another row may need it as it was.
    let (shared, alone) = (bench.copied(&filled)?, bench.copied(&filled)?);
    let server = shared.serve("", Cores::Any)?;
    let single = alone.serve("commit_group = 1", Cores::Any)?;
    let limit_server = bench.limit()?;
    let (mut ours_runs, mut limit_runs, mut single_runs) = (Runs::default(), Runs::default(), Runs::default());
    let (mut updates, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.pairs {
        let limit = limit_runs.round(bench, (&[&limit_server], &shared), "/update")?;
        let ours = ours_runs.round(bench, (&[&server], &shared), PATH)?;
        updates.push(Pair { limit, ours });
        let limit = single_runs.round(bench, (&[&single], &alone), PATH)?;
        commits.push(Pair { limit, ours });
    }
    let rate = |reading: &Reading| reading.rate;
    Ok(vec![
        Line::ratio(
            "`refresh` refreshes, against bare axum with one grouped update each",
            "/s",
            compare(&updates, rate),
            Target::AtLeast(0.6),
        ),
        Line::ratio(
            "`refresh` refreshes, against one commit a request",
            "/s",
            compare(&commits, rate),
            Target::AtLeast(2.0),
        ),
    ])
}
