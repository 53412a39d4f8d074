//! How soon the other node refuses what ended on one: while nothing else is asked, and while both
//! nodes answer as much as they can.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::ask::{ME, authentication, warm, with_access_token};
use crate::asking::Asking;
use crate::bench::Bench;
use crate::cluster::Site;
use crate::directory::Server;
use crate::endings::{self, Session};
use crate::process::Cores;
use crate::rounds::{median, p99};
use crate::storm;
use crate::table::{Line, Target};
use crate::tape::Draw;

const ENDINGS: usize = 200;
/// A node listens for announcements from its first look at the feed on, which is not at once.
const START: Duration = Duration::from_secs(1);
/// How long before the load ends no other session is ended.
const MARGIN: Duration = Duration::from_millis(300);
/// Enough for all of them where a node hears of nothing before it looks by itself.
const LONGEST: Duration = Duration::from_mins(1);
pub(super) const LOGOUT: (&str, &str) = ("POST /users/logout", "x-access-token: ");

pub(super) fn ending(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let site = Site::filled(bench, bench.plan.first)?.copied(bench)?;
    let nodes = [site.serve(bench, "", Cores::Any)?, site.serve(bench, "", Cores::Any)?];
    let [me, logout] = [ME, LOGOUT].map(|kind| with_access_token(bench, site.directory(), kind));
    let (me, logout) = (me?, logout?);
    sleep(START);
    let mut lines = Vec::new();
    let idle = endings::measure(addresses(&nodes), sessions(&site, [&me, &logout], 0)?, Instant::now() + LONGEST);
    lines.extend(told("nothing else asked", &storm::run(idle)??, [Target::AtMost(100.0), Target::AtMost(500.0)]));

    for node in &nodes {
        warm(node, site.directory())?;
    }
    let tape = bench.tape(&site.files().asked(), &authentication(), Draw::Uniform)?;
    let seconds = 2 * bench.plan.seconds.max(2);
    let load = bench.load(&[&nodes[0], &nodes[1]], &tape.round(0), seconds)?;
    // The last one is measured under load, too.
    let until = Instant::now() + Duration::from_secs(seconds).saturating_sub(MARGIN);
    let busy = endings::measure(addresses(&nodes), sessions(&site, [&me, &logout], ENDINGS)?, until);
    let busy = storm::run(busy)??;
    let rate = load.rate()?;
    lines.extend(told(&format!("both asked {rate:.0} times a second together"), &busy, [Target::None; 2]));
    Ok(lines)
}

fn addresses(nodes: &[Server; 2]) -> [std::net::SocketAddr; 2] {
    [nodes[0].address, nodes[1].address]
}

/// The sessions from this one on.
fn sessions(site: &Site, [me, logout]: [&Asking; 2], first: usize) -> anyhow::Result<Vec<Session>> {
    let tokens = fs::read(site.files().access())?;
    let tokens = tokens.chunks_exact(me.width).skip(first).take(ENDINGS);
    Ok(tokens.map(|token| Session { me: me.request(token), logout: logout.request(token) }).collect())
}

/// The targets are those of the last two lines.
fn told(how: &str, times: &[f64], targets: [Target; 2]) -> [Line; 4] {
    let count = times.len();
    let line = |what: &str, value, target| {
        Line::value(format!("`ending` refused on the other node, {how}: {what}"), "ms", value, target)
    };
    let all = || times.to_vec();
    [
        line("soonest", times.iter().copied().fold(f64::NAN, f64::min), Target::None),
        line(&format!("median of {count}"), median(all()), Target::None),
        line("p99", p99(all()), targets[0]),
        line("latest", times.iter().copied().fold(f64::NAN, f64::max), targets[1]),
    ]
}
