//! What a node asks of the database, counted in PostgreSQL's own log: at rest, and for what it does.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use super::super::ask::{authentication, with_access_token};
use super::super::refresh::PATH;
use super::endings::LOGOUT;
use crate::bench::Bench;
use crate::cluster::Site;
use crate::directory::Server;
use crate::http::{Connection, post};
use crate::process::Cores;
use crate::seed::{PASSWORD, REFRESH, email};
use crate::storm;
use crate::table::{Line, Target};

const REST: Duration = Duration::from_secs(5);
/// Of each kind; before them come some that prepare the statements and fill the caches.
const COUNT: usize = 20;
const BEFORE: usize = 4;

pub(super) fn statements(bench: &mut Bench) -> anyhow::Result<Vec<Line>> {
    let small = Site::filled(bench, bench.plan.small)?.copied(bench)?;
    let first = Site::filled(bench, bench.plan.first)?.copied(bench)?;
    for site in [&small, &first] {
        site.log_statements()?;
    }
    let node = small.serve(bench, "", Cores::Any)?;
    // The first look at everything is not what a node at rest does.
    sleep(REST / 5);
    let before = small.cluster().statements();
    sleep(REST);
    let idle = per(small.cluster().statements() - before, REST.as_secs_f64());
    let each = [
        ("a refresh", cost(&small, &node, &refreshes(&small)?)?),
        ("a login", cost(&small, &node, &logins())?),
        ("a first look at a token and its project", cost(&small, &node, &looks(&small)?)?),
    ];
    drop(node);
    let node = first.serve(bench, "", Cores::Any)?;
    let logout = cost(&first, &node, &logouts(bench, &first)?)?;
    let line = |what: &str, count| Line::value(format!("`statements` {what}"), "", count, Target::None);
    let mut lines = vec![line("a second of a node at rest", idle)];
    lines.extend(each.map(|(what, count)| line(what, count)));
    lines.push(line("a logout", logout));
    Ok(lines)
}

/// Statements for each of these, one after the other on one connection; those of the node at rest
/// are among them.
fn cost(site: &Site, node: &Server, requests: &[Vec<u8>]) -> anyhow::Result<f64> {
    let (before, counted) = requests.split_at(BEFORE);
    storm::run(ask(node, before))??;
    let known = site.cluster().statements();
    storm::run(ask(node, counted))??;
    Ok(per(site.cluster().statements() - known, f64::from(u32::try_from(counted.len())?)))
}

async fn ask(node: &Server, requests: &[Vec<u8>]) -> anyhow::Result<()> {
    let mut connection = Connection::open(node.address).await?;
    for request in requests {
        let status = connection.ask(request).await?.status;
        anyhow::ensure!(status == 200, "an answer was {status}");
    }
    Ok(())
}

fn refreshes(site: &Site) -> anyhow::Result<Vec<Vec<u8>>> {
    let tokens = fs::read_to_string(site.files().refresh())?;
    let tokens = tokens.as_bytes().chunks_exact(REFRESH).take(BEFORE + COUNT).map(std::str::from_utf8);
    tokens.map(|token| Ok(post(PATH, &format!(r#"{{"refreshToken":"{}"}}"#, token?)))).collect()
}

fn logins() -> Vec<Vec<u8>> {
    let login = |number| post("/auth/login", &format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, email(number)));
    (0..BEFORE + COUNT).map(login).collect()
}

/// Far enough from each other that none shares a project with another.
fn looks(site: &Site) -> anyhow::Result<Vec<Vec<u8>>> {
    let requests = authentication().requests(&site.files().asked())?;
    Ok(requests.iter().step_by(requests.len() / (BEFORE + COUNT)).take(BEFORE + COUNT).cloned().collect())
}

fn logouts(bench: &Bench, site: &Site) -> anyhow::Result<Vec<Vec<u8>>> {
    let requests = with_access_token(bench, site.directory(), LOGOUT)?.requests(&site.files().access())?;
    Ok(requests.iter().take(BEFORE + COUNT).cloned().collect())
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand statements at most")]
fn per(count: usize, of: f64) -> f64 {
    count as f64 / of
}
