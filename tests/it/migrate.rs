//! `doorward migrate`: a store moves between SQLite and PostgreSQL and back, and what was given out
//! before is worth the same afterwards.

mod ground;
mod known;

use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use rusqlite::Connection;

use self::ground::{Ground, count};
use self::known::Known;
use crate::harness::cluster::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_old_credential_is_worth_the_same_after_a_move_there_and_back_and_there_again() {
    let ground = Ground::new();
    let (mut known, before) = {
        let server = ground.on_file("first").serve();
        let mut known = Known::made(&server, &ground.path("first/outbox")).await;
        known.go_on(&server).await;
        let answers = known.answers(&server).await;
        server.stop();
        (known, answers)
    };
    let (one, two) = (shared().new_database(), shared().new_database());
    let back = ground.path("second").join("doorward.db");
    let back = format!("sqlite:{}", back.display());
    let mut from = ground.file("first");
    for to in [one, back, two] {
        let moved = ground.migrate(&from, &to, &["--json"]).document();
        assert_eq!((moved["to"].as_str(), &moved["was_there"]), (Some(to.as_str()), &false.into()), "{moved}");
        let rows = |name: &str| {
            let mut tables = moved["tables"].as_array().unwrap().iter();
            tables.find(|table| table["table"] == name).unwrap()["rows"].as_u64().unwrap()
        };
        assert!(
            rows("users") == 4 && rows("audit_log") > 2 && rows("audit_chain") == 2 && rows("mail_secrets") >= 1,
            "{moved}"
        );
        assert!(rows("project_shares") == 1 && rows("changes") > 0 && rows("sessions") > 2, "{moved}");
        let launch = if to.starts_with("sqlite:") { ground.on_file("second") } else { ground.on_postgres(&to) };
        let server = launch.serve();
        assert_eq!(known.answers(&server).await, before, "{to}");
        known.go_on(&server).await;
        server.stop();
        from = if to.starts_with("sqlite:") { ground.file("second") } else { ground.postgres(&to) };
    }
    let server = ground.on_postgres(from.last().unwrap()).serve();
    known.reset(&server).await;
    server.stop();
}

#[test]
fn the_table_says_what_was_moved_and_the_next_step_where_to_go() {
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    let to = format!("sqlite:{}", ground.path("a/b/doorward.db").display());
    let ran = ground.migrate(&ground.file("first"), &to, &[]);
    let table = ran.done();
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with(" TABLE") && lines[0].ends_with("SHA-256"), "{table}");
    assert!(lines[1].starts_with(" users") && lines[1].split_whitespace().nth(1) == Some("1"), "{table}");
    assert_eq!(lines.len(), 16, "{table}");
    assert!(ran.stderr.contains("--data-dir") && ran.stderr.contains(&to), "{ran:?}");
    for (path, mode) in [("a/b/doorward.db", 0o600), ("a/b/keys", 0o600), ("a/b", 0o700)] {
        let found = fs::metadata(ground.path(path)).unwrap();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o777, mode, "{path}");
    }
    ground.on_file("a/b").serve().stop();
}

#[test]
fn a_store_that_moved_is_served_no_more_until_its_operator_says_so() {
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    let to = shared().new_database();
    ground.migrate(&ground.file("first"), &to, &[]).done();
    let shown = to.split("//").nth(1).unwrap();
    ground.on_file("first").refused().says(1, &["this store moved to", shown, "database_url", "--stay"]);
    ground.run(&ground.file("first"), &["user", "list"]).refused("this store moved to");
    let elsewhere = format!("sqlite:{}", ground.path("x/doorward.db").display());
    ground.migrate(&ground.file("first"), &elsewhere, &[]).refused("this store moved to");
    ground.run(&ground.file("first"), &["migrate", "--stay"]).done();
    ground.on_file("first").serve().stop();
    let again = ground.run(&ground.file("first"), &["migrate", "--stay", "--json"]);
    assert_eq!(again.document()["moved_to"], serde_json::Value::Null);
}

#[test]
fn a_move_that_was_made_before_is_only_looked_at_and_one_row_of_difference_is_found() {
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    let to = shared().new_database();
    ground.migrate(&ground.file("first"), &to, &[]).done();
    // As if it had been killed between the last two steps.
    ground.run(&ground.file("first"), &["migrate", "--stay"]).done();
    let again = ground.migrate(&ground.file("first"), &to, &["--json"]).document();
    assert_eq!(again["was_there"], true, "{again}");
    ground.run(&ground.file("first"), &["migrate", "--stay"]).done();
    shared().sql(to.rsplit('/').next().unwrap(), "update users set name = 'Eve'");
    ground.migrate(&ground.file("first"), &to, &[]).refused("holds a store of its own");
    ground.on_file("first").serve().stop();
}

