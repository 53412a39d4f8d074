//! The load benchmark: what the server does, held against what bare axum, bare hashes or the same
//! server does in the same run on the same cores. Starts everything itself, on 127.0.0.1, prints
//! one table, and exits 1 where a target is missed. `cargo bench --bench load`; with `-- --quick`
//! in under two minutes, with `-- --row NAME` one row, with `-- --growth` further tables, with
//! `-- --postgres` the table of PostgreSQL beside SQLite.

mod arguments;
mod asking;
mod bare_updates;
mod bench;
mod cluster;
mod directory;
mod endings;
mod http;
mod limit;
mod machine;
mod process;
mod rounds;
mod rows;
mod scratch;
mod seed;
mod standstill;
mod storm;
mod table;
mod tape;
mod wrk;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::bench::{Bench, Plan};
use crate::rows::Row;
use crate::scratch::Scratch;
use crate::standstill::Watch;
use crate::table::{Line, progress, write};

/// A run that takes longer stands still somewhere: either takes about ten minutes on two cores.
const LONGEST: Duration = Duration::from_mins(25);
const LONGEST_GROWTH: Duration = Duration::from_mins(40);
/// How often a row is measured before its lines say that the machine stood still each time.
const ATTEMPTS: usize = 3;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let rest = arguments.get(1..).unwrap_or_default();
    let outcome = match arguments.first().map(String::as_str) {
        Some(process::BECOME) => process::run_become(rest),
        Some(limit::LIMIT) => limit::run(rest),
        Some(seed::SEED) => seed::run(rest),
        _ => return measure(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> ExitCode {
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(fault) => {
            progress(&fault);
            return ExitCode::from(2);
        }
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            progress(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Runs what was asked for; whether all targets were met.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let scratch = Scratch::new()?;
    scratch.end_early(if arguments.growth { LONGEST_GROWTH } else { LONGEST })?;
    let plan = if arguments.quick { Plan::QUICK } else { Plan::FULL };
    let mut bench = Bench::new(plan, scratch.path())?;
    let begun = Instant::now();
    machine::describe();
    write("- log: as configured by default (`info`, text), to a file\n");
    if arguments.postgres {
        write(&format!("- PostgreSQL {}\n", bench.cluster()?.version()));
    }
    let met = (arguments.growth && arguments.row.is_none()) || rows(&mut bench, arguments)?;
    if arguments.growth {
        rows::growth(&mut bench)?;
    }
    progress(&format!("done in {:.0} s", begun.elapsed().as_secs_f64()));
    Ok(met)
}

fn rows(bench: &mut Bench, arguments: &Arguments) -> anyhow::Result<bool> {
    let how = if arguments.quick { " (quick: fewer users, shorter rounds)" } else { "" };
    let what = if arguments.postgres { "PostgreSQL" } else { "Load" };
    table::heading(&format!("{what}{how}"));
    let watch = Watch::start()?;
    let mut met = true;
    for row in arguments.rows().iter().filter(|row| arguments.wants(row.name)) {
        progress(&format!("{}:", row.name));
        let begun = Instant::now();
        for line in &undisturbed(row, bench, &watch) {
            table::line(line);
            met &= !line.is_missed();
        }
        progress(&format!("  {:.0} s", begun.elapsed().as_secs_f64()));
    }
    Ok(met)
}

/// The lines of a row, measured again where the machine stood still; they say so where it always did.
fn undisturbed(row: &Row, bench: &mut Bench, watch: &Watch) -> Vec<Line> {
    let mut lines = Vec::new();
    for _ in 0..ATTEMPTS {
        lines = run_row(row, bench);
        let Some(lost) = watch.take() else { return lines };
        progress(&format!("  the machine stood still for {:.1} s", lost.as_secs_f64()));
    }
    lines.into_iter().map(Line::disturbed).collect()
}

fn run_row(row: &Row, bench: &mut Bench) -> Vec<Line> {
    (row.run)(bench).unwrap_or_else(|error| vec![Line::failed(format!("`{}`", row.name), &format!("{error:#}"))])
}
