//! Every statement, and the promises of the writer.

use rusqlite::{Connection, StatementStatus};

use super::sql::{Described, Kind};
use super::*;
use crate::clock::Timestamp;
use crate::domain::error::Error;

fn commits(on_commit: CommitHook) -> Commits {
    Commits { clock: Clock::System, on_commit, group: 128 }
}

fn every_statement() -> impl Iterator<Item = &'static Described> {
    let all: [&[Described]; 9] = [
        audit::ALL,
        changes::ALL,
        mail_secrets::ALL,
        meta::ALL,
        projects::ALL,
        sessions::ALL,
        shares::ALL,
        tokens::ALL,
        users::ALL,
    ];
    all.into_iter().flatten()
}

fn open(directory: &tempfile::TempDir) -> Store {
    Store::open(directory.path().join("doorward.db"), commits(Arc::new(|_| ()))).unwrap()
}

#[test]
fn every_statement_prepares_and_has_the_parameters_and_columns_it_declares() {
    let connection = Connection::open_in_memory().unwrap();
    migrate::run(&connection, Timestamp::from_micros(0)).unwrap();
    for statement in every_statement() {
        let prepared = connection.prepare(statement.text).unwrap_or_else(|error| panic!("{}: {error}", statement.name));
        assert_eq!(prepared.parameter_count(), statement.parameters.len(), "{}", statement.name);
        assert_eq!(prepared.column_count(), statement.columns.len(), "{}", statement.name);
        for (column, kind) in prepared.columns().zip(statement.columns) {
            let declared = match kind {
                Kind::Integer | Kind::Boolean => "integer",
                Kind::Text => "text",
                Kind::Bytes => "blob",
            };
            assert_eq!(column.decl_type().map(str::to_lowercase).as_deref(), Some(declared), "{}", statement.name);
        }
    }
}

#[test]
fn parameters_are_first_used_in_order_and_texts_stay_in_the_common_subset() {
    for statement in every_statement() {
        let mut highest = 0;
        for part in statement.text.split('$').skip(1) {
            let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
            let number: usize = digits.parse().unwrap();
            assert!(number <= highest + 1, "{} uses ${number} before ${}", statement.name, highest + 1);
            highest = highest.max(number);
        }
        for foreign in ["now()", "ilike", "for update", "->", "json_", "?", "or replace", "or ignore"] {
            assert!(!statement.text.contains(foreign), "{} uses {foreign}", statement.name);
        }
    }
}

#[tokio::test]
async fn a_failed_job_undoes_itself_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let good = store.write(async |tx: &Tx<'_>| meta::set(tx, "kept", "1").await);
    let bad = store.write(async |tx: &Tx<'_>| {
        meta::set(tx, "lost", "1").await?;
        Err::<(), _>(Error::NotFound)
    });
    let (good, bad) = tokio::join!(good, bad);
    good.unwrap();
    assert!(matches!(bad, Err(Error::NotFound)));
    assert_eq!(meta::find(&store.reads(), "kept").await.unwrap().as_deref(), Some("1"));
    assert_eq!(meta::find(&store.reads(), "lost").await.unwrap(), None);
}

#[tokio::test]
async fn a_panicking_job_leaves_the_writer_at_work() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let panicked: Result<()> = store.write(async |_: &Tx<'_>| panic!("on purpose")).await;
    assert!(matches!(panicked, Err(Error::Internal(_))));
    store.write(async |tx: &Tx<'_>| meta::set(tx, "kept", "1").await).await.unwrap();
}

#[tokio::test]
async fn a_body_that_awaits_something_foreign_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let foreign: Result<()> = store
        .write(async |tx: &Tx<'_>| {
            meta::set(tx, "lost", "1").await?;
            tokio::task::yield_now().await;
            Ok(())
        })
        .await;
    assert!(matches!(foreign, Err(Error::Internal(cause)) if cause.contains("awaits")));
    assert_eq!(meta::find(&store.reads(), "lost").await.unwrap(), None);
}

#[tokio::test]
async fn the_tail_sees_what_another_process_commits_in_the_order_of_commits() {
    let directory = tempfile::tempdir().unwrap();
    let (here, there) = (open(&directory), open(&directory));
    let mut tail = here.tail().unwrap();
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Changes(Vec::new()));
    let ids = [1, 2, 3].map(|byte| crate::domain::id::UserId::from_bytes([byte; 12]));
    for id in ids {
        there
            .write(async move |tx: &Tx<'_>| {
                tx.record(Change::User(id));
                Ok(())
            })
            .await
            .unwrap();
    }
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Changes(ids.map(Change::User).to_vec()));
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Changes(Vec::new()));
}

