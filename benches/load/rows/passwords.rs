//! Logins: how many a second, what they leave to others, and what happens when there are too many.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use doorward::domain::password::Cost;

use super::ask::{authentication, warm};
use crate::bench::Bench;
use crate::directory::Server;
use crate::process::Cores;
use crate::rounds::{Comparison, Pair, compare, median, p99, take_turns};
use crate::storm::{self, Tally, bare_hashes};
use crate::table::{Line, Target};

/// Logins are counted from here on: the first ones find the queue empty.
const RAMP: Duration = Duration::from_millis(500);
/// 200 requests a second.
const PACE: Duration = Duration::from_millis(5);

/// Logins a second of so many connections, over `seconds` after the ramp.
pub(crate) fn logins_a_second(server: &Server, connections: usize, seconds: u64) -> anyhow::Result<f64> {
    let from = Instant::now() + RAMP;
    let until = from + Duration::from_secs(seconds);
    let tally = storm::run(storm::log_in(server.address, connections, until))?;
    // Who is refused is not counted: a machine busy with other things shows in the figure.
    tally.require_only(&[200, 503])?;
    Ok(tally.rate(200, from, until))
}

fn bare_hashes_on_all_cores(seconds: u64) -> anyhow::Result<f64> {
    bare_hashes(Cost::DEFAULT, Duration::from_secs(seconds), available_parallelism()?.get())
}

pub(crate) fn logins(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let directory = bench.filled(bench.plan.small)?;
    let server = directory.serve("", Cores::Any)?;
    let seconds = bench.plan.seconds.max(2);
    logins_a_second(&server, 16, 1)?;
    let pairs =
        take_turns(bench.plan.pairs, |_| bare_hashes_on_all_cores(seconds), |_| logins_a_second(&server, 16, seconds))?;
    let rate = compare(&pairs, |rate| *rate);
    Ok(vec![Line::ratio("`logins` 16 connections, against bare hashes on all cores", "/s", rate, Target::AtLeast(0.9))])
}

pub(crate) fn calm(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let directory = bench.filled(bench.plan.first)?;
    let server = directory.serve("", Cores::Any)?;
    warm(&server, &directory)?;
    let requests = authentication().requests(&directory.files().asked())?;
    let rounds = bench.plan.pairs.min(2);
    let seconds = bench.plan.calm.div_ceil(rounds as u64);
    let (mut idle, mut busy, mut hashes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let bare = bare_hashes_on_all_cores(seconds.min(3))?;
        idle.extend(paced(&server, &requests, Instant::now() + Duration::from_secs(seconds))?);
        let (times, logins) = busy_times(&server, &requests, seconds)?;
        busy.extend(times);
        hashes.push(Pair { limit: bare, ours: logins });
    }
    let (quiet, loud) = (p99(idle), p99(busy));
    let compared = Comparison { limit: quiet, ours: loud, ratio: loud / quiet };
    Ok(vec![
        Line::ratio(
            "`calm` p99 of the first row at 200/s while 64 connections log in",
            "ms",
            compared,
            Target::AtMost(2.0),
        ),
        Line::value("`calm` that p99 itself", "ms", loud, Target::AtMost(6.0)),
        Line::ratio(
            "`calm` logins meanwhile, against bare hashes",
            "/s",
            compare(&hashes, |rate| *rate),
            Target::AtLeast(0.9),
        ),
    ])
}

/// Milliseconds of answers at a pace, until this moment.
fn paced(server: &Server, requests: &Arc<Vec<Vec<u8>>>, until: Instant) -> anyhow::Result<Vec<f64>> {
    let asking = storm::ask_at_pace(server.address, Arc::clone(requests), PACE, until);
    times_of(&storm::run(asking)?)
}

fn times_of(tally: &Tally) -> anyhow::Result<Vec<f64>> {
    tally.require_only(&[200])?;
    Ok(tally.took(|status| status == 200))
}

/// The same while 64 connections log in, and the logins a second meanwhile.
fn busy_times(server: &Server, requests: &Arc<Vec<Vec<u8>>>, seconds: u64) -> anyhow::Result<(Vec<f64>, f64)> {
    let from = Instant::now() + RAMP;
    let until = from + Duration::from_secs(seconds);
    let (address, requests) = (server.address, Arc::clone(requests));
    let (logins, asked) = storm::run(async move {
        let logins = tokio::spawn(storm::log_in(address, 64, until));
        tokio::time::sleep_until(from.into()).await;
        let asked = tokio::spawn(storm::ask_at_pace(address, requests, PACE, until));
        anyhow::Ok((logins.await?, asked.await?))
    })??;
    logins.require_only(&[200, 503])?;
    Ok((times_of(&asked)?, logins.rate(200, from, until)))
}

pub(crate) fn overload(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let (_, tally) = storm_on_fresh_server(bench)?;
    tally.require_only_answers_of(&[200, 503])?;
    let (refused, others) = (tally.took(|status| status == 503), tally.took(|status| status != 503));
    let refusals = refused.len();
    let slowest = others.iter().copied().fold(f64::NAN, f64::max);
    let name = |what: &str| format!("`overload` 500 connections log in, 100 ms after a 503 once more: {what}");
    let refused = if refusals == 0 {
        Line::not_measured(name("p99 of a 503"), "there was none")
    } else {
        Line::value(name(&format!("p99 of {refusals} answers 503")), "ms", p99(refused), Target::AtMost(100.0))
    };
    let unanswered = f64::from(u32::try_from(tally.unanswered.len()).unwrap_or(u32::MAX));
    Ok(vec![
        refused,
        Line::value(
            name(&format!("slowest of {} other answers", others.len())),
            "ms",
            slowest,
            Target::AtMost(2_500.0),
        ),
        Line::value(name("median of those"), "ms", median(others), Target::None),
        Line::value(name("requests without an answer"), "", unanswered, Target::AtMost(0.0)),
    ])
}

/// 500 connections log in on a server that has just started.
pub(crate) fn storm_on_fresh_server(bench: &mut Bench) -> anyhow::Result<(Server, Tally)> {
    let filled = bench.filled(bench.plan.small)?;
    // A copy: other rows need that directory without the sessions that begin here.
    let server = bench.copied(&filled)?.serve("", Cores::Any)?;
    let until = Instant::now() + Duration::from_secs(bench.plan.storm);
    let tally = storm::run(storm::log_in(server.address, 500, until))?;
    Ok((server, tally))
}