#[test]
fn while_a_server_runs_nothing_is_moved() {
    let ground = Ground::new();
    let (there, elsewhere) = (shared().new_database(), shared().new_database());
    let server = ground.on_file("first").serve();
    ground.migrate(&ground.file("first"), &there, &[]).refused("stop the server");
    server.stop();
    ground.migrate(&ground.file("first"), &there, &[]).done();
    let server = ground.on_postgres(&there).serve();
    ground.migrate(&ground.postgres(&there), &elsewhere, &[]).refused("stop every server");
    server.stop();
    ground.migrate(&ground.postgres(&there), &elsewhere, &[]).done();
    assert_eq!(count(&there, "meta where name = 'moved_to'"), 1);
    assert_eq!(count(&elsewhere, "meta where name = 'moved_to'"), 0);
}

#[test]
fn a_place_that_holds_another_store_is_refused_and_left_alone() {
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    ground.on_file("second").serve().stop();
    let there = shared().new_database();
    ground.on_postgres(&there).serve().stop();
    let keys = fs::read(ground.path("second/keys")).unwrap();
    let file = |name: &str| format!("sqlite:{}", ground.path(name).display());
    ground.migrate(&ground.file("first"), &there, &[]).refused("holds a store of its own");
    ground.migrate(&ground.file("first"), &file("second/doorward.db"), &[]).refused("belongs to another store");
    ground.migrate(&ground.file("first"), &file("second/new.db"), &[]).refused("belongs to another store");
    ground.migrate(&ground.file("first"), &file("first/doorward.db"), &[]).refused("already");
    ground.migrate(&ground.postgres(&there), &there, &[]).refused("already");
    ground.migrate(&ground.file("nowhere"), &there, &[]).refused("there is no doorward data in");
    assert!(!ground.path("nowhere").exists() && !ground.path("second/new.db").exists());
    assert_eq!(fs::read(ground.path("second/keys")).unwrap(), keys);
    assert_eq!(count(&there, "users"), 1);
    for launch in [ground.on_file("first"), ground.on_file("second"), ground.on_postgres(&there)] {
        launch.serve().stop();
    }
}

/// Where PostgreSQL did not suit, and nothing has changed there.
#[test]
fn a_store_goes_straight_back_to_the_file_that_it_left() {
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    let there = shared().new_database();
    ground.migrate(&ground.file("first"), &there, &[]).done();
    ground.on_file("first").refused().says(1, &["this store moved to"]);
    let back = format!("sqlite:{}", ground.path("first/doorward.db").display());
    ground.migrate(&ground.postgres(&there), &back, &[]).done();
    ground.on_file("first").serve().stop();
    ground.on_postgres(&there).refused().says(1, &["this store moved to"]);
}

#[test]
fn keys_that_cannot_be_opened_stay_where_they_are() {
    let ground = Ground::new();
    let there = shared().new_database();
    ground.on_postgres(&there).serve().stop();
    fs::write(ground.path("other.secret"), "another secret of thirty-two bytes or more").unwrap();
    let to = format!("sqlite:{}", ground.path("second/doorward.db").display());
    ground.migrate_with("other.secret", &ground.postgres(&there), &to).refused("sealed under another secret");
    assert!(!ground.path("second").exists());
    let without = ["--database-url".to_owned(), there.clone()];
    ground.run(&without, &["migrate", "--to", &to]).wrong_usage_that_says("secret_file");
    ground.migrate(&ground.postgres(&there), &to, &[]).done();
}

/// Kills a move again and again, each time later, until it gets through; how many times it did not.
fn kill_until_done(ground: &Ground, from: &[String], to: &str, is_untouched: impl Fn() -> bool) -> usize {
    let mut after = Duration::from_millis(40);
    for kills in 0.. {
        let mut moving = ground.start_migration(from, to);
        sleep(after);
        after = after * 3 / 2;
        if moving.try_wait().unwrap().is_some() {
            assert!(moving.wait().unwrap().success());
            return kills;
        }
        moving.kill().unwrap();
        moving.wait().unwrap();
        // It may have got through in this moment.
        if !is_untouched() {
            ground.migrate(from, to, &[]);
            return kills;
        }
    }
    unreachable!("it gets through")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_leaves_nothing_and_is_made_again() {
    const USERS: usize = 20_000;
    let ground = Ground::new();
    ground.on_file("first").serve().stop();
    ground.add_users("first", USERS).await;
    let (there, back) = (shared().new_database(), ground.path("second/doorward.db"));
    let is_empty = || shared().sql(there.rsplit('/').next().unwrap(), "select to_regclass('users') is null") == "t";
    let kills = kill_until_done(&ground, &ground.file("first"), &there, || is_empty() || count(&there, "users") == 0);
    assert!(kills > 1, "it was too fast to be killed");
    assert_eq!(count(&there, "users"), USERS + 1);
    ground.on_file("first").refused().says(1, &["this store moved to"]);

    let to = format!("sqlite:{}", back.display());
    let kills = kill_until_done(&ground, &ground.postgres(&there), &to, || users_in(&back) == 0);
    assert!(kills > 1, "it was too fast to be killed");
    assert_eq!(users_in(&back), USERS + 1);
    ground.on_postgres(&there).refused().says(1, &["this store moved to"]);
    ground.on_file("second").serve().stop();
}

fn users_in(file: &Path) -> usize {
    let Ok(database) = Connection::open(file) else { return 0 };
    let count = database.query_row("select count(*) from users", (), |row| row.get::<_, u32>(0));
    count.map_or(0, |count| count as usize)
}
