//! Kills at random moments under a load of everything that users and administrators do, and a replay of
//! all that was acknowledged: nothing is lost, nothing revoked lives, nothing is used twice. What was sent
//! and not answered was done or was not, and never half.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use doorward::secret::random;
use rusqlite::Connection;
use tokio::task::JoinSet;

use super::life::Life;
use super::rounds;
use super::site::{Site, Victim};

/// How many users act at once.
const LIVES: usize = 12;
/// When the kill falls, after the load began.
const EARLIEST: u64 = 50;
const LATEST: u64 = 1_500;

/// Acts until a kill at a random moment, and whatever was cut off by it.
async fn live_and_be_killed(site: &mut Site, lives: Vec<Life>, victim: Victim) -> (Vec<Life>, Duration) {
    let stop = Arc::<AtomicBool>::default();
    let mut living = JoinSet::new();
    for (number, life) in lives.into_iter().enumerate() {
        living.spawn(life.act(site.asker(number), Arc::clone(&stop)));
    }
    let moment = EARLIEST + u64::from(u16::from_ne_bytes(random())) * (LATEST - EARLIEST) / u64::from(u16::MAX);
    let moment = Duration::from_millis(moment);
    tokio::time::sleep(moment).await;
    site.kill(victim);
    stop.store(true, Ordering::Relaxed);
    (living.join_all().await, moment)
}

async fn check(site: &Site, lives: &mut Vec<Life>, when: &str) {
    let mut checking = JoinSet::new();
    for (number, mut life) in lives.drain(..).enumerate() {
        // Not the node that it spoke to before.
        let (asker, when) = (site.asker(number + 1), when.to_owned());
        checking.spawn(async move {
            life.check(&asker, &when).await;
            (number, life)
        });
    }
    let mut checked = checking.join_all().await;
    checked.sort_by_key(|(number, _)| *number);
    lives.extend(checked.into_iter().map(|(_, life)| life));
}

#[expect(clippy::print_stdout, reason = "the figures are worth reading with --nocapture")]
async fn is_killed_and_loses_nothing(mut site: Site, victims: &[Victim]) {
    let mut lives = Vec::new();
    for number in 0..LIVES {
        lives.push(Life::begin(&site.asker(number), number).await);
    }
    let (begun, rounds) = (Instant::now(), rounds());
    for round in 1..=rounds {
        let victim = victims[round % victims.len()];
        let (killed, moment) = live_and_be_killed(&mut site, lives, victim).await;
        lives = killed;
        site.start_again(victim).await;
        check(&site, &mut lives, &format!("in round {round}, {victim:?} killed after {moment:?}")).await;
        if round % 10 == 0 {
            // What stands, and what was cut off, was looked at: it must not depend on that server's memory.
            site.crash().await;
            check(&site, &mut lives, &format!("a crash after round {round}")).await;
        }
    }
    let acknowledged: usize = lives.iter().map(|life| life.acknowledged).sum();
    let [done, undone] = [0, 1].map(|at| lives.iter().map(|life| life.untold_acts[at]).sum::<usize>());
    println!(
        "{rounds} rounds in {:?}: {acknowledged} acts were acknowledged; {} were cut off, and {done} of those that \
         leave a trace were done",
        begun.elapsed(),
        done + undone
    );
    assert!(acknowledged > 20 * rounds, "{acknowledged} in {rounds} rounds");
    let log = site.log();
    assert!(!log.contains("panicked") && !log.contains("refused a statement"), "{log}");
    if let Some(file) = site.file() {
        let database = Connection::open(file).unwrap();
        let verdict: String = database.query_row("pragma integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_was_acknowledged_before_a_kill_holds_after_it_and_what_was_not_is_done_or_not() {
    is_killed_and_loses_nothing(Site::on_sqlite(), &[Victim::Server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_the_same_holds_when_a_node_is_killed_or_the_database() {
    is_killed_and_loses_nothing(Site::on_postgres(), &[Victim::Server, Victim::Server, Victim::Database]).await;
}
