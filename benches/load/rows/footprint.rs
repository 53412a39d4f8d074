//! What the server takes of the machine: memory, the time of a start, its size on disk.

use std::process::Command;
use std::thread::{available_parallelism, sleep};
use std::time::{Duration, Instant};

use super::ask::warm;
use super::passwords::storm_on_fresh_server;
use crate::bench::{Bench, Plan};
use crate::directory::{Directory, PROGRAM};
use crate::process::{Cores, Running, free_address};
use crate::rounds::median;
use crate::table::{Line, Target, progress};

/// The first start hashes a password; its memory is given back after some seconds of rest.
const REST: Duration = Duration::from_secs(15);
const STARTS: usize = 5;
const HASH_MIB: f64 = 19.0;
const STORM_MIB: f64 = 15.0;

pub(crate) fn memory(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let served = served_memory(bench)?;
    let (stormed, _) = storm_on_fresh_server(bench)?;
    let storm = stormed.process.resident_mebibytes()?;
    let idle = bench.empty()?.serve("", Cores::Any)?;
    progress("  resting");
    sleep(REST);
    let (idle, later) = (idle.process.resident_mebibytes()?, stormed.process.resident_mebibytes()?);
    let threads = f64::from(u32::try_from(available_parallelism()?.get())?);
    let allowed = (idle + HASH_MIB * threads + STORM_MIB).round();
    let large = bench.plan.large;
    Ok(vec![
        Line::value("`memory` idle, 15 s after the first start", "MiB", idle, Target::AtMost(25.0)),
        Line::value(format!("`memory` with {large} users loaded and served"), "MiB", served, Target::AtMost(160.0)),
        Line::value(
            "`memory` after a login storm (idle, 19 MiB a hashing thread, and 15)",
            "MiB",
            storm,
            Target::AtMost(allowed),
        ),
        Line::value("`memory` 15 s after that storm", "MiB", later, Target::None),
    ])
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
    let Plan { first, large, ended, .. } = bench.plan;
    let filled = bench.filled(large)?;
    // All ended sessions are read at the start.
    let revoked = bench.filled_with_ended(first, ended)?;
    progress("  starting again and again");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..STARTS {
        let directories = [bench.empty()?, filled.clone(), revoked.clone()];
        for (times, directory) in times.iter_mut().zip(&directories) {
            times.push(time_of_start(bench, directory)?);
        }
    }
    let [empty, full, ending] = times.map(median);
    let name = |what: &str| format!("`start` to the first 200, {what}");
    let revoked = name(&format!("{first} users and {ended} ended sessions"));
    Ok(vec![
        Line::value(name("empty directory"), "ms", empty, Target::AtMost(100.0)),
        Line::value(name(&format!("{large} users")), "ms", full, Target::AtMost(500.0)),
        Line::value(revoked, "ms", ending, Target::AtMost(500.0)),
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
