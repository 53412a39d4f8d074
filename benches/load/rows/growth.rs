//! How the figures move with what there is: users, tokens, ended sessions, the cost of a hash.
//! Told, not judged; with server and load generator on all cores, and on one each.

use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::anyhow;
use doorward::domain::password::Cost;

use super::ask::{authentication, warm};
use super::passwords::logins_a_second;
use crate::bench::Bench;
use crate::directory::Directory;
use crate::process::Cores;
use crate::seed::Amounts;
use crate::storm::bare_hashes;
use crate::table::{progress, write};
use crate::tape::Draw;

/// All cores for both; and one for the server, another for the load generator.
const PLACES: [(&str, Cores, Cores); 2] =
    [("all cores for both", Cores::Any, Cores::Any), ("one core each", Cores::Only(0), Cores::Only(1))];

/// Prints the tables.
pub(crate) fn run(bench: &mut Bench) -> anyhow::Result<()> {
    let sizes: &[usize] =
        if bench.plan.quick { &[1_000, 10_000, 100_000] } else { &[1_000, 10_000, 100_000, 1_000_000] };
    users(bench, sizes)?;
    tokens(bench, sizes)?;
    ended(bench, sizes)?;
    hashes(bench)
}

fn places() -> anyhow::Result<&'static [(&'static str, Cores, Cores)]> {
    Ok(if available_parallelism()?.get() > 1 { &PLACES } else { &PLACES[..1] })
}

fn users(bench: &mut Bench, sizes: &[usize]) -> anyhow::Result<()> {
    write("\n## The first row by users, one token each, drawn uniformly\n\n");
    write("| users | cores | requests a second | p99 | memory after each was asked for once |\n");
    write("| ---: | --- | ---: | ---: | ---: |\n");
    for &users in sizes {
        let directory = bench.filled(users)?;
        first_row(bench, users, &directory)?;
    }
    Ok(())
}

fn tokens(bench: &mut Bench, sizes: &[usize]) -> anyhow::Result<()> {
    write("\n## The first row by API tokens, 1,000 users with as many each, drawn uniformly\n\n");
    write("| tokens | cores | requests a second | p99 | memory after each was asked for once |\n");
    write("| ---: | --- | ---: | ---: | ---: |\n");
    for &tokens in sizes {
        let directory = bench.empty()?;
        directory.fill(Amounts { users: 1_000, tokens, projects: 100, ..Amounts::default() }, "")?;
        first_row(bench, tokens, &directory)?;
    }
    Ok(())
}

fn ended(bench: &mut Bench, sizes: &[usize]) -> anyhow::Result<()> {
    write("\n## The first row by ended sessions on record, 1,000 users\n\n");
    write("| ended sessions | cores | requests a second | p99 | memory after each user was asked for once |\n");
    write("| ---: | --- | ---: | ---: | ---: |\n");
    let none = bench.filled(bench.plan.small)?;
    first_row(bench, 0, &none)?;
    for &count in sizes.iter().skip(1) {
        let directory = bench.filled_with_ended(bench.plan.small, count)?;
        first_row(bench, count, &directory)?;
    }
    Ok(())
}

/// The lines of one directory, which differ from the other ones' by `amount`.
fn first_row(bench: &mut Bench, amount: usize, directory: &Directory) -> anyhow::Result<()> {
    let tape = bench.tape(&directory.files().asked(), &authentication(), Draw::Uniform)?;
    for (place, of_server, of_client) in places()? {
        progress(&format!("growth: {amount}, {place}"));
        let server = directory.serve("", *of_server)?;
        warm(&server, directory)?;
        let memory = server.process.resident_mebibytes()?;
        let reading = bench.round(&[&server], *of_client, [&tape.warm_up(), &tape.round(0)])?;
        write(&format!("| {amount} | {place} | {:.0} | {:.2} ms | {memory:.1} MiB |\n", reading.rate, reading.p99));
    }
    Ok(())
}

fn hashes(bench: &mut Bench) -> anyhow::Result<()> {
    write("\n## Logins a second by the cost of a hash (one lane), four connections a core\n\n");
    write("| memory | passes | the server's cores | bare hashes on as many | logins | ratio |\n");
    write("| ---: | ---: | ---: | ---: | ---: | ---: |\n");
    let seconds = bench.plan.seconds.max(2);
    let all = available_parallelism()?.get();
    for (mebibytes, passes) in [(19, 2), (19, 3), (46, 2), (64, 3)] {
        let cost = Cost::new(mebibytes * 1_024, passes, 1).map_err(|error| anyhow!(error))?;
        let more = format!("[passwords]\nmemory_kib = {}\niterations = {passes}", mebibytes * 1_024);
        let directory = bench.empty()?;
        directory.fill(Amounts { users: 1_000, tokens: 1_000, projects: 100, ..Amounts::default() }, &more)?;
        for (place, count) in [(Cores::Any, all), (Cores::Only(0), 1)] {
            progress(&format!("growth: logins at {mebibytes} MiB, {passes} passes, cores: {count}"));
            let bare = bare_hashes(cost, Duration::from_secs(seconds), count)?;
            let server = directory.serve(&more, place)?;
            logins_a_second(&server, 4 * count, 1)?;
            let ours = logins_a_second(&server, 4 * count, seconds)?;
            let ratio = ours / bare;
            write(&format!("| {mebibytes} MiB | {passes} | {count} | {bare:.1}/s | {ours:.1}/s | {ratio:.2} |\n"));
        }
    }
    Ok(())
}
