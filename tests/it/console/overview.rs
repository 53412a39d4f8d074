//! The overview: right, of one moment, and counted once however many ask.

use std::sync::Arc;
use std::time::Duration;

use doorward::actions::overview::{HOURS, overview};
use doorward::actions::sessions;
use doorward::domain::error::Error;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::task::JoinSet;

use super::{actor, administrator, registered, signed_in};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, UNTHROTTLED};
use crate::rest::{create_api_token, iron, login, set_status, text};

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_is_counted_and_each_hour_has_what_happened_in_it() {
    let server = Server::start_with(UNTHROTTLED).await;
    // From the first second of an hour on.
    let into = server.clock.now().since(doorward::clock::Timestamp::from_seconds(0)).as_secs() % 3_600;
    server.clock.advance(Duration::from_secs(3_600 - into));
    let begun = server.clock.now();
    let ann = registered(&server, "ann@example.com").await;
    registered(&server, "bob@example.com").await;
    set_status(&server, "bob@example.com", "disabled").await;
    create_api_token(&server, &ann).await;
    iron(&server, &ann, Method::POST, "/1/projects", json!({"name": "queues"})).await;
    server.clock.advance(2 * HOUR);
    for _ in 0..5 {
        assert_eq!(login(&server, "ann@example.com", "the wrong pass phrase").await.0, StatusCode::UNAUTHORIZED);
    }
    let second = signed_in(&server, "ann@example.com").await;
    let third = actor(&server, text(&signed_in(&server, "ann@example.com").await, "/accessToken")).await;
    sessions::end_others(server.app(), &third).await.unwrap();
    assert!(second["accessToken"].is_string());
    doorward::actions::audit::write_refusals(server.app()).await.unwrap();

    let admin = administrator(&server).await;
    let counted = overview(server.app(), &admin.caller).await.unwrap();
    assert_eq!(
        (counted.users, counted.administrators, counted.disabled, counted.projects),
        (3, 1, 1, 1),
        "{counted:?}"
    );
    assert_eq!((counted.live_sessions, counted.api_tokens), (1, 2), "{counted:?}");
    assert_eq!(counted.at, server.clock.now());
    assert_eq!(counted.hours.len(), HOURS);
    let last = counted.hours.last().unwrap();
    assert_eq!((last.sign_ins, last.refused), (2, 5), "{last:?}");
    assert!(last.from <= counted.at && counted.at.since(last.from) < HOUR);
    let earlier = &counted.hours[HOURS - 3];
    assert_eq!((earlier.sign_ins, earlier.refused), (2, 0), "{earlier:?}");
    assert!(earlier.from <= begun && begun.since(earlier.from) < HOUR);
    let pairs = counted.hours.windows(2);
    assert!(pairs.into_iter().all(|pair| pair[0].from.plus(HOUR) == pair[1].from));
    let others = counted.hours.iter().filter(|hour| ![last.from, earlier.from].contains(&hour.from));
    assert!(others.into_iter().all(|hour| hour.sign_ins + hour.refused == 0));

    // A day later all that is gone, but not the users.
    server.clock.advance(24 * HOUR);
    let counted = overview(server.app(), &administrator(&server).await.caller).await.unwrap();
    assert_eq!(counted.users, 3);
    assert_eq!(counted.hours.iter().map(|hour| hour.sign_ins + hour.refused).sum::<u64>(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_counted_once_a_minute_however_many_ask() {
    let server = Server::start().await;
    let admin = administrator(&server).await;
    let mut asking = JoinSet::new();
    for _ in 0..50 {
        let (app, caller) = (server.app().clone(), admin.caller);
        asking.spawn(async move { overview(&app, &caller).await.unwrap() });
    }
    let answers = asking.join_all().await;
    assert!(answers.iter().all(|answer| Arc::ptr_eq(answer, &answers[0])));
    assert_eq!(answers[0].users, 1);
    let body = json!({"email": "ann@example.com", "password": PASSWORD});
    iron(&server, ADMIN_TOKEN, Method::POST, "/1/users", body).await;
    server.clock.advance(Duration::from_secs(59));
    let kept = overview(server.app(), &admin.caller).await.unwrap();
    assert!(Arc::ptr_eq(&kept, &answers[0]));
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(overview(server.app(), &admin.caller).await.unwrap().users, 2);
    // A clock that was set back keeps nothing for longer.
    server.clock.set(answers[0].at.minus(Duration::from_hours(5)));
    let earlier = overview(server.app(), &admin.caller).await.unwrap();
    assert_eq!(earlier.at, server.clock.now());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_is_no_administrator_sees_none() {
    let server = Server::start().await;
    let ann = actor(&server, &registered(&server, "ann@example.com").await).await;
    assert!(matches!(overview(server.app(), &ann.caller).await, Err(Error::Forbidden(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_it_cannot_be_counted_the_last_one_is_shown() {
    let server = Server::start().await;
    let admin = administrator(&server).await;
    let first = overview(server.app(), &admin.caller).await.unwrap();
    server.database().execute("alter table projects rename to hidden");
    server.clock.advance(Duration::from_mins(2));
    let second = overview(server.app(), &admin.caller).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    server.database().execute("alter table hidden rename to projects");
    let third = overview(server.app(), &admin.caller).await.unwrap();
    assert!(Arc::ptr_eq(&first, &third), "nobody tries again at once");
    server.clock.advance(Duration::from_secs(5));
    let fourth = overview(server.app(), &admin.caller).await.unwrap();
    assert_eq!(fourth.at, server.clock.now());
}
