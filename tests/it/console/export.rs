//! A user's copy of what is kept about them: all of it, no secret in it, and nothing of others that they could
//! not see.

use doorward::actions::export::{LIMIT, own_data};
use doorward::clock::Timestamp;
use doorward::domain::id::SessionId;
use doorward::domain::session::Dialect;
use doorward::secret::random;
use doorward::store::NewSession;
use doorward::store::bulk::{self, Row};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{actor, id, registered, signed_in};
use crate::harness::{ADMIN_EMAIL, ADMIN_TOKEN, PASSWORD, Server, answer};
use crate::rest::{create_api_token, iron, logout, text, verification_token};

async fn copy_of(server: &Server, token: &str) -> Value {
    own_data(server.app(), &actor(server, token).await.caller).await.unwrap()
}

fn list<'v>(copy: &'v Value, name: &str) -> &'v [Value] {
    copy[name].as_array().unwrap_or_else(|| panic!("no list {name} in {copy}"))
}

/// What Ann was given.
struct Given {
    server: Server,
    ann: String,
    bob: String,
    token: String,
    mailed: String,
}

/// Ann, who has done and has got some of everything.
async fn with_ann_and_bob() -> Given {
    let server = Server::start().await;
    let ann = registered(&server, "ann@example.com").await;
    let bob = registered(&server, "bob@example.com").await;
    let second = signed_in(&server, "ann@example.com").await;
    assert_eq!(logout(&server, text(&second, "/refreshToken")).await.0, StatusCode::OK);
    let token = create_api_token(&server, &ann).await;
    let mailed = verification_token(&server, &ann).await;
    let project = iron(&server, &ann, Method::POST, "/1/projects", json!({"name": "queues"})).await;
    let path = format!("/1/projects/{}/share", text(&project, "/id"));
    iron(&server, &ann, Method::PATCH, &path, json!({"email": "bob@example.com"})).await;
    let theirs = iron(&server, &bob, Method::POST, "/1/projects", json!({"name": "rows"})).await;
    let path = format!("/1/projects/{}/share", text(&theirs, "/id"));
    iron(&server, &bob, Method::PATCH, &path, json!({"email": "ann@example.com"})).await;
    let path = format!("/1/users/{}", id(&actor(&server, &ann).await));
    let flags = json!({"flags": {"beta": true}});
    let by_admin =
        server.request(Method::PATCH, &path).bearer_auth(ADMIN_TOKEN).header("user-agent", "the admin's own");
    assert_eq!(answer(by_admin.json(&flags)).await.0, StatusCode::OK);
    Given { server, ann, bob, token, mailed }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_holds_everything_of_the_user_and_no_secret() {
    let Given { server, ann, bob, token, mailed } = with_ann_and_bob().await;
    let copy = copy_of(&server, &ann).await;
    assert_eq!((&copy["user"]["email"], &copy["user"]["name"]), (&json!("ann@example.com"), &json!("Ann")));
    assert_eq!(copy["user"]["flags"], json!({"beta": true}));
    assert_eq!(copy["user"]["permissions"], json!(["user"]));
    assert_eq!(copy["user"]["has_password"], true);
    let sessions = list(&copy, "sessions");
    assert_eq!(sessions.len(), 2);
    assert!(sessions[0]["ended_at"].is_string() && sessions[1]["ended_at"].is_null(), "the newest first: {copy}");
    assert_eq!(list(&copy, "api_tokens")[0]["name"], "test");
    assert_eq!(list(&copy, "mailed_secrets")[0]["purpose"], "verification");
    assert_eq!(list(&copy, "projects")[0]["name"], "queues");
    assert_eq!(list(&copy, "projects")[0]["shared_with"][0]["name"], "bob@example.com");
    assert_eq!(list(&copy, "shared_with_me")[0]["name"], "rows");
    assert_eq!(list(&copy, "shared_with_me")[0]["owner"]["name"], "bob@example.com");
    assert_eq!(list(&copy, "known_networks")[0]["network"], "127.0.0.1");
    assert_eq!(copy["left_out"], json!([]));
    let actions: Vec<_> = list(&copy, "audit_log").iter().rev().map(|row| text(row, "/action")).collect();
    assert_eq!(
        actions,
        [
            "sign_up",
            "sign_in",
            "sign_out",
            "token.created",
            "email.verification_requested",
            "project.created",
            "project.shared",
            "project.shared",
            "user.updated"
        ]
    );
    // What another did says nothing of where that one was, and with what.
    let by_admin = &list(&copy, "audit_log")[0];
    assert!(by_admin["actor"].is_string() && by_admin["actor"] != copy["user"]["id"], "{by_admin}");
    for private in ["address", "user_agent", "credential_id"] {
        assert!(by_admin[private].is_null(), "{by_admin}");
    }
    let whole = copy.to_string();
    let ends = [&token[..8], &token[token.len() - 4..]];
    let kept_out = [PASSWORD, "argon2", &token, &mailed, ADMIN_EMAIL, "the admin's own", "credential_version", "hash"];
    for secret in kept_out.into_iter().chain(ends) {
        assert!(!whole.contains(secret), "{secret} is in {whole}");
    }
    // Another's copy is another's.
    let theirs = copy_of(&server, &bob).await;
    assert_eq!(list(&theirs, "projects")[0]["name"], "rows");
    assert!(list(&theirs, "api_tokens").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_cut_to_the_newest_and_said() {
    let server = Server::start().await;
    let access = registered(&server, "ann@example.com").await;
    let user_id = id(&actor(&server, &access).await);
    let session = |number: usize| {
        let at = Timestamp::from_seconds(1_600_000_000 + i64::try_from(number).unwrap());
        Row::Session(Box::new(NewSession {
            id: SessionId::generate(at, random()),
            user_id,
            dialect: Dialect::Rest,
            created_at: at,
            expires_at: at,
            key_id: 1,
            address: None,
            user_agent: None,
        }))
    };
    bulk::insert(server.app().store(), (1..LIMIT).map(session)).await.unwrap();
    let copy = copy_of(&server, &access).await;
    assert_eq!(
        (list(&copy, "sessions").len(), &copy["left_out"]),
        (LIMIT, &json!([])),
        "exactly as many as there may be"
    );
    bulk::insert(server.app().store(), [session(0)]).await.unwrap();
    let copy = copy_of(&server, &access).await;
    let sessions = list(&copy, "sessions");
    assert_eq!((sessions.len(), &copy["left_out"]), (LIMIT, &json!(["sessions"])));
    assert_eq!(text(sessions.last().unwrap(), "/created_at"), "2020-09-13T12:26:41.000Z", "the oldest is left out");
}
