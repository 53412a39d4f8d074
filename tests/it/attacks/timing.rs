//! Row 13: what a refused login takes and says, whoever it is for. `scripts/test` runs this beside no other
//! test: a few percent of a hash are less than what a busy machine adds. Beside others it may fail by chance.

use std::time::{Duration, Instant};

use reqwest::{RequestBuilder, StatusCode};

use super::{DIALECTS, Dialect, Member, register_username, start_with};
use crate::harness::{PASSWORD, Server, whole};
use crate::rest::set_status;

/// How many pairs of logins are compared, one for each side: the middle of so many is steady on a calm machine.
const PAIRS: usize = 60;

/// By how much of the smaller one two medians may differ, in percent.
const DIFFERENCE_MAX: f64 = 8.0;

/// A fault shows each time and makes the same one the slower; a busy machine hardly ever does.
const ATTEMPTS: usize = 3;

/// One thread hashes, so that requests wait for no turn of another's.
const SETTINGS: &str = "[passwords]\nthreads = 1\nmax_wait = \"60s\"\n";

/// Whom a guess is for: one who is there, and those who cannot sign in.
const KNOWN: &str = "ann";
const OTHERS: [&str; 5] = ["nobody", "disabled", "passwordless", "disabled passwordless", "no name at all"];

/// The server with all of them.
async fn ground() -> Server {
    let server = start_with(SETTINGS).await;
    for name in [KNOWN, "disabled", "passwordless", "both"] {
        Member::register(&server, name).await;
        assert_eq!(register_username(&server, &format!("{name}-by-name")).await.0, StatusCode::OK);
    }
    for name in ["disabled", "both"] {
        set_status(&server, &format!("{name}@example.com"), "disabled").await;
        server.database().execute(&format!("update users set status = 'disabled' where username = '{name}-by-name'"));
    }
    server.database().execute(
        "update users set password = null where email in ('passwordless@example.com', 'both@example.com')
         or username in ('passwordless-by-name', 'both-by-name')",
    );
    server
}

fn login_of(who: &str, by_name: bool) -> String {
    let name = match who {
        "disabled passwordless" => "both",
        "no name at all" => return if by_name { "\u{202e}" } else { "not an address" }.to_owned(),
        other => other,
    };
    if by_name { format!("{name}-by-name") } else { format!("{name}@example.com") }
}

fn guess(server: &Server, dialect: Dialect, login: &str, password: &str) -> RequestBuilder {
    server.post(dialect.login_path()).json(&dialect.credentials(login, password))
}

/// Row 13: in status, head and body nothing tells why a login was refused, in no dialect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_tells_whose_login_was_refused() {
    let server = ground().await;
    for dialect in DIALECTS {
        // Only argon takes usernames; elsewhere one is as unknown as any.
        for by_name in [false, true] {
            let wrong = whole(guess(&server, dialect, &login_of(KNOWN, by_name), "not the password")).await;
            assert_eq!(wrong.0, dialect.wrong_credentials(), "{dialect:?}");
            for who in OTHERS {
                for password in [PASSWORD, "not the password", ""] {
                    let answer = whole(guess(&server, dialect, &login_of(who, by_name), password)).await;
                    assert_eq!(answer, wrong, "{who} {password:?} {dialect:?}");
                }
            }
            assert_eq!(whole(guess(&server, dialect, &login_of(KNOWN, by_name), "")).await, wrong, "{dialect:?}");
        }
        let signed_in = whole(guess(&server, dialect, &login_of(KNOWN, false), PASSWORD)).await;
        assert_eq!(signed_in.0, StatusCode::OK, "{dialect:?}");
    }
}

/// Row 13 (CVE-2021-38155, CVE-2024-41952): the medians of 60 interleaved pairs differ by less than
/// 8 %, for everybody against somebody who is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_time_tells_whose_login_was_refused() {
    let server = ground().await;
    // Each of them in one dialect or another: below the dialects, the work is the same.
    for (number, who) in OTHERS.into_iter().enumerate() {
        let dialect = DIALECTS[number % DIALECTS.len()];
        let (mut measured, mut slower) = (Vec::new(), [0, 0]);
        while measured.len() < ATTEMPTS && measured.len() == slower[0].max(slower[1]) {
            let (known, other) = medians(&server, dialect, who).await;
            let difference = (known.max(other) / known.min(other) - 1.0) * 100.0;
            if difference >= DIFFERENCE_MAX {
                slower[usize::from(other > known)] += 1;
            }
            measured.push(format!("{known:.6} s against {other:.6} s: {difference:.1} %"));
        }
        assert!(
            !slower.contains(&ATTEMPTS),
            "{who} by {dialect:?}, which is chance where other tests ran: {measured:?}"
        );
    }
}

/// What a login that is refused takes in the middle of 60, in seconds: for who is there, and for another.
async fn medians(server: &Server, dialect: Dialect, who: &str) -> (f64, f64) {
    let by_name = dialect == Dialect::Argon;
    let logins = [login_of(KNOWN, by_name), login_of(who, by_name)];
    let mut took: [Vec<Duration>; 2] = [Vec::new(), Vec::new()];
    for pair in 0..PAIRS + 2 {
        // Now the one first and now the other, so that nothing gains by its turn.
        for turn in [pair % 2, 1 - pair % 2] {
            let request = guess(server, dialect, &logins[turn], "not the password");
            let begun = Instant::now();
            let answer = request.send().await.unwrap();
            let status = answer.status();
            answer.bytes().await.unwrap();
            // The first two pairs make everything warm.
            if pair >= 2 {
                took[turn].push(begun.elapsed());
            }
            assert_eq!(status, dialect.wrong_credentials());
        }
    }
    let [known, other] = took.map(|mut took| {
        took.sort();
        took[PAIRS / 2].as_secs_f64()
    });
    (known, other)
}
