//! The audit log on both engines: its rows stand or fall with what they record, in one chain that shows
//! whatever is done to it beside a store.

use super::super::audit::{after, head, list, sweep, tail};
use super::*;
use crate::domain::audit::{Action, Event, Means, Reason};
use crate::domain::error::Error;
use crate::domain::id::{TokenId, UserId};

const NOW: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn user(byte: u8) -> UserId {
    UserId::from_bytes([byte; 12])
}

/// An event with something in every column.
fn event(byte: u8) -> Event {
    let mut event = Event::by_server(Action::TokenCreated)
        .by(user(byte), Means::ApiToken(TokenId::from_bytes([byte; 12])))
        .about(TokenId::from_bytes([9; 12]))
        .with("admin")
        .refused(Reason::Forbidden);
    event.address = Some("192.0.2.1".parse().unwrap());
    event.user_agent = Some("curl/8".to_owned());
    event
}

/// Appends so many rows of one moment, by one transaction.
pub(super) async fn append(store: &Store, count: u8, at: Timestamp) {
    let body = async move |tx: &Tx<'_>| {
        for byte in 0..count {
            tx.audit(Entry { event: event(byte), at: Some(at), times: 1 });
        }
        Ok(())
    };
    store.write(body).await.unwrap();
}

/// How many rows there are, where they are one chain from tail to head.
pub(super) async fn whole(store: &Store) -> Option<usize> {
    let reads = store.reads();
    let mut place = tail(&reads).await.unwrap();
    let rows = after(&reads, place.seq, 100_000).await.unwrap();
    for row in &rows {
        place = row.follows(&place).then(|| row.position())?;
    }
    (place == head(&reads).await.unwrap()).then_some(rows.len())
}

#[tokio::test]
async fn what_is_undone_leaves_no_event_and_what_stands_leaves_its_own_in_the_order_of_commits() {
    on_each(async |place| {
        let store = place.open().await;
        append(&store, 2, NOW).await;
        let undone: Result<()> = store
            .write(async |tx: &Tx<'_>| {
                meta::set(tx, "lost", "1").await?;
                tx.audit(event(7));
                Err(Error::NotFound)
            })
            .await;
        assert!(undone.is_err());
        append(&store, 1, NOW).await;
        let rows = after(&store.reads(), 0, 10).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(rows.iter().all(|row| row.actor != Some(vec![7; 12])));
        assert_eq!(whole(&store).await, Some(3));
    })
    .await;
}

#[tokio::test]
async fn a_row_says_all_that_its_event_said() {
    on_each(async |place| {
        let store = place.open().await;
        store
            .write(async |tx: &Tx<'_>| {
                tx.audit(Entry { event: event(5), at: Some(NOW), times: 3 });
                Ok(())
            })
            .await
            .unwrap();
        let row = after(&store.reads(), 0, 10).await.unwrap().remove(0);
        let five = Some(vec![5; 12]);
        assert_eq!((row.at, row.times, row.action.as_str(), row.result.as_str()), (NOW, 3, "token.created", "refused"));
        assert_eq!(
            (row.reason.as_deref(), row.detail.as_deref(), row.via.as_str()),
            (Some("forbidden"), Some("admin"), "server")
        );
        assert_eq!(
            (&row.actor, row.credential.as_str(), &row.credential_id, &row.user_id),
            (&five, "api_token", &five, &five)
        );
        assert_eq!((row.subject.as_deref(), row.subject_id.as_deref()), (Some("token"), Some(&[9; 12][..])));
        assert_eq!((row.address.as_deref(), row.user_agent.as_deref()), (Some("192.0.2.1"), Some("curl/8")));
    })
    .await;
}

/// The same rows have the same hashes on both engines, and in every version that is to come.
#[tokio::test]
async fn the_hash_is_the_documented_one() {
    let mut heads = Vec::new();
    on_each_into(&mut heads).await;
    assert_eq!(heads[0], heads[1]);
    assert_eq!(heads[0], HEAD_OF_TWO);
}

