//! What a store promises whatever the engine: jobs that undo themselves alone, changes that are heard
//! in the order of their commits, and hooks that come before answers.

use super::*;
use crate::domain::error::Error;
use crate::domain::id::UserId;

fn user(byte: u8) -> UserId {
    UserId::from_bytes([byte; 12])
}

/// Commits a change of a user.
async fn change(store: &Store, byte: u8) {
    let body = async move |tx: &Tx<'_>| {
        tx.record(Change::User(user(byte)));
        // On PostgreSQL a transaction begins with its first statement.
        meta::set(tx, "changed", "1").await
    };
    store.write(body).await.unwrap();
}

async fn sweep_all(store: &Store) {
    let far = Timestamp::from_micros(i64::MAX);
    store.write(async move |tx: &Tx<'_>| changes::sweep(tx, far).await).await.unwrap();
}

#[tokio::test]
async fn a_failed_job_undoes_itself_alone() {
    on_each(async |place| {
        let store = place.open().await;
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
    })
    .await;
}

#[tokio::test]
async fn a_panicking_job_leaves_the_store_at_work() {
    on_each(async |place| {
        let store = place.open().await;
        let panicked: Result<()> = store
            .write(async |tx: &Tx<'_>| {
                meta::set(tx, "lost", "1").await?;
                panic!("on purpose")
            })
            .await;
        assert!(matches!(panicked, Err(Error::Internal(_))));
        store.write(async |tx: &Tx<'_>| meta::set(tx, "kept", "1").await).await.unwrap();
        assert_eq!(meta::find(&store.reads(), "lost").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn on_sqlite_a_body_that_awaits_something_foreign_is_refused() {
    let place = Place::sqlite();
    let store = place.open().await;
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
    on_each(async |place| {
        let (here, there) = (place.open().await, place.open().await);
        let mut tail = Some(here.tail().await.unwrap());
        assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(Vec::new()));
        for byte in [1, 2, 3] {
            change(&there, byte).await;
        }
        assert_eq!(
            poll(&mut tail).await.unwrap(),
            News::Changes([1, 2, 3].map(|byte| Change::User(user(byte))).to_vec())
        );
        assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(Vec::new()));
    })
    .await;
}

/// On a connection that knows no statement yet, too.
#[tokio::test]
async fn on_postgres_changes_are_written_in_the_transaction_that_they_are_of() {
    let place = Place::postgres();
    change(&place.open().await, 1).await;
    let name = place.url.as_ref().unwrap().rsplit('/').next().unwrap();
    let question = "select count(distinct xmin::text) from (
        select xmin from changes union all select xmin from counters where name = 'changes'
        union all select xmin from meta where name = 'changed') as written";
    assert_eq!(cluster::shared().sql(name, question), "1");
}

#[tokio::test]
async fn many_changes_of_one_transaction_are_numbered_once_each_in_their_order() {
    on_each(async |place| {
        let store = place.open().await;
        let mut tail = Some(store.tail().await.unwrap());
        let all: Vec<Change> = (0..250).map(|byte| Change::User(user(byte))).collect();
        let recorded = [&all[..], &all[..3]].concat();
        let body = async move |tx: &Tx<'_>| {
            meta::set(tx, "changed", "1").await?;
            for change in &recorded {
                tx.record(*change);
            }
            Ok(())
        };
        store.write(body).await.unwrap();
        assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(all));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_follows_misses_nothing_of_what_many_commit_at_once() {
    on_each(async |place| {
        let stores = [place.open().await, place.open().await];
        let mut tail = Some(stores[0].tail().await.unwrap());
        let mut writers = tokio::task::JoinSet::new();
        for byte in 0..64 {
            let store = stores[usize::from(byte % 2)].clone();
            writers.spawn(async move { change(&store, byte).await });
        }
        let mut heard = std::collections::HashSet::new();
        let mut last_look = false;
        while !last_look {
            last_look = writers.is_empty();
            while writers.try_join_next().is_some_and(|joined| joined.is_ok()) {}
            let news = poll(&mut tail).await.unwrap();
            let News::Changes(changes) = news else { panic!("{:?} {news:?}", place.url) };
            for change in changes {
                let Change::User(id) = change else { panic!("{change:?}") };
                assert!(heard.insert(id), "{id} was heard twice");
            }
        }
        assert_eq!(heard.len(), 64);
    })
    .await;
}

#[tokio::test]
async fn the_tail_notices_what_was_swept_away_before_it_was_read() {
    on_each(async |place| {
        let store = place.open().await;
        let mut tail = Some(store.tail().await.unwrap());
        change(&store, 1).await;
        sweep_all(&store).await;
        assert_eq!(poll(&mut tail).await.unwrap(), News::Missed(Vec::new()), "all rows are gone");
        change(&store, 2).await;
        sweep_all(&store).await;
        change(&store, 3).await;
        assert_eq!(poll(&mut tail).await.unwrap(), News::Missed(Vec::new()), "an older row is gone");
        change(&store, 4).await;
        assert!(matches!(poll(&mut tail).await.unwrap(), News::Changes(changes) if changes.len() == 1));
    })
    .await;
}

#[tokio::test]
async fn a_counter_that_went_back_is_another_history() {
    on_each(async |place| {
        let store = place.open().await;
        change(&store, 1).await;
        change(&store, 2).await;
        let mut tail = Some(store.tail().await.unwrap());
        poll(&mut tail).await.unwrap();
        place.execute("delete from changes where seq = 2; update counters set value = 1 where name = 'changes'");
        assert_eq!(poll(&mut tail).await.unwrap(), News::Missed(Vec::new()));
        change(&store, 3).await;
        assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(vec![Change::User(user(3))]));
    })
    .await;
}

/// A standby that took over without the last changes has other ones under their numbers.
#[tokio::test]
async fn another_history_is_noticed_on_a_new_connection_however_far_it_went() {
    let place = Place::postgres();
    let store = place.open().await;
    change(&store, 1).await;
    let mut tail = Some(store.tail().await.unwrap());
    change(&store, 2).await;
    assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(vec![Change::User(user(2))]));
    place.execute("update changes set at = at + 1 where seq = 2");
    change(&store, 3).await;
    place.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where pid <> pg_backend_pid() and datname = current_database()",
    );
    let mut heard = Vec::new();
    for _ in 0..100 {
        match poll(&mut tail).await {
            Ok(news) => heard.push(news),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
        if heard.len() == 2 {
            break;
        }
    }
    assert_eq!(heard, [News::Missed(Vec::new()), News::Changes(Vec::new())]);
}

#[tokio::test]
async fn what_was_missed_is_told_again_until_it_could_be_told_whole() {
    on_each(async |place| {
        let store = place.open().await;
        let mut tail = Some(store.tail().await.unwrap());
        place.execute("update counters set value = 5 where name = 'changes'; alter table sessions rename to hidden");
        assert!(poll(&mut tail).await.is_err());
        place.execute("alter table hidden rename to sessions");
        assert_eq!(poll(&mut tail).await.unwrap(), News::Missed(Vec::new()));
        assert_eq!(poll(&mut tail).await.unwrap(), News::Changes(Vec::new()));
    })
    .await;
}

#[tokio::test]
async fn caches_hear_of_a_commit_before_its_caller_is_answered() {
    on_each(async |place| {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let hook: CommitHook = Arc::new(move |changes| ears.lock().unwrap().extend_from_slice(changes));
        let store = place.try_open(hook).await.unwrap();
        change(&store, 7).await;
        assert_eq!(*heard.lock().unwrap(), [Change::User(user(7))]);
    })
    .await;
}

/// Both read before either writes; that a look-up holds its row makes one wait for the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transactions_that_look_and_then_write_do_not_overlook_each_other() {
    on_each(async |place| {
        let stores = [place.open().await, place.open().await];
        let start = async |tx: &Tx<'_>| meta::set(tx, "sum", "0").await;
        stores[0].write(start).await.unwrap();
        let mut adding = tokio::task::JoinSet::new();
        for number in 0..40 {
            let store = stores[number % 2].clone();
            adding.spawn(async move {
                let add = async |tx: &Tx<'_>| {
                    let sum: u32 = meta::find(tx, "sum").await?.unwrap().parse().unwrap();
                    meta::set(tx, "sum", &(sum + 1).to_string()).await
                };
                store.write(add).await.unwrap();
            });
        }
        adding.join_all().await;
        assert_eq!(meta::find(&stores[0].reads(), "sum").await.unwrap().as_deref(), Some("40"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_meets_another_in_a_deadlock_is_run_again() {
    let place = Place::postgres();
    place.execute("alter role doorward set deadlock_timeout = '50ms'");
    let stores = [place.open().await, place.open().await];
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    for name in ["a", "b"] {
        stores[0].write(async move |tx: &Tx<'_>| meta::set(tx, name, "").await).await.unwrap();
    }
    let runs = Arc::new(Mutex::new(0));
    let crossing = [["a", "b"], ["b", "a"]].into_iter().zip(&stores).map(|([first, second], store)| {
        let (store, meet, runs) = (store.clone(), Arc::clone(&meet), Arc::clone(&runs));
        tokio::spawn(async move {
            let body = async move |tx: &Tx<'_>| {
                let run = {
                    let mut runs = runs.lock().unwrap();
                    *runs += 1;
                    *runs
                };
                meta::set(tx, first, "held").await?;
                if run <= 2 {
                    meet.wait().await;
                }
                meta::set(tx, second, first).await
            };
            store.write(body).await
        })
    });
    for crossed in crossing.collect::<Vec<_>>() {
        crossed.await.unwrap().unwrap();
    }
    assert_eq!(*runs.lock().unwrap(), 3, "one of them was run once more");
}

/// What was there a moment ago and is not, or the other way round, is looked at once more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_another_takes_meanwhile_is_taken_and_not_a_fault() {
    on_each(async |place| {
        let stores = [place.open().await, place.open().await];
        let mut taking = tokio::task::JoinSet::new();
        for byte in 0..16 {
            let store = stores[usize::from(byte % 2)].clone();
            taking.spawn(async move {
                let new = functions::user(byte, "ann@example.com");
                store.write(async move |tx: &Tx<'_>| users::insert(tx, &new).await).await
            });
        }
        let outcomes = taking.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        assert!(
            outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|e| matches!(e, Error::Taken("email")))
        );
        let ids: Vec<_> = [20, 21].map(|byte| functions::user(byte, &format!("{byte}@example.com"))).into();
        for new in &ids {
            let new = new.clone();
            stores[0].write(async move |tx: &Tx<'_>| users::insert(tx, &new).await).await.unwrap();
        }
        let email = crate::domain::user::Email::parse("wanted@example.com").unwrap();
        let renaming = ids.into_iter().zip(&stores).map(|(new, store)| {
            let (email, store) = (email.clone(), store.clone());
            tokio::spawn(async move {
                let change = async move |tx: &Tx<'_>| {
                    users::update(tx, new.id, UserChange::Email(&email, None), Timestamp::from_micros(1)).await
                };
                store.write(change).await
            })
        });
        let mut taken = 0;
        for renamed in renaming.collect::<Vec<_>>() {
            match renamed.await.unwrap() {
                Ok(()) => {}
                Err(Error::Taken("email")) => taken += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(taken, 1);
    })
    .await;
}

/// It is part of every request's future, also of those that are answered from memory.
#[tokio::test]
async fn a_look_up_that_nobody_awaits_is_small() {
    on_each(async |place| {
        let store = place.open().await;
        let reads = store.reads();
        let looking = tokens::find_by_hash(&reads, [0; 32]);
        assert!(size_of_val(&looking) < 1_000, "{} bytes", size_of_val(&looking));
        drop(looking);
        let writing = store.write(async |tx: &Tx<'_>| meta::set(tx, "kept", "1").await);
        assert!(size_of_val(&writing) < 1_000, "{} bytes", size_of_val(&writing));
    })
    .await;
}
