//! One's own sessions: seen, ended one by one, and all but the one that asks.

use std::time::Duration;

use doorward::actions::search::{self, SessionSearch};
use doorward::actions::sessions;
use doorward::domain::caller::{Actor, Credential};
use doorward::domain::error::Error;
use doorward::domain::id::SessionId;
use doorward::domain::session::{Dialect, Session};
use doorward::secret::random;
use doorward::store::NewSession;
use doorward::store::bulk::{self, Row};
use reqwest::StatusCode;

use super::{actor, id, last_row, registered, rows_behind, said, signed_in};
use crate::harness::Server;
use crate::rest::{create_api_token, refresh, text, welcome};

fn session(credential: Credential) -> SessionId {
    let Credential::Session { id, .. } = credential else { panic!("{credential:?} is no session") };
    id
}

async fn own(server: &Server, actor: &Actor) -> Vec<Session> {
    let search = SessionSearch { user: actor.caller.require_user().ok() };
    let page = search::sessions(server.app(), &actor.caller, &search, None, 100).await.unwrap();
    page.rows.into_iter().map(|(session, _)| session).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ones_own_sessions_are_seen_newest_first_and_one_is_ended_at_once() {
    let server = Server::start().await;
    let first = registered(&server, "ann@example.com").await;
    let second = signed_in(&server, "ann@example.com").await;
    let bob = actor(&server, &registered(&server, "bob@example.com").await).await;
    let ann = actor(&server, &first).await;
    let other = actor(&server, text(&second, "/accessToken")).await;
    let ids = [session(other.caller.credential()), session(ann.caller.credential())];
    let seen = own(&server, &ann).await;
    assert_eq!(seen.iter().map(|session| session.id).collect::<Vec<_>>(), ids);

    let before = last_row(&server).await;
    for foreign in [session(bob.caller.credential()), SessionId::from_bytes([1; 12])] {
        assert!(matches!(sessions::end_own(server.app(), &ann, foreign).await, Err(Error::NotFound)));
    }
    sessions::end_own(server.app(), &ann, ids[0]).await.unwrap();
    assert!(matches!(sessions::end_own(server.app(), &ann, ids[0]).await, Err(Error::NotFound)), "it is over");
    assert_eq!(welcome(&server, text(&second, "/accessToken")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(refresh(&server, text(&second, "/refreshToken")).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(welcome(&server, &first).await, StatusCode::OK);
    let seen = own(&server, &bob).await;
    assert_eq!(seen.len(), 1, "another's goes on");
    let rows = rows_behind(&server, before).await;
    let ended: Vec<_> = rows.iter().filter(|row| row.result == "done" && row.action == "sign_out").collect();
    let [row] = ended.as_slice() else { panic!("{rows:?}") };
    assert_eq!(row.subject_id.as_deref(), Some(ids[0].as_bytes().as_slice()));
    let ann = id(&ann).as_bytes().to_vec();
    assert_eq!((row.actor.as_ref(), row.user_id.as_ref()), (Some(&ann), Some(&ann)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_other_sessions_end_at_once_and_the_one_that_asks_goes_on() {
    let server = Server::start().await;
    let first = server.register("ann@example.com").await;
    let others = [signed_in(&server, "ann@example.com").await, signed_in(&server, "ann@example.com").await];
    let bob = registered(&server, "bob@example.com").await;
    let ann = actor(&server, text(&first, "/accessToken")).await;
    let before = last_row(&server).await;
    assert_eq!(sessions::end_others(server.app(), &ann).await.unwrap(), 2);
    for other in &others {
        assert_eq!(welcome(&server, text(other, "/accessToken")).await, StatusCode::UNAUTHORIZED);
        assert_eq!(refresh(&server, text(other, "/refreshToken")).await.0, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(welcome(&server, text(&first, "/accessToken")).await, StatusCode::OK);
    assert_eq!(refresh(&server, text(&first, "/refreshToken")).await.0, StatusCode::OK);
    assert_eq!(welcome(&server, &bob).await, StatusCode::OK);
    assert_eq!(sessions::end_others(server.app(), &ann).await.unwrap(), 0);
    let rows = rows_behind(&server, before).await;
    let done: Vec<_> = rows.into_iter().filter(|row| row.result == "done").collect();
    assert_eq!(said(&done), ["user.other_sessions_ended done"], "what ended nothing is not recorded");
    assert_eq!(done[0].user_id.as_deref(), Some(id(&ann).as_bytes().as_slice()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_which_has_no_session_ends_all() {
    let server = Server::start().await;
    let access = registered(&server, "ann@example.com").await;
    let token = create_api_token(&server, &access).await;
    let ann = actor(&server, &token).await;
    assert_eq!(own(&server, &ann).await.len(), 1);
    assert_eq!(sessions::end_others(server.app(), &ann).await.unwrap(), 1);
    assert_eq!(welcome(&server, &access).await, StatusCode::UNAUTHORIZED);
    assert!(own(&server, &ann).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn very_many_sessions_end_some_hundreds_at_a_time() {
    let server = Server::start().await;
    let access = registered(&server, "ann@example.com").await;
    let ann = actor(&server, &access).await;
    let (user_id, now) = (id(&ann), server.clock.now());
    let rows = (0..1_203).map(|number| {
        // Some were over already.
        let lives = Duration::from_secs(if number < 3 { 1 } else { 3_600 });
        Row::Session(Box::new(NewSession {
            id: SessionId::generate(now, random()),
            user_id,
            dialect: Dialect::Rest,
            created_at: now,
            expires_at: now.plus(lives),
            key_id: 1,
            address: None,
            user_agent: None,
        }))
    });
    assert_eq!(bulk::insert(server.app().store(), rows).await.unwrap(), 1_203);
    server.clock.advance(Duration::from_secs(2));
    let before = last_row(&server).await;
    assert_eq!(sessions::end_others(server.app(), &ann).await.unwrap(), 1_200);
    assert_eq!(own(&server, &ann).await.len(), 1);
    assert_eq!(welcome(&server, &access).await, StatusCode::OK);
    assert_eq!(said(&rows_behind(&server, before).await), ["user.other_sessions_ended done"; 3]);
}
