//! `/1/tokens`.

use serde_json::{Value, json};

use super::{Iron, NOBODY, text};
use crate::harness::{ADMIN_TOKEN, PASSWORD};

#[tokio::test]
async fn a_new_token_stands_in_its_envelope_alone_with_its_secret() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let wanted = json!({"name": "worker", "type": "api", "expires_at": "2999-01-01T01:00:00+01:00"});
    let body = iron.done("POST", "/1/tokens", &ann.token, wanted).await;
    let token = &body["token"];
    let expected = json!({"token": {
        "_id": token["_id"], "user_id": ann.id, "type": "api", "name": "worker", "token": token["token"],
        "admin": false, "expires_at": "2999-01-01T00:00:00.000Z",
    }});
    assert_eq!(body, expected);
    assert_eq!(text(&token["_id"]).len(), 24);
    assert!(text(&token["token"]).starts_with("dwt_"));
    assert_eq!(iron.get("/1/authentication", &text(&token["token"])).await.0, 200);
}

#[tokio::test]
async fn nothing_is_required_of_a_new_token_not_even_a_body() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let empty = json!({"name": null, "type": null, "user_id": null, "admin": null, "expires_at": null});
    for body in [Value::Null, json!({}), json!({"token": {}}), empty] {
        let token = iron.done("POST", "/1/tokens", &ann.token, body).await["token"].clone();
        assert_eq!((&token["name"], &token["type"], &token["admin"]), (&json!(""), &json!(""), &json!(false)));
        assert_eq!(token["expires_at"], Value::Null);
    }
}

#[tokio::test]
async fn a_token_is_asked_for_flat_or_in_its_envelope() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    for body in [json!({"name": "worker", "unknown": 1}), json!({"token": {"name": "worker", "unknown": 1}})] {
        assert_eq!(iron.done("POST", "/1/tokens", &ann.token, body).await["token"]["name"], "worker");
    }
}

#[tokio::test]
async fn a_text_in_the_place_of_the_envelope_is_never_the_secret() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let chosen = "dwt_chosen-by-the-client-0123456789";
    for body in [json!({"token": chosen, "name": "mine"}), json!({"token": {"token": chosen, "name": "mine"}})] {
        let made = iron.done("POST", "/1/tokens", &ann.token, body).await["token"].clone();
        assert_eq!(made["name"], "mine");
        assert_ne!(made["token"], chosen);
    }
    assert_eq!(iron.get("/1/authentication", chosen).await.0, 403);
}

#[tokio::test]
async fn tokens_for_others_and_with_admin_are_made_by_administrators_only() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    for user in [bob.id.as_str(), &bob.email, NOBODY, "rubbish"] {
        assert_eq!(iron.refused("POST", "/1/tokens", &ann.token, json!({"user_id": user})).await, 403, "{user}");
    }
    assert_eq!(iron.refused("POST", "/1/tokens", &ann.token, json!({"admin": true})).await, 403);
    let own = iron.done("POST", "/1/tokens", &ann.token, json!({"user_id": ann.id, "admin": false})).await;
    assert_eq!(own["token"]["user_id"], ann.id.as_str());

    let wanted = json!({"user_id": bob.id, "name": "made"});
    let made = iron.done("POST", "/1/tokens", ADMIN_TOKEN, wanted).await["token"].clone();
    assert_eq!((&made["user_id"], &made["admin"]), (&json!(bob.id), &json!(false)));
    let by_email = iron.done("POST", "/1/tokens", ADMIN_TOKEN, json!({"user_id": bob.email})).await;
    assert_eq!(by_email["token"]["user_id"], bob.id.as_str());
    for user in [NOBODY, "rubbish"] {
        assert_eq!(iron.refused("POST", "/1/tokens", ADMIN_TOKEN, json!({"user_id": user})).await, 404);
    }
    let admin = iron.done("POST", "/1/tokens", ADMIN_TOKEN, json!({"admin": true})).await["token"].clone();
    assert_eq!(admin["admin"], true);
    assert_eq!(iron.get("/1/users", &text(&admin["token"])).await.0, 200);
}

#[tokio::test]
async fn a_token_with_admin_gives_no_power_to_a_user_who_has_none() {
    let iron = Iron::start().await;
    let bob = iron.somebody("bob").await;
    let wanted = json!({"user_id": bob.id, "admin": true});
    let token = text(&iron.done("POST", "/1/tokens", ADMIN_TOKEN, wanted).await["token"]["token"]);
    assert_eq!(iron.refused("GET", "/1/users", &token, Value::Null).await, 403);
}