/// Computed from docs/audit.md by another program.
const HEAD_OF_TWO: &str = "2:5406677d176df173760656b16fa6b71a514ae7a82fdf565b79b89b8a8147730d";

async fn on_each_into(heads: &mut Vec<String>) {
    for place in [Place::sqlite(), Place::postgres()] {
        let store = place.open().await;
        append(&store, 2, NOW).await;
        heads.push(head(&store.reads()).await.unwrap().to_string());
    }
}

/// What is done to row 3 of 5, and so to every column, in either engine's words.
fn tampering(place: &Place) -> Vec<String> {
    let bytes = place.bytes(&[8; 12]);
    let set = |what: &str| format!("update audit_log set {what} where seq = 3");
    let texts = ["action", "result", "reason", "credential", "subject", "detail", "address", "user_agent", "via"];
    let blobs = ["actor", "credential_id", "subject_id", "user_id"];
    let nullable =
        ["reason", "actor", "credential_id", "subject", "subject_id", "user_id", "detail", "address", "user_agent"];
    let mut all: Vec<String> = Vec::new();
    all.extend(texts.iter().map(|column| set(&format!("{column} = {column} || ' '"))));
    all.extend(blobs.iter().map(|column| set(&format!("{column} = {bytes}"))));
    all.extend(nullable.iter().map(|column| set(&format!("{column} = null"))));
    all.extend([set("at = at + 1"), set("times = 2"), set(&format!("hash = {}", place.bytes(&[8; 32])))]);
    // From one column into the next.
    all.push(set("detail = user_agent, user_agent = detail"));
    all.push("delete from audit_log where seq = 3".to_owned());
    all.push("delete from audit_log where seq = 1".to_owned());
    all.push("delete from audit_log where seq = 5".to_owned());
    all.push("delete from audit_log".to_owned());
    all.push(
        "update audit_log set seq = 100 where seq = 2; update audit_log set seq = 2 where seq = 3;
         update audit_log set seq = 3 where seq = 100"
            .to_owned(),
    );
    all.push(
        "update audit_log set seq = 6 where seq = 5; update audit_log set seq = 5 where seq = 4;
         update audit_log set seq = 4 where seq = 3"
            .to_owned(),
    );
    all.push("update audit_chain set seq = 4 where name = 'head'".to_owned());
    all.push("update audit_chain set seq = 2 where name = 'tail'".to_owned());
    all.push("delete from audit_log where seq = 5; update audit_chain set seq = 4 where name = 'head'".to_owned());
    all
}

