//! What the server takes of the machine: memory, the time of a start, its size on disk.

use std::process::Command;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use super::ask::warm;
use super::passwords::storm_on_fresh_server;
use crate::bench::Bench;
use crate::directory::{Directory, PROGRAM, Server};
use crate::process::{Cores, Running, free_address};
use crate::rounds::median;
use crate::table::{Line, Target, progress};

/// The first start hashes a password; its memory is given back after some seconds of rest.
const REST: Duration = Duration::from_secs(15);
const STARTS: usize = 5;
const HASH_MIB: f64 = 19.0;
const STORM_MIB: f64 = 15.0;

/// A server that rests.
pub(crate) struct Idle {
    server: Server,
    since: Instant,
}

impl Idle {
    pub(crate) fn begin(bench: &mut Bench) -> anyhow::Result<Self> {
        let directory = bench.empty()?;
        let server = directory.serve("", Cores::Any)?;
        Ok(Self { server, since: Instant::now() })
    }
}

/// A server on which many logged in, and its memory right after.
pub(crate) struct Stormed {
    pub(crate) server: Server,
    pub(crate) memory: f64,
    pub(crate) at: Instant,
}

pub(crate) fn memory(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let idle = idle_memory(bench)?;
    let served = served_memory(bench)?;
    let stormed = match bench.stormed.take() {
        Some(stormed) => stormed,
        None => storm_on_fresh_server(bench)?.0,
    };
    sleep((stormed.at + REST).saturating_duration_since(Instant::now()));
    let later = stormed.server.process.resident_mebibytes()?;
    let threads = f64::from(u32::try_from(available_parallelism()?.get())?);
    let allowed = (idle + HASH_MIB * threads + STORM_MIB).round();
    let large = bench.plan.large;
    Ok(vec![
        Line::value("`memory` idle, 15 s after the first start", "MiB", idle, Target::AtMost(25.0)),
        Line::value(format!("`memory` with {large} users loaded and served"), "MiB", served, Target::AtMost(160.0)),
        Line::value(
            "`memory` after a login storm (idle, 19 MiB a hashing thread, and 15)",
            "MiB",
            stormed.memory,
            Target::AtMost(allowed),
        ),
        Line::value("`memory` 15 s later", "MiB", later, Target::None),
    ])
}

fn idle_memory(bench: &mut Bench) -> anyhow::Result<f64> {
    let idle = match bench.idle.take() {
        Some(idle) => idle,
        None => Idle::begin(bench)?,
    };
    sleep((idle.since + REST).saturating_duration_since(Instant::now()));
    idle.server.process.resident_mebibytes()
}

/// As the row `million` left it, or where that was not run, after every token was asked for once.
fn served_memory(bench: &mut Bench) -> anyhow::Result<f64> {
    if let Some(memory) = bench.served_memory {
        return Ok(memory);
    }
    let directory = bench.filled(bench.plan.large)?;
    let server = directory.serve("", Cores::Any)?;
    warm(&server, &directory)?;
    server.process.resident_mebibytes()
}

pub(crate) fn start(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let filled = bench.filled(bench.plan.large)?;
    progress("  starting again and again");
    let (mut empty, mut full) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let fresh = bench.empty()?;
        empty.push(time_of_start(bench, &fresh)?);
        full.push(time_of_start(bench, &filled)?);
    }
    let large = bench.plan.large;
    Ok(vec![
        Line::value("`start` to the first 200, empty directory", "ms", median(empty), Target::AtMost(100.0)),
        Line::value(format!("`start` to the first 200, {large} users"), "ms", median(full), Target::AtMost(500.0)),
    ])
}

/// Milliseconds from the start of the process to its first 200; then it is stopped.
fn time_of_start(bench: &mut Bench, directory: &Directory) -> anyhow::Result<f64> {
    let address = free_address()?;
    directory.configure(address, "")?;
    let log = bench.fresh("start");
    let mut command = Command::new(PROGRAM);
    command.args(["serve", "--config"]).arg(directory.files().config());
    let begun = Instant::now();
    let mut server = Running::spawn("the server", command, &log)?;
    server.wait_until_it_answers(address, Duration::from_secs(30))?;
    let took = begun.elapsed().as_secs_f64() * 1e3;
    server.stop()?;
    Ok(took)
}

pub(crate) fn size(_: &mut Bench) -> anyhow::Result<Vec<Line>> {
    #[expect(clippy::cast_precision_loss, reason = "a size in MB needs no exact bytes")]
    let size = std::fs::metadata(PROGRAM)?.len() as f64 / 1e6;
    Ok(vec![Line::value("`size` of the stripped release program", "MB", size, Target::AtMost(20.0))])
}
