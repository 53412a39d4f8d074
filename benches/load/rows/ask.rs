//! Who is this? Asked as fast as it is answered: with API tokens and with access tokens, of few
//! users and of many, with and without ended sessions on record.

use std::fs;
use std::path::Path;

use anyhow::ensure;

use crate::asking::{Asking, Tape};
use crate::bench::Bench;
use crate::directory::{Directory, Server};
use crate::process::Cores;
use crate::rounds::{Comparison, Pair, compare, take_turns};
use crate::seed::{ASKED, ID_TEXT};
use crate::storm;
use crate::table::{Line, Target, progress};
use crate::tape::Draw;
use crate::wrk::Reading;

/// The first row's request: an id of a project, then a token.
pub(super) fn authentication() -> Asking {
    Asking {
        width: ASKED,
        split: ID_TEXT,
        parts: [
            "GET /1/authentication?project_id=".to_owned(),
            " HTTP/1.1\r\nHost: localhost\r\nAuthorization: OAuth ".to_owned(),
            "\r\n\r\n".to_owned(),
        ],
    }
}

/// A request with an access token in a header.
pub(super) fn with_access_token(
    bench: &Bench,
    directory: &Directory,
    (line, header): (&str, &str),
) -> anyhow::Result<Asking> {
    let sessions = bench.amounts(bench.plan.first).sessions;
    let bytes = usize::try_from(fs::metadata(directory.files().access())?.len())?;
    ensure!(bytes.is_multiple_of(sessions), "the access tokens have not all the same length");
    let head = format!("{line} HTTP/1.1\r\nHost: localhost\r\n{header}");
    let width = bytes / sessions;
    Ok(Asking { width, split: width, parts: [head, String::new(), "\r\n\r\n".to_owned()] })
}

const WELCOME: (&str, &str) = ("POST /auth", "Authorization: Bearer ");
pub(super) const ME: (&str, &str) = ("GET /users/me", "x-access-token: ");
const STATE: (&str, &str) = ("GET /api/auth/state", "Authorization: Bearer ");

/// Asks a server with every API token once, so that its caches hold what they can.
pub(super) fn warm(server: &Server, directory: &Directory) -> anyhow::Result<()> {
    progress("  asking with each token once");
    warm_by(server, &authentication(), &directory.files().asked())
}

fn warm_by(server: &Server, asking: &Asking, source: &Path) -> anyhow::Result<()> {
    storm::run(storm::ask_each_once(server.address, asking.requests(source)?))??;
    server.process.shorten_log()
}

/// A directory with the requests of the first row, drawn from all its users.
struct Population {
    server: Server,
    tape: Tape,
}

impl Population {
    fn new(bench: &mut Bench, directory: &Directory, draw: Draw) -> anyhow::Result<Self> {
        let tape = bench.tape(&directory.files().asked(), &authentication(), draw)?;
        let server = directory.serve("", Cores::Any)?;
        warm(&server, directory)?;
        Ok(Self { server, tape })
    }
}

pub(crate) fn iron(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let directory = bench.filled(bench.plan.first)?;
    let Population { server, tape } = Population::new(bench, &directory, Draw::Uniform)?;
    let limit = bench.limit()?;
    let pairs = pairs(bench, (&limit, &tape), (&server, &tape))?;
    let (rate, p99) = (compare(&pairs, |reading| reading.rate), compare(&pairs, |reading| reading.p99));
    Ok(vec![
        Line::ratio("`iron` `GET /1/authentication`, 64 connections", "/s", rate, Target::AtLeast(0.85)),
        Line::ratio("`iron` its p99", "ms", p99, Target::AtMost(1.5)),
    ])
}

pub(crate) fn jwt(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let directory = bench.filled(bench.plan.first)?;
    let server = directory.serve("", Cores::Any)?;
    let limit = bench.limit()?;
    let mut lines = Vec::new();
    for kind in [WELCOME, ME, STATE] {
        let asking = with_access_token(bench, &directory, kind)?;
        let tape = bench.tape(&directory.files().access(), &asking, Draw::Shuffled)?;
        warm_by(&server, &asking, &directory.files().access())?;
        let rate = rates(bench, (&limit, &tape), (&server, &tape))?;
        lines.push(Line::ratio(format!("`jwt` `{}`, 10,000 sessions", kind.0), "/s", rate, Target::AtLeast(0.75)));
    }
    Ok(lines)
}

pub(crate) fn million(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let (small, large) = (bench.plan.small, bench.plan.large);
    let few = bench.filled(small)?;
    let many = bench.filled(large)?;
    let mut lines = Vec::new();
    let few_server = few.serve("", Cores::Any)?;
    let many_server = many.serve("", Cores::Any)?;
    warm(&few_server, &few)?;
    warm(&many_server, &many)?;
    for (draw, name, target) in [(Draw::Zipf, "Zipf (s = 1)", 0.8), (Draw::Uniform, "uniform", 0.6)] {
        let few_tape = bench.tape(&few.files().asked(), &authentication(), draw)?;
        let many_tape = bench.tape(&many.files().asked(), &authentication(), draw)?;
        let rate = rates(bench, (&few_server, &few_tape), (&many_server, &many_tape))?;
        let figure = format!("`million` the first row at {large} users, {name}, against {small}");
        lines.push(Line::ratio(figure, "/s", rate, Target::AtLeast(target)));
    }
    bench.served_memory = Some(many_server.process.resident_mebibytes()?);
    Ok(lines)
}

pub(crate) fn revocations(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let without = bench.filled(bench.plan.first)?;
    let with = bench.filled_with_ended(bench.plan.first, bench.plan.ended)?;
    let plain = Population::new(bench, &without, Draw::Uniform)?;
    let full = Population::new(bench, &with, Draw::Uniform)?;
    let tokens = rates(bench, (&plain.server, &plain.tape), (&full.server, &full.tape))?;
    let asking = with_access_token(bench, &without, ME)?;
    let tape = bench.tape(&without.files().access(), &asking, Draw::Shuffled)?;
    for server in [&plain.server, &full.server] {
        warm_by(server, &asking, &without.files().access())?;
    }
    let access = rates(bench, (&plain.server, &tape), (&full.server, &tape))?;
    let ended = bench.plan.ended;
    Ok(vec![
        Line::ratio(
            format!("`revocations` the first row with {ended} ended sessions, against none"),
            "/s",
            tokens,
            Target::AtLeast(0.95),
        ),
        Line::ratio(
            format!("`revocations` `{}` with {ended} ended sessions, against none", ME.0),
            "/s",
            access,
            Target::AtLeast(0.95),
        ),
    ])
}

/// Rounds of two servers that take turns, each asked from a tape.
fn pairs(bench: &Bench, limit: (&Server, &Tape), ours: (&Server, &Tape)) -> anyhow::Result<Vec<Pair<Reading>>> {
    let round = |(server, tape): (&Server, &Tape), number| {
        bench.round(&[server], Cores::Any, [&tape.warm_up(), &tape.round(number)])
    };
    take_turns(bench.plan.pairs, |number| round(limit, number), |number| round(ours, number))
}

/// The throughput of one server against another's.
fn rates(bench: &Bench, limit: (&Server, &Tape), ours: (&Server, &Tape)) -> anyhow::Result<Comparison> {
    Ok(compare(&pairs(bench, limit, ours)?, |reading| reading.rate))
}
