//! The first row: from the caches, where the engine makes no difference and a second node takes a
//! second core, and past them, where each request reads the store.

use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::ensure;

use super::super::ask::{authentication, warm};
use crate::asking::Tape;
use crate::bench::Bench;
use crate::cluster::Site;
use crate::directory::Server;
use crate::process::Cores;
use crate::rounds::{Pair, compare, median};
use crate::table::{Line, Target};
use crate::tape::Draw;
use crate::wrk::Reading;

/// Caches of the least size, which hold some eight thousand tokens.
const SMALL_CACHES: &str = "[cache]\nmemory_mib = 1";

/// The same users on either engine, with the requests that are drawn from them.
struct Both {
    sqlite: Server,
    sqlite_tape: Tape,
    site: Site,
    tape: Tape,
}

impl Both {
    fn new(bench: &mut Bench, more: &str, cores: Cores) -> anyhow::Result<Self> {
        let directory = bench.filled(bench.plan.first)?;
        let site = Site::filled(bench, bench.plan.first)?;
        let sqlite_tape = bench.tape(&directory.files().asked(), &authentication(), Draw::Uniform)?;
        let tape = bench.tape(&site.files().asked(), &authentication(), Draw::Uniform)?;
        let sqlite = directory.serve(more, cores)?;
        warm(&sqlite, &directory)?;
        Ok(Self { sqlite, sqlite_tape, site, tape })
    }

    /// A node on PostgreSQL that was asked for every token once.
    fn node(&self, bench: &mut Bench, more: &str, cores: Cores) -> anyhow::Result<Server> {
        let node = self.site.serve(bench, more, cores)?;
        warm(&node, self.site.directory())?;
        Ok(node)
    }
}

/// What the rounds gave.
#[derive(Default)]
struct Rounds {
    /// One node on PostgreSQL, against SQLite.
    engines: Vec<Pair<Reading>>,
    /// Two nodes, against one.
    nodes: Vec<Pair<Reading>>,
    /// Transactions of the database for a request to the one node.
    transactions: Vec<f64>,
}

impl Rounds {
    /// Rounds of SQLite, of one node and of two, with the load generator on `client` where it asks
    /// one server.
    fn run(bench: &Bench, both: &Both, [one, other]: [&Server; 2], client: Cores) -> anyhow::Result<Self> {
        let round = |servers: &[&Server], cores, tape: &Tape, number| {
            bench.round(servers, cores, [&tape.warm_up(), &tape.round(number)])
        };
        let mut rounds = Self::default();
        for number in 0..bench.plan.pairs {
            let limit = round(&[&both.sqlite], client, &both.sqlite_tape, number)?;
            let before = both.site.transactions()?;
            let ours = round(&[one], client, &both.tape, number)?;
            let asked = ours.rate * Duration::from_secs(bench.plan.warm_up + bench.plan.seconds).as_secs_f64();
            rounds.transactions.push((both.site.transactions()? - before) / asked);
            rounds.engines.push(Pair { limit, ours });
            // Once more, as the load generator has other cores here.
            let limit = if client == Cores::Any { ours } else { round(&[one], Cores::Any, &both.tape, number)? };
            let ours = round(&[one, other], Cores::Any, &both.tape, number)?;
            rounds.nodes.push(Pair { limit, ours });
        }
        Ok(rounds)
    }
}

/// Each server has one core; the load generator the second one, or where it asks two nodes, what
/// these leave.
pub(super) fn cached(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    ensure!(available_parallelism()?.get() > 1, "two nodes on one core each need two cores");
    let both = Both::new(bench, "", Cores::Only(0))?;
    let (one, other) = (both.node(bench, "", Cores::Only(0))?, both.node(bench, "", Cores::Only(1))?);
    let Rounds { engines, nodes, transactions } = Rounds::run(bench, &both, [&one, &other], Cores::Only(1))?;
    let asked = 1_000.0 * median(transactions);
    Ok(vec![
        line("`cached` the first row, one node, against SQLite", &engines, Target::AtLeast(0.9)),
        Line::value("`cached` transactions of the database for 1,000 requests", "", asked, Target::AtMost(1.0)),
        line("`cached` two nodes, against one, the load generator on the same cores", &nodes, Target::None),
        Line::ratio(
            "`cached` what a request costs the nodes, two against one",
            "µs",
            compare(&nodes, |reading| reading.cpu),
            Target::AtMost(1.1),
        ),
    ])
}

/// Everything on all cores.
pub(super) fn uncached(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let both = Both::new(bench, SMALL_CACHES, Cores::Any)?;
    let (one, other) = (both.node(bench, SMALL_CACHES, Cores::Any)?, both.node(bench, SMALL_CACHES, Cores::Any)?);
    let Rounds { engines, nodes, transactions } = Rounds::run(bench, &both, [&one, &other], Cores::Any)?;
    Ok(vec![
        line("`uncached` the first row with 1 MiB of caches, one node, against SQLite", &engines, Target::None),
        Line::value("`uncached` reads of the database for a request", "", median(transactions), Target::None),
        line("`uncached` two nodes, against one", &nodes, Target::None),
    ])
}

fn line(figure: &str, pairs: &[Pair<Reading>], target: Target) -> Line {
    Line::ratio(figure, "/s", compare(pairs, |reading| reading.rate), target)
}