#[tokio::test]
async fn the_tail_notices_what_was_swept_away_before_it_was_read() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let mut tail = store.tail().unwrap();
    let change = async |id: u8| {
        let body = async move |tx: &Tx<'_>| {
            tx.record(Change::User(crate::domain::id::UserId::from_bytes([id; 12])));
            Ok(())
        };
        store.write(body).await.unwrap();
    };
    let far = Timestamp::from_micros(i64::MAX);
    change(1).await;
    store.write(async move |tx: &Tx<'_>| changes::sweep(tx, far, 10).await).await.unwrap();
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Missed(Vec::new()), "all rows are gone");
    change(2).await;
    store.write(async move |tx: &Tx<'_>| changes::sweep(tx, far, 10).await).await.unwrap();
    change(3).await;
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Missed(Vec::new()), "an older row is gone");
    change(4).await;
    assert!(matches!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Changes(changes) if changes.len() == 1));
}

#[tokio::test]
async fn what_was_missed_is_told_again_until_it_could_be_told_whole() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(&directory);
    let mut tail = store.tail().unwrap();
    let raw = Connection::open(directory.path().join("doorward.db")).unwrap();
    raw.execute_batch("update counters set value = 5; alter table sessions rename to hidden").unwrap();
    assert!(tail.poll(Timestamp::from_micros(0)).is_err());
    raw.execute_batch("alter table hidden rename to sessions").unwrap();
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Missed(Vec::new()));
    assert_eq!(tail.poll(Timestamp::from_micros(0)).unwrap(), News::Changes(Vec::new()));
}

#[tokio::test]
async fn caches_hear_of_a_commit_before_its_caller_is_answered() {
    let directory = tempfile::tempdir().unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let hook: CommitHook = Arc::new(move |changes| ears.lock().unwrap().extend_from_slice(changes));
    let store = Store::open(directory.path().join("doorward.db"), commits(hook)).unwrap();
    let change = Change::Token([7; 32]);
    store
        .write(async move |tx: &Tx<'_>| {
            tx.record(change);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(*heard.lock().unwrap(), [change]);
}

#[test]
fn a_newer_schema_and_a_damaged_file_are_refused_with_the_mend() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(&directory));
    let path = directory.path().join("doorward.db");
    let raw = Connection::open(&path).unwrap();
    raw.execute("insert into migrations values (99, 'future', 'x', 0)", ()).unwrap();
    drop(raw);
    let refused = Store::open(path.clone(), commits(Arc::new(|_| ()))).err().unwrap().to_string();
    assert!(refused.contains("newer doorward"), "{refused}");

    std::fs::write(&path, "this is no database, however long it may be.".repeat(50)).unwrap();
    let refused = Store::open(path, commits(Arc::new(|_| ()))).err().unwrap().to_string();
    assert!(refused.contains("damaged") && refused.contains("backup"), "{refused}");
}

#[test]
fn no_statement_is_planned_anew_for_other_values() {
    let connection = Connection::open_in_memory().unwrap();
    open::keep_plans(&connection).unwrap();
    migrate::run(&connection, Timestamp::from_micros(0)).unwrap();
    let mut planned_anew = Vec::new();
    for statement in every_statement() {
        for round in 1..=3_u8 {
            // As all are used: taken from those that are kept, and given back.
            let mut prepared = connection.prepare_cached(statement.text).unwrap();
            for (index, kind) in (1..).zip(statement.parameters) {
                match kind {
                    Kind::Integer | Kind::Boolean => prepared.raw_bind_parameter(index, i64::from(round)),
                    Kind::Text => prepared.raw_bind_parameter(index, format!("text {round}")),
                    Kind::Bytes => prepared.raw_bind_parameter(index, [round; 12]),
                }
                .unwrap();
            }
            // Whether it finds anything, or may be written, is no matter.
            let _ = prepared.raw_query().next();
            if prepared.get_status(StatementStatus::RePrepare) > 0 {
                planned_anew.push(statement.text);
            }
        }
    }
    assert_eq!(planned_anew, Vec::<&str>::new());
}

#[test]
fn no_statement_reads_a_whole_table_without_an_index() {
    let connection = Connection::open_in_memory().unwrap();
    migrate::run(&connection, Timestamp::from_micros(0)).unwrap();
    for statement in every_statement() {
        let mut prepared = connection.prepare(&format!("explain query plan {}", statement.text)).unwrap();
        let values = vec![rusqlite::types::Null; statement.parameters.len()];
        let steps =
            prepared.query_map(rusqlite::params_from_iter(values), |row| row.get::<_, String>("detail")).unwrap();
        for step in steps.map(Result::unwrap) {
            let scans = step.starts_with("SCAN") && !step.contains("USING");
            assert!(!scans || step.starts_with("SCAN CONSTANT"), "{}: {step}", statement.name);
        }
    }
}