#[tokio::test]
async fn malformed_tokens_are_refused() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    for body in [
        json!([]),
        json!({"name": 7}),
        json!({"name": "x".repeat(256)}),
        json!({"type": []}),
        json!({"admin": "false"}),
        json!({"user_id": 7}),
        json!({"expires_at": 1_700_000_000}),
        json!({"expires_at": "tomorrow"}),
        json!({"expires_at": "2001-01-01T00:00:00Z"}),
        json!({"token": {"name": 7}}),
    ] {
        assert_eq!(iron.refused("POST", "/1/tokens", &ann.token, body.clone()).await, 400, "{body}");
    }
}

#[tokio::test]
async fn a_list_shows_ones_own_tokens_without_secrets() {
    let iron = Iron::start().await;
    let (ann, _) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let made = iron.done("POST", "/1/tokens", &ann.token, json!({"name": "n", "type": "t"})).await["token"].clone();
    for token in [ann.token.as_str(), &iron.login(&ann.email, PASSWORD).await] {
        let body = iron.done("GET", "/1/tokens", token, Value::Null).await;
        assert!(!text(&body["msg"]).is_empty());
        let tokens = body["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 2);
        let expected = json!({"_id": made["_id"], "user_id": ann.id, "type": "t", "name": "n", "admin": false});
        assert!(tokens.contains(&expected), "{body}");
    }
}

#[tokio::test]
async fn an_administrator_lists_the_tokens_of_others() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    for name in [&bob.id, &bob.email] {
        let body = iron.done("GET", &format!("/1/tokens?user_id={name}"), ADMIN_TOKEN, Value::Null).await;
        assert_eq!(body["tokens"][0]["user_id"], bob.id.as_str());
    }
    let own = iron.done("GET", &format!("/1/tokens?user_id={}", ann.id), &ann.token, Value::Null).await;
    assert_eq!(own["tokens"][0]["user_id"], ann.id.as_str());
    assert_eq!(iron.get("/1/tokens?user_id=", ADMIN_TOKEN).await.1["tokens"][0]["admin"], true);
    for name in [bob.id.as_str(), NOBODY, "rubbish"] {
        let path = format!("/1/tokens?user_id={name}");
        assert_eq!(iron.refused("GET", &path, &ann.token, Value::Null).await, 403);
    }
    assert_eq!(iron.refused("GET", &format!("/1/tokens?user_id={NOBODY}"), ADMIN_TOKEN, Value::Null).await, 404);
}

#[tokio::test]
async fn a_deleted_token_is_over_and_cannot_be_deleted_again() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let made = iron.done("POST", "/1/tokens", &ann.token, json!({})).await["token"].clone();
    let path = format!("/1/tokens/{}", text(&made["_id"]));
    assert_eq!(iron.done("DELETE", &path, &ann.token, json!({})).await, json!({"msg": "success"}));
    assert_eq!(iron.get("/1/authentication", &text(&made["token"])).await.0, 403);
    assert_eq!(iron.refused("DELETE", &path, &ann.token, Value::Null).await, 404);
}

#[tokio::test]
async fn tokens_are_deleted_by_their_owner_and_administrators_and_are_unknown_to_others() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let made = iron.done("POST", "/1/tokens", &ann.token, json!({})).await["token"].clone();
    let path = format!("/1/tokens/{}", text(&made["_id"]));
    let unknown = iron.call("DELETE", &format!("/1/tokens/{NOBODY}"), &bob.token, Value::Null).await;
    assert_eq!(unknown.0, 404);
    assert_eq!(iron.call("DELETE", &path, &bob.token, Value::Null).await, unknown);
    for id in ["rubbish", "%FF", "%00", "'%20or%20'1'='1"] {
        assert_eq!(iron.refused("DELETE", &format!("/1/tokens/{id}"), ADMIN_TOKEN, Value::Null).await, 404, "{id}");
    }
    assert_eq!(iron.refused("DELETE", &path, "", Value::Null).await, 401);
    iron.done("DELETE", &path, ADMIN_TOKEN, Value::Null).await;
    assert_eq!(iron.get("/1/authentication", &text(&made["token"])).await.0, 403);
}