#[tokio::test]
async fn whatever_is_done_to_the_log_beside_a_store_shows() {
    on_each(async |place| {
        let store = place.open().await;
        append(&store, 5, NOW).await;
        let all = tampering(place);
        assert_eq!(all.len(), 35);
        place.execute(
            "create table kept as select * from audit_log; create table kept_chain as select * from audit_chain",
        );
        for tampered in all {
            place.execute(&tampered);
            assert_eq!(whole(&store).await, None, "{tampered}");
            place.execute(
                "delete from audit_log; insert into audit_log select * from kept;
                 delete from audit_chain; insert into audit_chain select * from kept_chain",
            );
            assert_eq!(whole(&store).await, Some(5));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_write_at_once_make_one_chain() {
    on_each(async |place| {
        let stores = [place.open().await, place.open().await];
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..64_u8 {
            let store = stores[usize::from(number % 2)].clone();
            writers.spawn(async move {
                for _ in 0..4 {
                    let body = async move |tx: &Tx<'_>| {
                        // With changes of the feed and without: they hold the two in one order.
                        if number % 3 == 0 {
                            tx.record(Change::User(user(number)));
                        }
                        meta::set(tx, &number.to_string(), "1").await?;
                        tx.audit(event(number));
                        Ok(())
                    };
                    store.write(body).await.unwrap();
                }
            });
        }
        writers.join_all().await;
        assert_eq!(whole(&stores[0]).await, Some(256));
    })
    .await;
}

#[tokio::test]
async fn more_rows_than_are_sent_at_once_are_one_chain() {
    on_each(async |place| {
        let store = place.open().await;
        append(&store, 250, NOW).await;
        assert_eq!(whole(&store).await, Some(250));
    })
    .await;
}

#[tokio::test]
async fn retention_takes_the_oldest_and_the_rest_is_still_one_chain() {
    on_each(async |place| {
        let store = place.open().await;
        append(&store, 3, NOW).await;
        append(&store, 2, NOW.plus(Duration::from_secs(10))).await;
        // As where a clock was wrong for a while: it waits for those before it.
        append(&store, 1, NOW).await;
        let take =
            async |before: Timestamp| store.write(async move |tx: &Tx<'_>| sweep(tx, before).await).await.unwrap();
        assert_eq!(take(NOW).await, 0);
        assert_eq!(take(NOW.plus(Duration::from_secs(1))).await, 3);
        assert_eq!(whole(&store).await, Some(3));
        assert_eq!(tail(&store.reads()).await.unwrap().seq, 3);
        assert_eq!(take(NOW.plus(Duration::from_secs(11))).await, 3);
        assert_eq!(whole(&store).await, Some(0));
        append(&store, 1, NOW).await;
        assert_eq!(head(&store.reads()).await.unwrap().seq, 7);
        assert_eq!(whole(&store).await, Some(1));
    })
    .await;
}

#[tokio::test]
async fn rows_are_found_by_whose_they_are_what_they_say_and_when_they_were_written() {
    on_each(async |place| {
        let store = place.open().await;
        let day = |days: u64| NOW.plus(Duration::from_secs(days * 60 * 60 * 24));
        for days in 0..6 {
            append(&store, 3, day(days)).await;
        }
        let ask = async |filter: Filter, order: Order, after: Option<i64>| -> Vec<i64> {
            let rows = list(&store.reads(), &filter, (order, after), 4).await.unwrap();
            rows.iter().map(|row| row.seq).collect()
        };
        let (newest, oldest) = (Order::NewestFirst, Order::OldestFirst);
        assert_eq!(ask(Filter::default(), newest, None).await, [18, 17, 16, 15]);
        assert_eq!(ask(Filter::default(), newest, Some(15)).await, [14, 13, 12, 11]);
        assert_eq!(ask(Filter::default(), oldest, Some(4)).await, [5, 6, 7, 8]);
        for whose in [Whose::Concerning(user(1)), Whose::DoneBy(user(1))] {
            assert_eq!(ask(Filter { whose, ..Filter::default() }, newest, None).await, [17, 14, 11, 8]);
            assert_eq!(ask(Filter { whose, ..Filter::default() }, oldest, Some(2)).await, [5, 8, 11, 14]);
        }
        let since = Filter { since: Some(day(4)), ..Filter::default() };
        assert_eq!(ask(since, oldest, None).await, [13, 14, 15, 16]);
        let until = Filter { until: Some(day(1)), ..Filter::default() };
        assert_eq!(ask(until, newest, None).await, [6, 5, 4, 3]);
        let none = [
            Filter { action: Some(Action::SignIn), ..Filter::default() },
            Filter { is_refused: Some(false), ..Filter::default() },
            Filter { address: Some("192.0.2.2".parse().unwrap()), ..Filter::default() },
            Filter { whose: Whose::Concerning(user(8)), ..Filter::default() },
        ];
        for filter in none {
            assert_eq!(ask(filter, newest, None).await, Vec::<i64>::new());
        }
        let all = Filter {
            action: Some(Action::TokenCreated),
            is_refused: Some(true),
            address: Some("192.0.2.1".parse().unwrap()),
            ..Filter::default()
        };
        assert_eq!(ask(all, oldest, None).await, [1, 2, 3, 4]);
    })
    .await;
}
