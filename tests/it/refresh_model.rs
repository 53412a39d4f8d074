//! Sessions and their refresh tokens against a small model: whatever clients, administrators, crashes, clocks and
//! keys do in whatever order, each answer is the one that the model foretells.

mod model;

use std::cell::RefCell;
use std::time::Duration;

use doorward::actions::keys::Rotation;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use self::model::Model;
use crate::harness::{Server, UNTHROTTLED};

/// How many sequences are tried where this variable does not say it.
const CASES_VARIABLE: &str = "DOORWARD_TEST_CASES";
const CASES: u32 = 40;
const STEPS: usize = 30;

/// One thing that happens.
#[derive(Clone, Debug)]
enum Step {
    SignIn,
    /// A session's token is shown for its successor: the newest where the number is 0, the one before at 1.
    Refresh(Index, usize),
    /// Twice at once, the newest one.
    RefreshTogether(Index),
    /// With one character changed, in the newest one.
    Forge(Index, Index),
    /// An access token in the place of a refresh token.
    Mistake(Index),
    LogOut(Index, usize),
    Ask(Index, usize),
    EndOne(Index),
    EndAll,
    ChangePassword,
    Disable,
    Enable,
    Ahead(Duration),
    Back(Duration),
    Sweep,
    Rotate(Rotation),
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let session = any::<Index>;
    let age = || prop_oneof![4 => Just(0_usize), 3 => Just(1), 1 => 2..6_usize];
    let ahead = [1, 10, 29, 30, 31, 61, 899, 900, 961, 3_600, 86_400, 10 * 86_400, 31 * 86_400];
    let back = [1, 30, 59, 61, 89, 91, 3_600, 86_400];
    prop_oneof![
        4 => Just(Step::SignIn),
        14 => (session(), age()).prop_map(|(session, age)| Step::Refresh(session, age)),
        2 => session().prop_map(Step::RefreshTogether),
        1 => (session(), any::<Index>()).prop_map(|(session, place)| Step::Forge(session, place)),
        1 => session().prop_map(Step::Mistake),
        1 => (session(), age()).prop_map(|(session, age)| Step::LogOut(session, age)),
        4 => (session(), age()).prop_map(|(session, age)| Step::Ask(session, age)),
        1 => session().prop_map(Step::EndOne),
        1 => select(vec![Step::EndAll, Step::ChangePassword, Step::Disable]),
        1 => Just(Step::Enable),
        5 => select(ahead.to_vec()).prop_map(|seconds| Step::Ahead(Duration::from_secs(seconds))),
        2 => select(back.to_vec()).prop_map(|seconds| Step::Back(Duration::from_secs(seconds))),
        1 => Just(Step::Sweep),
        1 => prop_oneof![3 => Just(Rotation::Routine), 1 => Just(Rotation::Compromised)].prop_map(Step::Rotate),
        1 => select(vec![Step::Restart, Step::Crash]),
    ]
}

#[test]
fn every_answer_is_the_one_that_the_model_foretells() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    // Access tokens name the server's address otherwise, and each start has another port.
    let settings = format!("public_url = \"https://id.example.com\"\n{UNTHROTTLED}");
    let server = RefCell::new(runtime.block_on(Server::start_with(&settings)));
    let users = RefCell::new(0);
    let config = ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() };
    let steps = prop::collection::vec(step(), STEPS / 2..=STEPS);
    let run = TestRunner::new(config).run(&steps, |steps| {
        *users.borrow_mut() += 1;
        let email = format!("user{}@example.com", users.borrow());
        let mut server = server.borrow_mut();
        runtime.block_on(Box::pin(async {
            let mut model = Model::begin(&server, email).await;
            for step in steps {
                model.take(&mut server, step).await;
            }
            model.replay_everything(&server).await;
        }));
        Ok(())
    });
    if let Err(error) = run {
        panic!("{error}");
    }
}

#[expect(clippy::disallowed_methods, reason = "how much tests try is no part of the configuration")]
fn cases() -> u32 {
    std::env::var(CASES_VARIABLE).map_or(CASES, |cases| cases.parse().unwrap())
}
