//! Every statement on both engines: it prepares, has the parameters and columns that it declares,
//! keeps to the common subset, and finds its rows by an index.

use rusqlite::{Connection, StatementStatus};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, NoTls};

use super::super::sql::{Described, Kind};
use super::super::{
    audit, changes, counters, failures, known_networks, mail_secrets, mails, meta, postgres, projects, sessions,
    shares, sqlite, tokens, users,
};
use super::Place;
use crate::clock::Timestamp;

fn every_statement() -> impl Iterator<Item = &'static Described> {
    let all: [&[Described]; 16] = [
        audit::ALL,
        audit::COUNTS,
        audit::QUESTIONS,
        changes::ALL,
        counters::ALL,
        failures::ALL,
        known_networks::ALL,
        mail_secrets::ALL,
        mails::ALL,
        meta::ALL,
        projects::ALL,
        sessions::ALL,
        shares::ALL,
        tokens::ALL,
        users::ALL,
        users::SEARCHES,
    ];
    all.into_iter().flatten()
}

pub(super) fn migrated() -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    sqlite::open::keep_plans(&connection).unwrap();
    sqlite::migrate::run(&connection, Timestamp::from_micros(0)).unwrap();
    connection
}

/// A bare connection to a database with the present schema.
pub(super) async fn migrated_postgres() -> Client {
    let place = Place::postgres();
    drop(place.open().await);
    let (client, connection) = tokio_postgres::connect(place.url.as_ref().unwrap(), NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

#[test]
fn on_sqlite_every_statement_has_the_parameters_and_columns_it_declares() {
    let connection = migrated();
    for statement in every_statement() {
        let prepared = connection.prepare(statement.text).unwrap_or_else(|error| panic!("{}: {error}", statement.name));
        assert_eq!(prepared.parameter_count(), statement.parameters.len(), "{}", statement.name);
        assert_eq!(prepared.column_count(), statement.columns.len(), "{}", statement.name);
        // What is counted is in no column that could be declared.
        if statement.name.starts_with("COUNT") {
            assert!(statement.columns.iter().all(|kind| *kind == Kind::Integer), "{}", statement.name);
            continue;
        }
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

#[tokio::test]
async fn on_postgres_every_statement_has_the_parameters_and_columns_it_declares_also_where_it_holds_rows() {
    let client = migrated_postgres().await;
    for statement in every_statement() {
        let types: Vec<Type> = statement.parameters.iter().map(|kind| postgres::type_of(*kind)).collect();
        for lock in [postgres::Lock::None, postgres::Lock::Share, postgres::Lock::Update] {
            // Nobody holds all the rows that are counted.
            if statement.name.starts_with("COUNT") && lock != postgres::Lock::None {
                continue;
            }
            let text = postgres::locking(statement.text, lock);
            let holds = text.contains(" for ");
            assert_eq!(holds, lock != postgres::Lock::None && text.starts_with("select"), "{text}");
            let prepared = client.prepare_typed(&text, &types).await;
            let prepared = prepared.unwrap_or_else(|error| panic!("{}: {error:?}", statement.name));
            assert_eq!(prepared.params(), types, "{}", statement.name);
            let columns: Vec<Type> = prepared.columns().iter().map(|column| column.type_().clone()).collect();
            let declared: Vec<Type> = statement.columns.iter().map(|kind| postgres::type_of(*kind)).collect();
            assert_eq!(columns, declared, "{}", statement.name);
        }
    }
}

#[test]
fn every_sweep_has_the_same_end() {
    let end = format!("limit {})", super::super::SWEPT_AT_ONCE);
    let sweeps: Vec<_> = every_statement().filter(|statement| statement.name.starts_with("SWEEP")).collect();
    assert_eq!(sweeps.len(), 8);
    assert!(sweeps.iter().all(|sweep| sweep.text.ends_with(&end)));
}

#[test]
fn the_audit_log_is_only_added_to_but_for_what_retention_takes_from_its_oldest_end() {
    let changing = |statement: &&Described| {
        let text = statement.text.to_lowercase();
        text.contains("audit_log")
            && ["update ", "delete ", "on conflict", "replace "].iter().any(|word| text.contains(word))
    };
    let changing: Vec<_> = every_statement().filter(changing).map(|statement| statement.text).collect();
    assert_eq!(changing, ["delete from audit_log where seq <= $1"]);
}

/// A table of many users' projects is not walked through for those of one.
#[tokio::test]
async fn on_postgres_the_projects_of_a_user_are_found_by_indexes_alone() {
    let client = migrated_postgres().await;
    let fill = "insert into users select decode(lpad(to_hex(n), 24, '0'), 'hex'), null, null, 'u' || n, 'u' || n, null,
            null, null, 'active', '[]', false, '{}', '{}', 0, null, 0, 0 from generate_series(1, 1000) n;
        insert into projects select decode(lpad(to_hex(n), 24, '0'), 'hex'),
            decode(lpad(to_hex(n % 1000 + 1), 24, '0'), 'hex'), '', '', '', '', 0, 0, 0, 0, 0, 0, '{}', 0
            from generate_series(1, 20000) n;
        analyze users; analyze projects; set plan_cache_mode = force_generic_plan";
    client.batch_execute(fill).await.unwrap();
    let text = every_statement().find(|statement| statement.text.contains("union select project_id")).unwrap().text;
    client.batch_execute(&format!("prepare mine (bytea, bytea, bytea, bigint) as {text}")).await.unwrap();
    let one = "'\\x000000000000000000000007'";
    let explain = format!("explain (analyze, costs off, timing off) execute mine ({one}, {one}, '\\x00', 31)");
    let plan = client.query(&explain, &[]).await.unwrap();
    let plan: Vec<&str> = plan.iter().map(|row| row.get(0)).collect();
    assert!(
        !plan.iter().any(|step| step.contains("Seq Scan on projects") || step.contains("Rows Removed")),
        "{plan:#?}"
    );
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

#[test]
fn on_sqlite_no_statement_is_planned_anew_for_other_values() {
    let connection = migrated();
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
fn on_sqlite_no_statement_reads_a_whole_table_without_an_index() {
    let connection = migrated();
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

#[tokio::test]
async fn on_postgres_no_statement_reads_a_whole_table_without_an_index() {
    let client = migrated_postgres().await;
    // What can only be done by reading all is done so all the same.
    client.batch_execute("set enable_seqscan = off; set plan_cache_mode = force_generic_plan").await.unwrap();
    for (number, statement) in every_statement().enumerate() {
        let types = statement.parameters.iter().map(|kind| postgres::type_of(*kind).name().to_owned());
        let types = types.collect::<Vec<_>>().join(", ");
        let types = if types.is_empty() { types } else { format!("({types})") };
        client.batch_execute(&format!("prepare s{number} {types} as {}", statement.text)).await.unwrap();
        let values = vec!["null"; statement.parameters.len()].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        let plan = client.query(&format!("explain execute s{number} {values}"), &[]).await.unwrap();
        for step in plan.iter().map(|row| row.get::<_, &str>(0)) {
            assert!(!step.contains("Seq Scan"), "{}: {step}", statement.name);
        }
    }
}
