//! On SQLite: the server is killed before each system call by which its writer changes the files, and
//! before the answer is sent.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{ALL_FROM, Deed, replay};
use crate::crash::asker::Asker;
use crate::crash::rounds;
use crate::crash::site::{asker_of, settled};
use crate::crash::steps::holding::Ground;
use crate::harness::process::{Launch, Process, wait_for};

/// What changes files, and what sends answers. A start does the first to neither file of a database that
/// was closed in good order, so that the writer's calls are counted from the first request on.
const WRITES: [&str; 3] = ["pwrite64", "fdatasync", "fsync"];
const SENDS: &str = "writev,sendto,sendmsg";
/// How many of the steps of a deed are tried where not all are asked for.
const SOME: usize = 3;

/// A data directory that is copied for each kill.
struct Template {
    folder: TempDir,
    ground: Ground,
}

impl Template {
    async fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let server = settled(Launch::on(&data)).serve();
        let ground = Ground::lay(&asker_of(&server, &data)).await;
        server.stop();
        Self { folder, ground }
    }

    fn copy(&self, name: &str) -> Launch {
        let (from, to) = (self.folder.path().join("data"), self.folder.path().join(name));
        let copied = Command::new("cp").arg("-a").args([&from, &to]).status().unwrap();
        assert!(copied.success());
        settled(Launch::on(&to))
    }

    fn asker(&self, server: &Process, name: &str) -> Asker {
        asker_of(server, &self.folder.path().join(name))
    }
}

/// Under which a server is killed before one of its threads makes such a call for the so many-th time.
fn strace(calls: &str, at: usize, data_dir: &Path) -> Vec<String> {
    let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:signal=KILL:when={at}"));
    let words = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject].map(str::to_owned);
    let mut words = words.to_vec();
    if WRITES.contains(&calls) {
        words.extend(on_files(data_dir));
    }
    words
}

/// Of all files, the database's and its log's.
fn on_files(data_dir: &Path) -> impl Iterator<Item = String> {
    let files = ["doorward.db", "doorward.db-wal"].map(|file| data_dir.join(file).to_str().unwrap().to_owned());
    files.into_iter().flat_map(|file| ["-P".to_owned(), file])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn between_every_step_of_a_refresh_and_of_each_revocation_a_kill_brings_nothing_back() {
    let template = Template::make().await;
    for deed in Deed::ALL {
        let steps = steps(&template, deed).await;
        let count: usize = steps.iter().map(|(_, count)| count).sum();
        assert!(count > 3 && steps.len() > 1, "{deed:?} took {steps:?}");
        println!("{deed:?}: {steps:?}");
        for (call, count) in steps {
            let one_in = if rounds() < ALL_FROM { count.div_ceil(SOME) } else { 1 };
            for at in (1..=count).filter(|at| at % one_in == 1 % one_in || *at == count) {
                is_killed(&template, deed, call, at, true).await;
            }
            is_killed(&template, deed, call, count + 1, false).await;
        }
        // Done, and on its way to be told.
        is_killed(&template, deed, SENDS, 1, true).await;
    }
}

/// How many calls of each kind the writer makes for a deed.
async fn steps(template: &Template, deed: Deed) -> Vec<(&'static str, usize)> {
    let (name, trace) = (format!("{deed:?}-dry"), template.folder.path().join(format!("{deed:?}.trace")));
    let calls = format!("trace={}", WRITES.join(","));
    let before = ["strace", "-f", "-qq", "-o", trace.to_str().unwrap(), "-e", &calls, "-e", "signal=none"];
    let files: Vec<_> = on_files(&template.folder.path().join(&name)).collect();
    let before: Vec<_> = before.into_iter().chain(files.iter().map(String::as_str)).collect();
    let launch = template.copy(&name);
    let server = launch.under(&before).serve();
    assert_eq!(fs::read_to_string(&trace).unwrap(), "", "a start writes");
    let acknowledged = deed.begin(&template.asker(&server, &name), &template.ground).await;
    assert!(acknowledged.is_ok(), "{deed:?}: {}", server.log());
    server.kill();
    let trace = fs::read_to_string(&trace).unwrap();
    let made = |call: &str| trace.lines().filter(|line| line.contains(&format!(" {call}("))).count();
    WRITES.map(|call| (call, made(call))).into_iter().filter(|(_, count)| *count > 0).collect()
}

async fn is_killed(template: &Template, deed: Deed, calls: &str, at: usize, dies: bool) {
    let name = format!("{deed:?}-{calls:.4}-{at}");
    let when = format!("{deed:?}, killed before its call {at} of {calls}");
    let launch = template.copy(&name);
    let words = strace(calls, at, &template.folder.path().join(&name));
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut server = launch.clone().under(&words).spawn();
    server.wait_until_it_listens();
    let answer = deed.begin(&template.asker(&server, &name), &template.ground).await.ok();
    assert!(answer.is_none() || !dies, "{when}: it was acknowledged: {answer:?}");
    if dies {
        wait_for("the server to be killed", || server.has_ended().then_some(()));
    }
    server.kill();
    let server = launch.serve();
    let mut over = replay(&template.asker(&server, &name), &template.ground, deed, answer.as_ref(), &when).await;
    server.kill();
    let server = launch.serve();
    over.is_over(&template.asker(&server, &name), &format!("{when}, and once more")).await;
    server.kill();
}
