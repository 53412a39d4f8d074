//! Refreshes: durable writes that share their commits.

use crate::bench::Bench;
use crate::directory::{Directory, Server};
use crate::process::Cores;
use crate::rounds::{Pair, compare};
use crate::seed::REFRESH;
use crate::table::{Line, Target};
use crate::wrk::{Reading, Script, THREADS};

const PATH: &str = "/auth/refresh-tokens";
/// More than each thread has connections: some tokens are lost in answers that nobody awaits.
const TOKENS_A_THREAD: usize = 48;

/// Each run has sessions of its own: the last answers of a run are lost, and a used token would
/// end its session in a later one.
struct Runs(usize);

impl Runs {
    fn script(&mut self, directory: &Directory, path: &'static str) -> Script {
        let first = self.0 * TOKENS_A_THREAD * THREADS;
        self.0 += 1;
        Script::Refresh { tokens: directory.files().refresh(), width: REFRESH, records: (first, TOKENS_A_THREAD), path }
    }

    /// A round after its warm-up, each a run.
    fn round(
        &mut self,
        bench: &Bench,
        server: (std::net::SocketAddr, &Directory),
        path: &'static str,
    ) -> anyhow::Result<Reading> {
        let (address, directory) = server;
        if bench.plan.warm_up > 0 {
            bench.wrk(address, &self.script(directory, path), bench.plan.warm_up)?;
        }
        bench.wrk(address, &self.script(directory, path), bench.plan.seconds)
    }
}

pub(crate) fn refresh(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let filled = bench.filled(bench.plan.small)?;
    // Copies: a session moves on with each refresh, and another row may need it as it was.
    let (shared, alone) = (bench.copied(&filled, 0)?, bench.copied(&filled, 0)?);
    let server = shared.serve("", Cores::Any)?;
    let single = one_commit_a_request(&alone)?;
    let limit = bench.limit()?;
    let (mut ours_runs, mut limit_runs, mut single_runs) = (Runs(0), Runs(0), Runs(0));
    let (mut updates, mut commits) = (Vec::new(), Vec::new());
    for _ in 0..bench.plan.pairs {
        let limit = limit_runs.round(bench, (limit, &shared), "/update")?;
        let ours = ours_runs.round(bench, (server.address, &shared), PATH)?;
        updates.push(Pair { limit, ours });
        if let Some(single) = &single {
            let limit = single_runs.round(bench, (single.address, &alone), PATH)?;
            commits.push(Pair { limit, ours });
        }
    }
    let rate = |reading: &Reading| reading.rate;
    let name = "`refresh` refreshes, against one commit a request";
    Ok(vec![
        Line::ratio(
            "`refresh` refreshes, against bare axum with one grouped update each",
            "/s",
            compare(&updates, rate),
            Target::AtLeast(0.6),
        ),
        if single.is_some() {
            Line::ratio(name, "/s", compare(&commits, rate), Target::AtLeast(2.0))
        } else {
            Line::not_measured(name, "this server has no setting `commit_group`")
        },
    ])
}

/// The same server with one commit a request; `None` where there is no such setting.
fn one_commit_a_request(directory: &Directory) -> anyhow::Result<Option<Server>> {
    match directory.serve("commit_group = 1", Cores::Any) {
        Ok(server) => Ok(Some(server)),
        Err(error) if error.to_string().contains("unknown key \"commit_group\"") => Ok(None),
        Err(error) => Err(error),
    }
}
