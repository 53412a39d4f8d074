//! The schema's steps on both engines: newer ones, damaged files, and many that start at once.

use rusqlite::Connection;

use super::super::migrations;
use super::*;

fn refusal(opened: Result<Store, OpenError>) -> String {
    opened.err().expect("it is refused").to_string()
}

async fn reopen(place: &Place) -> Result<Store, OpenError> {
    place.try_open(Arc::new(|_| ())).await
}

#[tokio::test]
async fn a_newer_schema_is_refused_with_the_mend_unless_it_can_be_lived_with() {
    on_each(async |place| {
        drop(place.open().await);
        let next = migrations::ALL.last().unwrap().version + 1;
        place.execute(&format!("insert into migrations values ({next}, 'expanded', 'x', 0, {})", next - 1));
        place.execute("alter table users add column shoe_size text");
        let store = reopen(place).await.unwrap();
        store.write(async |tx: &Tx<'_>| meta::set(tx, "still", "works").await).await.unwrap();
        drop(store);
        place.execute(&format!("insert into migrations values ({}, 'contracted', 'x', 0, {})", next + 1, next));
        let refused = refusal(reopen(place).await);
        assert!(refused.contains("newer doorward") && refused.contains("backup"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_schema_of_an_older_version_is_brought_up_and_what_is_in_it_stays() {
    on_each(async |place| {
        drop(place.open().await);
        // As the version before the third step left it.
        place.execute(
            "drop table known_networks; drop table failures; drop table audit_log; drop table audit_chain;
             drop index users_active; drop index users_active_email; drop index users_active_username;
             drop index users_disabled; drop index users_disabled_email; drop index users_disabled_username;
             drop index users_admin_email; drop index users_admin_username; drop index sessions_live;
             drop index sessions_live_user;
             drop index projects_name; drop index projects_user_name;
             drop table mails; alter table mail_secrets drop column email;
             alter table mail_secrets drop column credential_version;
             delete from counters where name = 'administrators'; delete from migrations where version > 2;
             insert into meta values ('kept', 'yes');",
        );
        if place.url.is_none() {
            place.execute("alter table migrations drop column runs_with");
        }
        let store = place.open().await;
        assert_eq!(meta::find(&store.reads(), "kept").await.unwrap().as_deref(), Some("yes"));
        store.write(async |tx: &Tx<'_>| counters::hold(tx, counters::ADMINISTRATORS).await).await.unwrap();
        super::audit_log::append(&store, 1, Timestamp::from_micros(1)).await;
        assert_eq!(super::audit_log::whole(&store).await, Some(1));
    })
    .await;
}

#[tokio::test]
async fn a_database_without_a_schema_gets_none_where_it_must_have_one() {
    let place = Place::postgres();
    let commits = || Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
    let refused = refusal(Store::open(place.location(), Schema::Required, commits()).await);
    assert!(refused.contains("no doorward data") && refused.contains("database_url"), "{refused}");
    let name = place.url.as_ref().unwrap().rsplit('/').next().unwrap();
    assert_eq!(cluster::shared().sql(name, "select count(*) from pg_tables where schemaname = 'public'"), "0");
    drop(place.open().await);
    Store::open(place.location(), Schema::Required, commits()).await.unwrap();
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused_with_the_mend() {
    let shared = cluster::shared();
    shared.sql("postgres", "create database latin encoding 'LATIN1' locale 'C' template template0");
    let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
    let location = Location::Postgres(Box::new(target(&shared.url("latin"))));
    let refused = refusal(Store::open(location, Schema::Made, commits).await);
    assert!(refused.contains("LATIN1") && refused.contains("encoding 'UTF8'"), "{refused}");
}

#[tokio::test]
async fn of_stores_that_open_an_empty_database_at_once_one_makes_its_schema() {
    let place = Place::postgres();
    let opening: Vec<_> = (0..8)
        .map(|_| {
            let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
            tokio::spawn(Store::open(place.location(), Schema::Made, commits))
        })
        .collect();
    for opened in opening {
        opened.await.unwrap().unwrap().ping().await.unwrap();
    }
    let name = place.url.as_ref().unwrap().rsplit('/').next().unwrap();
    let steps = cluster::shared().sql(name, "select count(*) from migrations where version > 0");
    assert_eq!(steps, migrations::ALL.len().to_string());
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_the_mend() {
    let place = Place::sqlite();
    drop(place.open().await);
    drop(Connection::open(place.path()).unwrap());
    std::fs::write(place.path(), "this is no database, however long it may be.".repeat(50)).unwrap();
    let refused = refusal(reopen(&place).await);
    assert!(refused.contains("damaged") && refused.contains("backup"), "{refused}");
}

#[tokio::test]
async fn a_server_that_lets_nobody_in_is_named_with_the_mend() {
    let url = cluster::shared().url("no_such_database");
    let commits = Commits { clock: Clock::System, on_commit: Arc::new(|_| ()), group: 128 };
    let refused = refusal(Store::open(Location::Postgres(Box::new(target(&url))), Schema::Made, commits).await);
    assert!(refused.contains("no_such_database") && refused.contains("database_url"), "{refused}");
}
