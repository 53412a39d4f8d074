//! `/1/projects/{id}/share` and `unshare`.

use serde_json::{Value, json};

use super::{Iron, NOBODY, Somebody, is_flat_and_enveloped, text};
use crate::harness::ADMIN_TOKEN;

/// Ann's project, and Bob.
async fn shared_ground(iron: &Iron) -> (Somebody, Somebody, String) {
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let path = format!("/1/projects/{}", iron.project(&ann.token, "mail").await);
    (ann, bob, path)
}

#[tokio::test]
async fn users_are_named_in_every_shape_that_clients_send() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    for body in [
        json!([bob.id]),
        json!([bob.email]),
        json!([{"user_id": bob.id}]),
        json!([{"email": bob.email}]),
        json!([{"id": bob.id}]),
        json!({"user_id": bob.id}),
        json!({"user_ids": [bob.id]}),
        json!({"email": bob.email}),
        json!({"emails": [bob.email]}),
    ] {
        let shared = iron.done("PATCH", &format!("{path}/share"), &ann.token, body.clone()).await;
        is_flat_and_enveloped(&shared, "project");
        assert_eq!(shared["shared_with"], json!([bob.id]), "{body}");
        assert!(!text(&shared["msg"]).is_empty());
        let unshared = iron.done("PATCH", &format!("{path}/unshare"), &ann.token, body.clone()).await;
        assert_eq!(unshared["shared_with"], json!([]), "{body}");
        assert!(!text(&unshared["msg"]).is_empty());
    }
}

#[tokio::test]
async fn sharing_twice_and_taking_back_what_was_not_shared_change_nothing() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    for _ in 0..2 {
        let body = iron.done("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id, bob.email, ann.id])).await;
        assert_eq!(body["shared_with"], json!([bob.id]));
    }
    for _ in 0..2 {
        let body = iron.done("PATCH", &format!("{path}/unshare"), &ann.token, json!([bob.id, ann.id])).await;
        assert_eq!(body["shared_with"], json!([]));
    }
    assert_eq!(iron.get(&path, &ann.token).await.0, 200);
}

#[tokio::test]
async fn one_unknown_user_and_nothing_is_changed() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    for unknown in [NOBODY, "nobody@example.com", "rubbish", ""] {
        let refused = iron.refused("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id, unknown])).await;
        assert_eq!(refused, 404, "{unknown}");
    }
    assert_eq!(iron.get(&path, &ann.token).await.1["shared_with"], json!([]));
    iron.done("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id])).await;
    assert_eq!(iron.refused("PATCH", &format!("{path}/unshare"), &ann.token, json!([bob.id, NOBODY])).await, 404);
    assert_eq!(iron.get(&path, &ann.token).await.1["shared_with"], json!([bob.id]));
}

#[tokio::test]
async fn a_body_that_names_nobody_is_malformed() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    for body in [
        Value::Null,
        json!([]),
        json!({}),
        json!({"user_ids": []}),
        json!({"name": bob.id}),
        json!({"user_id": 7}),
        json!([7]),
        json!([bob.id, null]),
        json!([[bob.id]]),
        json!("text"),
    ] {
        for verb in ["share", "unshare"] {
            let status = iron.refused("PATCH", &format!("{path}/{verb}"), &ann.token, body.clone()).await;
            assert_eq!(status, 400, "{verb} {body}");
        }
    }
}

#[tokio::test]
async fn only_the_owner_and_administrators_share() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    let eve = iron.somebody("eve").await;
    iron.done("PATCH", &format!("{path}/share"), ADMIN_TOKEN, json!([bob.id])).await;
    for verb in ["share", "unshare"] {
        for (token, status) in [("", 401), (bob.token.as_str(), 403), (&eve.token, 404)] {
            let refused = iron.refused("PATCH", &format!("{path}/{verb}"), token, json!([eve.id])).await;
            assert_eq!(refused, status, "{verb}");
        }
        assert_eq!(iron.refused("PATCH", &format!("{path}/{verb}"), &eve.token, json!([])).await, 404);
        let gone = format!("/1/projects/{NOBODY}/{verb}");
        assert_eq!(iron.refused("PATCH", &gone, &ann.token, json!([])).await, 404);
    }
    iron.done("PATCH", &format!("{path}/unshare"), ADMIN_TOKEN, json!([bob.id])).await;
}

#[tokio::test]
async fn all_who_may_use_a_project_are_listed_the_owner_first() {
    let iron = Iron::start().await;
    let (ann, bob, path) = shared_ground(&iron).await;
    let eve = iron.somebody("eve").await;
    iron.done("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id])).await;
    let expected = json!([
        {"user_id": ann.id, "email": ann.email, "owner": true},
        {"user_id": bob.id, "email": bob.email, "owner": false},
    ]);
    for token in [&ann.token, &bob.token, ADMIN_TOKEN] {
        let body = iron.done("GET", &format!("{path}/share"), token, Value::Null).await;
        assert_eq!(body["users"], expected);
        assert!(!text(&body["msg"]).is_empty());
    }
    assert_eq!(iron.refused("GET", &format!("{path}/share"), &eve.token, Value::Null).await, 404);
    assert_eq!(iron.refused("GET", &format!("{path}/share"), "", Value::Null).await, 401);
}
