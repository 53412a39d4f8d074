//! A whole store moves between engines, in each direction, and what differs afterwards is found.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::sql::Kind;
use super::super::transfer::{ALL, End, MoveError, PAGE, Side, Tally};
use super::functions::user;
use super::*;
use crate::domain::id::UserId;
use crate::domain::user::Username;
use crate::store::bulk;

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

/// A database that orders texts as people do.
fn sorting_as_people_do() -> Place {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("sorted_{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let make = format!("create database {name} template template0 locale_provider icu icu_locale 'en-US'");
    cluster::shared().sql("postgres", &make);
    Place { url: Some(cluster::shared().url(&name)), ..Place::sqlite() }
}

/// The ways between two engines.
fn ways() -> [(Place, Place); 5] {
    [
        (Place::sqlite(), Place::postgres()),
        (sorting_as_people_do(), Place::sqlite()),
        (Place::postgres(), Place::sqlite()),
        (Place::sqlite(), Place::sqlite()),
        (Place::postgres(), Place::postgres()),
    ]
}

impl Place {
    /// A literal of these bytes.
    pub(super) fn bytes(&self, bytes: &[u8]) -> String {
        let hex = bytes.iter().fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
        if self.url.is_some() { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
    }

    async fn side(&self, end: End) -> Result<Side, MoveError> {
        Side::open(self.location(), end, NOW).await
    }

    /// A row or more of every table, with every kind of value, null, empty and odd texts among them.
    async fn fill(&self) {
        let store = self.open().await;
        let odd = NewUser {
            email: None,
            username: Some(Username::parse("Zoë").unwrap()),
            name: Some("\u{10ffff} 'q' \\ \"\t\u{1f980}".to_owned()),
            bio: Some(String::new()),
            password: None,
            ..user(200, "ann@example.com")
        };
        let many = (0..=PAGE).map(|number| {
            let mut id = [7; 12];
            // Not in the order in which they are inserted.
            id[..4].copy_from_slice(&u32::try_from(number).unwrap().wrapping_mul(2_654_435_761).to_be_bytes());
            NewUser { id: UserId::from_bytes(id), ..user(0, &format!("user{number}@example.com")) }
        });
        let rows = [user(1, "ann@example.com"), odd].into_iter().chain(many);
        bulk::insert(&store, rows.map(|user| bulk::Row::User(Box::new(user)))).await.unwrap();
        super::audit_log::append(&store, 3, NOW).await;
        drop(store);
        let (ann, zoe, a, b, nothing) = (
            self.bytes(&[1; 12]),
            self.bytes(&[200; 12]),
            self.bytes(&[0, 255, 92, 39]),
            self.bytes(&[128; 32]),
            self.bytes(&[]),
        );
        self.execute(&format!(
            "insert into tokens values ({a}, {ann}, {b}, true, 'k', 'n', false, 'h', 't', {nothing}, {}, -1);
             insert into tokens values ({b}, {ann}, {a}, false, '', '', true, '', '', null, null, {});
             insert into sessions values ({a}, {ann}, 'rest', 1, 2, 3, 4, 1, 5, null, null, 'agent');
             insert into mail_secrets values ({b}, {zoe}, 'reset', 'z@example.com', 1, 2, null, null);
             insert into mail_secrets values ({a}, {ann}, 'email_change', 'y@example.com', 1, 2, 'Y@example.com', 3);
             insert into mails values ({a}, {b}, 1, 2, 3, 4, true, null), ({b}, {nothing}, 1, 2, 3, 0, false, 'x: 1');
             insert into projects values ({a}, {ann}, 'p', '', '', 'active', 1, 2, 3, 4, 5, 6, '{{}}', 7);
             insert into projects values ({b}, {zoe}, 'q', '', '', 'active', 1, 2, 3, 4, 5, 6, '{{}}', 7);
             insert into project_shares values ({a}, {zoe}), ({b}, {ann}), ({a}, {ann});
             insert into known_networks values ({ann}, {b}, 5), ({zoe}, {b}, 6);
             insert into failures values ({a}, 9), ({nothing}, 8);
             insert into audit_events (id, at, action, user_id, subject, address)
                 values (41, 1, 'x', {ann}, 's', null), (42, 2, 'y', null, '', '::1');
             insert into changes values (1, 'user', {ann}, 1), (2, 'keys', {nothing}, 2);
             update counters set value = 2 where name = 'changes';
             insert into meta values ('Zulu', 'z'), ('alpha', 'a'), ('Äther', ''), ('key_file', 'here'), ('keys', 'sealed');",
            i64::MAX,
            i64::MIN,
        ));
    }
}

async fn moved(from: &Place, to: &Place) -> (Vec<Tally>, Vec<Tally>) {
    let (old, new) = (from.side(End::Origin).await.unwrap(), to.side(End::Destination).await.unwrap());
    assert!(new.is_fresh().await.unwrap() && !old.is_fresh().await.unwrap());
    let mut told = Vec::new();
    let there = old.copy_to(&new, &mut |progress| told.push(progress)).await.unwrap();
    assert!(told.windows(2).all(|pair| pair[0].table != pair[1].table || pair[0].rows < pair[1].rows));
    assert!(told.iter().any(|progress| (progress.table, progress.total) == ("users", PAGE as u64 + 3)));
    let here = new.tallies(&mut |_| ()).await.unwrap();
    new.commit().await.unwrap();
    old.commit().await.unwrap();
    (there, here)
}

#[tokio::test]
async fn the_list_of_tables_is_the_schema_of_both_engines() {
    let listed: Vec<String> = ALL
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| (table.name, column)))
        .map(|(table, (column, kind))| format!("{table}.{column} {kind:?}"))
        .collect();
    let keys: Vec<String> = ALL
        .iter()
        .flat_map(|table| table.columns[..table.key].iter().map(|(column, _)| format!("{}.{column}", table.name)))
        .collect();

    let place = Place::sqlite();
    drop(place.open().await);
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    let read = |condition: &str, shown: fn(String, String, String) -> String| -> Vec<String> {
        let text = format!(
            "select t.name, c.name, c.type from sqlite_schema t, pragma_table_info(t.name) c
             where t.type = 'table' and t.name <> 'migrations' and {condition}"
        );
        let mut statement = connection.prepare(&text).unwrap();
        let rows = statement.query_map((), |row| Ok(shown(row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let kind_of = |declared: &str| match declared {
        "integer" => vec![Kind::Integer, Kind::Boolean],
        "text" => vec![Kind::Text],
        "blob" => vec![Kind::Bytes],
        other => panic!("{other}"),
    };
    let columns = read("true", |table, column, kind| format!("{table}.{column} {}", kind.to_lowercase()));
    assert_eq!(columns.len(), listed.len());
    for column in &columns {
        let (name, declared) = column.split_once(' ').unwrap();
        let fits = kind_of(declared).iter().any(|kind| listed.contains(&format!("{name} {kind:?}")));
        assert!(fits, "{column} is not in the list of tables");
    }
    assert_eq!(sorted(read("c.pk > 0", |table, column, _| format!("{table}.{column}"))), sorted(keys));

    let place = Place::postgres();
    drop(place.open().await);
    let name = place.url.as_ref().unwrap().rsplit('/').next().unwrap();
    let columns = cluster::shared().sql(
        name,
        "select table_name || '.' || column_name || ' ' || case data_type when 'bigint' then 'Integer'
             when 'boolean' then 'Boolean' when 'text' then 'Text' when 'bytea' then 'Bytes' end
         from information_schema.columns
         where table_schema = 'public' and table_name not in ('migrations', 'migration_turns')",
    );
    assert_eq!(sorted(columns.lines().map(str::to_owned).collect()), sorted(listed));
}

fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_whole_store_moves_from_each_engine_to_each_and_reads_alike() {
    let mut seen = Vec::new();
    for (from, to) in ways() {
        from.fill().await;
        let (there, here) = moved(&from, &to).await;
        assert_eq!(there, here);
        assert!(there.iter().all(|tally| tally.rows > 0), "{there:?}");
        seen.push(there);
        let store = to.open().await;
        super::audit_log::append(&store, 1, NOW).await;
        assert_eq!(super::audit_log::whole(&store).await, Some(4), "the chain goes on where it was");
        let subject = to.bytes(&[1; 12]);
        to.execute(&format!("insert into audit_events (at, action, user_id, subject) values (3, 'z', {subject}, '')"));
        to.execute("insert into meta select 'next event', cast(max(id) as text) from audit_events");
        assert_eq!(meta::find(&store.reads(), "next event").await.unwrap().as_deref(), Some("43"));
        assert_eq!(meta::find(&store.reads(), meta::KEY_FILE).await.unwrap(), None, "it belongs to the old place");
        assert_eq!(meta::find(&store.reads(), "Äther").await.unwrap().as_deref(), Some(""));
        let names =
            store.write(async |tx: &Tx<'_>| users::find(tx, UserId::from_bytes([200; 12])).await).await.unwrap();
        assert_eq!(names.unwrap().name.as_deref(), Some("\u{10ffff} 'q' \\ \"\t\u{1f980}"));
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "one content has one checksum, wherever it is");
}

#[tokio::test]
async fn a_row_that_changed_behind_the_movers_back_is_found() {
    for (from, to) in ways() {
        from.fill().await;
        let (there, _) = moved(&from, &to).await;
        to.execute("update projects set name = 'P' where name = 'p'; delete from changes where seq = 1");
        let here = to.side(End::Destination).await.unwrap().tallies(&mut |_| ()).await.unwrap();
        let differing: Vec<_> =
            there.iter().zip(&here).filter(|(there, here)| there != here).map(|(there, _)| there.table).collect();
        assert_eq!(differing, ["projects", "changes"]);
    }
}

#[tokio::test]
async fn what_was_not_committed_leaves_nothing() {
    for (from, to) in ways() {
        from.fill().await;
        {
            let (old, new) = (from.side(End::Origin).await.unwrap(), to.side(End::Destination).await.unwrap());
            old.copy_to(&new, &mut |_| ()).await.unwrap();
            old.set_meta(meta::MOVED_TO, "nowhere").await.unwrap();
        }
        assert_eq!(from.side(End::Origin).await.unwrap().meta(meta::MOVED_TO).await.unwrap(), None);
        assert!(to.side(End::Destination).await.unwrap().is_fresh().await.unwrap());
    }
}

#[tokio::test]
async fn a_place_that_somebody_else_works_on_is_refused() {
    on_each(async |place| {
        let _store = place.open().await;
        let refused = place.side(End::Origin).await.err().unwrap().to_string();
        assert!(refused.contains("in use") && refused.contains("stop"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn while_a_side_is_held_nobody_else_writes() {
    on_each(async |place| {
        drop(place.open().await);
        let held = place.side(End::Origin).await.unwrap();
        let refused = place.side(End::Destination).await.err().unwrap().to_string();
        assert!(refused.contains("in use") || refused.contains("locked by another process"), "{refused}");
        drop(held);
        place.open().await.write(async |tx: &Tx<'_>| meta::set(tx, "again", "yes").await).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_schema_that_has_more_than_this_version_knows_is_not_moved() {
    on_each(async |place| {
        drop(place.open().await);
        place.execute("insert into migrations values (99, 'expanded', 'x', 0, 1)");
        let refused = place.side(End::Origin).await.err().unwrap().to_string();
        assert!(refused.contains("99") && refused.contains("newer"), "{refused}");
    })
    .await;
}

#[tokio::test]
async fn a_text_that_postgres_cannot_keep_is_refused_by_its_column() {
    let (from, to) = (Place::sqlite(), Place::postgres());
    let store = from.open().await;
    let bad = NewUser { bio: Some("a\0b".to_owned()), ..user(1, "ann@example.com") };
    bulk::insert(&store, [bulk::Row::User(Box::new(bad))]).await.unwrap();
    drop(store);
    let (old, new) = (from.side(End::Origin).await.unwrap(), to.side(End::Destination).await.unwrap());
    let refused = old.copy_to(&new, &mut |_| ()).await.unwrap_err().to_string();
    assert!(refused.contains("users") && refused.contains("bio") && refused.contains("NUL"), "{refused}");
}

#[tokio::test]
async fn after_a_move_a_file_is_in_write_ahead_mode_and_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::sqlite();
    place.side(End::Destination).await.unwrap().commit().await.unwrap();
    let connection = rusqlite::Connection::open(place.path()).unwrap();
    let mode: String = connection.query_row("pragma journal_mode", (), |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(std::fs::metadata(place.path()).unwrap().permissions().mode() & 0o777, 0o600);
}
