//! Refreshes and logins: what PostgreSQL has to keep before they are answered.

use std::time::Duration;

use super::super::passwords::logins_a_second;
use super::super::refresh::{PATH, Runs};
use crate::bare_updates;
use crate::bench::Bench;
use crate::cluster::Site;
use crate::process::Cores;
use crate::rounds::{Comparison, Pair, compare, take_turns};
use crate::storm;
use crate::table::{Line, Target};
use crate::wrk::Reading;

/// As many connections as a node writes through, and as many as ask it.
const CONNECTIONS: [u32; 2] = [8, 64];

/// The same moment on SQLite, on PostgreSQL with one node and with two, and by PostgreSQL itself.
struct Turn {
    sqlite: Reading,
    one: Reading,
    two: Reading,
    bare: [f64; 2],
}

pub(super) fn refresh(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let filled = bench.filled(bench.plan.small)?;
    let directory = bench.copied(&filled)?;
    let site = Site::filled(bench, bench.plan.small)?.copied(bench)?;
    let sqlite = directory.serve("", Cores::Any)?;
    let (one, other) = (site.serve(bench, "", Cores::Any)?, site.serve(bench, "", Cores::Any)?);
    let bare_database = site.cluster().new_database();
    storm::run(bare_updates::prepare(&bare_database))??;
    let bare = |connections| {
        storm::run(bare_updates::rate(&bare_database, connections, Duration::from_secs(bench.plan.seconds)))?
    };
    let (mut sqlite_runs, mut runs) = (Runs::default(), Runs::default());
    let mut turns = Vec::new();
    for _ in 0..bench.plan.pairs {
        turns.push(Turn {
            sqlite: sqlite_runs.round(bench, (&[&sqlite], &directory), PATH)?,
            bare: [bare(CONNECTIONS[0])?, bare(CONNECTIONS[1])?],
            one: runs.round(bench, (&[&one], site.directory()), PATH)?,
            two: runs.round(bench, (&[&one, &other], site.directory()), PATH)?,
        });
    }
    Ok(lines(&turns))
}

fn lines(turns: &[Turn]) -> Vec<Line> {
    let against = |limit: fn(&Turn) -> f64, ours: fn(&Turn) -> f64| -> Comparison {
        let pairs: Vec<_> = turns.iter().map(|turn| Pair { limit: limit(turn), ours: ours(turn) }).collect();
        compare(&pairs, |rate| *rate)
    };
    let line = |what: &str, compared| Line::ratio(format!("`refresh` refreshes, {what}"), "/s", compared, Target::None);
    let one = |turn: &Turn| turn.one.rate;
    let [few, many] = CONNECTIONS;
    vec![
        line("one node, against SQLite", against(|turn| turn.sqlite.rate, one)),
        line(&format!("one node, against bare updates on {few} connections"), against(|turn| turn.bare[0], one)),
        line(&format!("one node, against bare updates on {many} connections"), against(|turn| turn.bare[1], one)),
        line("two nodes, against one", against(one, |turn| turn.two.rate)),
    ]
}

pub(super) fn logins(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let filled = bench.filled(bench.plan.small)?;
    let sqlite = bench.copied(&filled)?.serve("", Cores::Any)?;
    let site = Site::filled(bench, bench.plan.small)?.copied(bench)?;
    let postgres = site.serve(bench, "", Cores::Any)?;
    let seconds = bench.plan.seconds.max(2);
    for server in [&sqlite, &postgres] {
        logins_a_second(server, 16, 1)?;
    }
    let pairs = take_turns(
        bench.plan.pairs,
        |_| logins_a_second(&sqlite, 16, seconds),
        |_| logins_a_second(&postgres, 16, seconds),
    )?;
    let rate = compare(&pairs, |rate| *rate);
    Ok(vec![Line::ratio("`logins` 16 connections, against SQLite", "/s", rate, Target::AtLeast(0.9))])
}
