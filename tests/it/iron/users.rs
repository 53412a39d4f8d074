//! `/1/users`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Iron, NOBODY, is_flat_and_enveloped, text};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD};

#[tokio::test]
async fn a_new_user_comes_with_one_api_token_that_has_no_admin() {
    let iron = Iron::start().await;
    let wanted = json!({"email": "Ann@example.com", "password": PASSWORD, "unknown": 1});
    let body = iron.done("POST", "/1/users", ADMIN_TOKEN, wanted).await;
    is_flat_and_enveloped(&body, "user");
    let token = text(&body["tokens"][0]);
    assert!(token.starts_with("dwt_"));
    let expected = json!({
        "user_id": body["user_id"], "email": "Ann@example.com", "tokens": [token], "status": "active",
        "plan_worker": {}, "flags": {},
    });
    assert_eq!(body["user"], expected);
    let tokens = iron.done("GET", "/1/tokens", &token, Value::Null).await;
    assert_eq!(tokens["tokens"].as_array().unwrap().len(), 1);
    assert_eq!(tokens["tokens"][0]["admin"], false);
    iron.login("ann@example.com", PASSWORD).await;
}

#[tokio::test]
async fn an_administrator_sets_what_others_may_not() {
    let iron = Iron::start().await;
    let given = json!({"status": "disabled", "flags": {"a": 1}, "plan_worker": {"b": [null]}});
    let mut wanted = given.clone();
    wanted["email"] = json!("ann@example.com");
    wanted["password"] = json!(PASSWORD);
    wanted["permissions"] = json!(["admin"]);
    let made = iron.done("POST", "/1/users", ADMIN_TOKEN, wanted).await;
    for field in ["status", "flags", "plan_worker"] {
        assert_eq!(made[field], given[field]);
    }
    assert_eq!(iron.get("/1/authentication", &text(&made["tokens"][0])).await.0, 403);
    let path = format!("/1/users/{}", text(&made["user_id"]));
    let changed = iron.done("PATCH", &path, ADMIN_TOKEN, json!({"status": "active", "flags": {}})).await;
    assert_eq!((&changed["flags"], &changed["plan_worker"]), (&json!({}), &given["plan_worker"]));
    let token = text(&made["tokens"][0]);
    assert_eq!(iron.get("/1/authentication", &token).await.0, 200);
    assert_eq!(iron.refused("GET", "/1/users", &token, Value::Null).await, 403);
}

#[tokio::test]
async fn users_are_made_by_administrators_only() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let wanted = json!({"email": "bob@example.com", "password": PASSWORD});
    assert_eq!(iron.refused("POST", "/1/users", "", wanted.clone()).await, 401);
    assert_eq!(iron.refused("POST", "/1/users", &ann.token, wanted.clone()).await, 403);
    assert_eq!(iron.refused("POST", "/1/users", &ann.token, json!([])).await, 403);
    let session = iron.admin_session().await;
    iron.done("POST", "/1/users", &session, wanted).await;
}

#[tokio::test]
async fn an_address_is_given_once_whatever_its_letter_case() {
    let iron = Iron::start().await;
    iron.somebody("ann").await;
    let wanted = json!({"email": "ANN@Example.COM", "password": PASSWORD});
    assert_eq!(iron.refused("POST", "/1/users", ADMIN_TOKEN, wanted).await, 409);
}

#[tokio::test]
async fn malformed_users_are_refused() {
    let iron = Iron::start().await;
    for body in [
        Value::Null,
        json!([]),
        json!({"email": "ann@example.com"}),
        json!({"password": PASSWORD}),
        json!({"email": "ann", "password": PASSWORD}),
        json!({"email": ["ann@example.com"], "password": PASSWORD}),
        json!({"email": "ann@example.com", "password": "short"}),
        json!({"email": "ann@example.com", "password": "iloveyou"}),
        json!({"email": "ann@example.com", "password": "ann@example.com"}),
        json!({"email": "ann@example.com", "password": PASSWORD, "status": "asleep"}),
        json!({"email": "ann@example.com", "password": PASSWORD, "flags": []}),
    ] {
        assert_eq!(iron.refused("POST", "/1/users", ADMIN_TOKEN, body.clone()).await, 400, "{body}");
    }
    assert_eq!(iron.refused("GET", "/1/users/ann@example.com", ADMIN_TOKEN, Value::Null).await, 404);
}

#[tokio::test]
async fn a_list_is_read_page_by_page_ascending() {
    let iron = Iron::start().await;
    let mut known = vec![iron.admin_id().await];
    for name in ["ann", "bob", "eve"] {
        known.push(iron.somebody(name).await.id);
    }
    known.sort();
    let (mut seen, mut previous) = (Vec::new(), String::new());
    loop {
        let path = format!("/1/users?previous={previous}&per_page=2");
        let body = iron.done("GET", &path, ADMIN_TOKEN, Value::Null).await;
        assert!(!text(&body["msg"]).is_empty());
        let users = body["users"].as_array().unwrap();
        let Some(last) = users.last() else { break };
        assert!(users.len() <= 2);
        assert!(users.iter().all(|user| user["tokens"] == json!([]) && user.get("password").is_none()));
        previous = text(&last["user_id"]);
        seen.extend(users.iter().map(|user| text(&user["user_id"])));
    }
    assert_eq!(seen, known);
    let all = iron.done("GET", "/1/users", ADMIN_TOKEN, Value::Null).await;
    assert_eq!(all["users"].as_array().unwrap().len(), 4);
    let nobody_there = iron.done("GET", &format!("/1/users?previous={NOBODY}"), ADMIN_TOKEN, Value::Null).await;
    assert_eq!(nobody_there["users"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_page_has_one_to_a_hundred_users_whatever_is_asked_for() {
    let iron = Iron::start().await;
    iron.somebody("ann").await;
    for (per_page, count) in
        [("0", 1), ("-5", 1), ("1000", 2), ("99999999999999999999", 2), ("-99999999999999999999", 1), ("", 2)]
    {
        let body = iron.done("GET", &format!("/1/users?per_page={per_page}"), ADMIN_TOKEN, Value::Null).await;
        assert_eq!(body["users"].as_array().unwrap().len(), count, "{per_page}");
    }
    for query in
        ["per_page=ten", "per_page=1.5", "per_page=%00", "previous=ann", "previous='--", "per_page=1&per_page=2"]
    {
        assert_eq!(iron.refused("GET", &format!("/1/users?{query}"), ADMIN_TOKEN, Value::Null).await, 400, "{query}");
    }
}

#[tokio::test]
async fn only_administrators_list_users_and_others_are_told_nothing_of_their_query() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    for path in ["/1/users", "/1/users?per_page=ten"] {
        assert_eq!(iron.refused("GET", path, "", Value::Null).await, 401);
        assert_eq!(iron.refused("GET", path, &ann.token, Value::Null).await, 403);
    }
}

#[tokio::test]
async fn a_user_is_read_by_either_spelling_of_the_id_or_by_email() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann+x").await;
    let id = &ann.id;
    let uuid = format!("{}-{}-40{}-80{}-{}0000", &id[..8], &id[8..12], &id[12..14], &id[14..16], &id[16..]);
    for name in [id.as_str(), &uuid, "ann+x@example.com", "ann%2Bx%40example.com", "ANN%2bX@Example.com"] {
        for token in [ann.token.as_str(), ADMIN_TOKEN] {
            let body = iron.done("GET", &format!("/1/users/{name}"), token, Value::Null).await;
            is_flat_and_enveloped(&body, "user");
            assert_eq!(body["user_id"], ann.id.as_str());
            assert_eq!(body["tokens"], json!([]));
        }
    }
}

#[tokio::test]
async fn others_and_those_who_are_not_there_are_equally_unknown() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let unknown = iron.get(&format!("/1/users/{NOBODY}"), &ann.token).await;
    assert_eq!(unknown.0, 404);
    for name in [&bob.id, &bob.email, "nobody@example.com", "rubbish", "admin", "%FF", "%00", "%zz", "a%2Fb", "'--"] {
        assert_eq!(iron.get(&format!("/1/users/{name}"), &ann.token).await, unknown, "{name}");
    }
    let path = format!("/1/users/{}", bob.id);
    assert_eq!(iron.refused("PATCH", &path, &ann.token, json!({"email": "eve@example.com"})).await, 404);
    assert_eq!(iron.refused("PATCH", &path, &ann.token, json!([])).await, 404);
    assert_eq!(iron.refused("DELETE", &path, &ann.token, Value::Null).await, 404);
    for method in ["GET", "PATCH", "DELETE"] {
        assert_eq!(iron.refused(method, &path, "", Value::Null).await, 401);
        assert_eq!(iron.refused(method, "/1/users/%FF", "", Value::Null).await, 401);
    }
}

#[tokio::test]
async fn oneself_is_changed_with_the_current_password_or_a_fresh_session() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let path = format!("/1/users/{}", ann.id);
    let new = json!({"email": "ann@new.example"});
    assert_eq!(iron.refused("PATCH", &path, &ann.token, new.clone()).await, 403);
    let wrong = json!({"email": "ann@new.example", "current_password": "wrong"});
    assert_eq!(iron.refused("PATCH", &path, &ann.token, wrong).await, 403);
    let right = json!({"email": "ann@new.example", "current_password": PASSWORD});
    assert_eq!(iron.done("PATCH", &path, &ann.token, right).await["email"], "ann@new.example");

    let session = iron.login("ann@new.example", PASSWORD).await;
    let changed = iron.done("PATCH", &path, &session, json!({"email": ann.email})).await;
    is_flat_and_enveloped(&changed, "user");
    assert_eq!((&changed["email"], &changed["tokens"]), (&json!(ann.email), &json!([])));
    iron.0.clock.advance(Duration::from_mins(10));
    assert_eq!(iron.refused("PATCH", &path, &session, new).await, 403);
    iron.done("PATCH", &path, &session, json!({})).await;
}

#[tokio::test]
async fn a_new_password_ends_every_session_and_no_api_token() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let session = iron.login(&ann.email, PASSWORD).await;
    let change = json!({"password": "another horse entirely"});
    let changed = iron.done("PATCH", &format!("/1/users/{}", ann.id), &session, change).await;
    assert_eq!(changed["tokens"], json!([]));
    assert_eq!(iron.get("/1/authentication", &session).await.0, 403);
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 200);
    iron.login(&ann.email, "another horse entirely").await;
    let old = json!({"email": ann.email, "password": PASSWORD});
    assert_eq!(iron.refused("POST", "/1/authentication", "", old).await, 403);
}

#[tokio::test]
async fn an_administrator_changes_others_without_their_password() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let change = json!({"email": "ann@new.example", "password": "another horse entirely"});
    let path = format!("/1/users/{}", ann.email);
    assert_eq!(iron.done("PATCH", &path, ADMIN_TOKEN, change).await["email"], "ann@new.example");
    iron.login("ann@new.example", "another horse entirely").await;
    let own = format!("/1/users/{ADMIN_EMAIL}");
    assert_eq!(iron.refused("PATCH", &own, ADMIN_TOKEN, json!({"password": PASSWORD})).await, 403);
    let own_change = json!({"password": PASSWORD, "current_password": ADMIN_PASSWORD});
    iron.done("PATCH", &own, ADMIN_TOKEN, own_change).await;
}

#[tokio::test]
async fn what_only_administrators_set_is_passed_over_from_others() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let path = format!("/1/users/{}", ann.id);
    let change = json!({
        "status": "asleep", "flags": {"a": 1}, "plan_worker": 7, "permissions": ["admin"], "admin": true,
        "user_id": NOBODY, "email_verified": true,
    });
    let session = iron.login(&ann.email, PASSWORD).await;
    for token in [&ann.token, &session] {
        let body = iron.done("PATCH", &path, token, change.clone()).await;
        let expected = json!({
            "user_id": ann.id, "email": ann.email, "tokens": [], "status": "active", "plan_worker": {}, "flags": {},
        });
        assert_eq!(body["user"], expected);
    }
    assert_eq!(iron.refused("GET", "/1/users", &session, Value::Null).await, 403);
}

#[tokio::test]
async fn malformed_and_impossible_changes_are_refused_whole() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let path = format!("/1/users/{}", ann.id);
    for body in [
        Value::Null,
        json!([]),
        json!({"email": "ann"}),
        json!({"email": 7}),
        json!({"password": "short"}),
        json!({"email": "new@example.com", "password": "short"}),
        json!({"status": "asleep"}),
        json!({"plan_worker": 7}),
    ] {
        assert_eq!(iron.refused("PATCH", &path, ADMIN_TOKEN, body.clone()).await, 400, "{body}");
    }
    let taken = json!({"email": bob.email, "password": "another horse entirely"});
    assert_eq!(iron.refused("PATCH", &path, ADMIN_TOKEN, taken).await, 409);
    assert_eq!(iron.refused("PATCH", &format!("/1/users/{NOBODY}"), ADMIN_TOKEN, json!({})).await, 404);
    iron.login(&ann.email, PASSWORD).await;
}

#[tokio::test]
async fn disabling_ends_sessions_for_good_and_lets_tokens_rest() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let session = iron.login(&ann.email, PASSWORD).await;
    let path = format!("/1/users/{}", ann.id);
    iron.done("PATCH", &path, ADMIN_TOKEN, json!({"status": "disabled"})).await;
    assert_eq!(iron.refused("GET", &path, &ann.token, Value::Null).await, 401);
    assert_eq!(iron.refused("GET", &path, &session, Value::Null).await, 401);
    iron.done("PATCH", &path, ADMIN_TOKEN, json!({"status": "active"})).await;
    assert_eq!(iron.get(&path, &ann.token).await.0, 200);
    assert_eq!(iron.get(&path, &session).await.0, 401);
}

#[tokio::test]
async fn oneself_is_deleted_with_the_current_password_or_a_fresh_session() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let path = format!("/1/users/{}", ann.id);
    for body in [Value::Null, json!({}), json!({"current_password": "wrong"})] {
        assert_eq!(iron.refused("DELETE", &path, &ann.token, body).await, 403);
    }
    assert_eq!(iron.refused("DELETE", &path, &ann.token, json!({"current_password": 7})).await, 400);
    let right = json!({"current_password": PASSWORD});
    assert_eq!(iron.done("DELETE", &path, &ann.token, right).await, json!({"msg": "success"}));
    assert_eq!(iron.refused("DELETE", &path, ADMIN_TOKEN, Value::Null).await, 404);

    let session = iron.login(&bob.email, PASSWORD).await;
    iron.done("DELETE", &format!("/1/users/{}", bob.email), &session, json!({})).await;
    assert_eq!(iron.get("/1/authentication", &bob.token).await.0, 403);
}

#[tokio::test]
async fn a_user_goes_with_everything_that_is_theirs_and_frees_the_address() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let project = iron.project(&ann.token, "mail").await;
    iron.done("PATCH", &format!("/1/projects/{project}/share"), &ann.token, json!([bob.id])).await;
    assert_eq!(iron.check(&bob.token, &project).await, 200);
    iron.done("DELETE", &format!("/1/users/{}", ann.id), ADMIN_TOKEN, Value::Null).await;
    assert_eq!(iron.check(&bob.token, &project).await, 403);
    assert_eq!(iron.refused("GET", &format!("/1/projects/{project}"), ADMIN_TOKEN, Value::Null).await, 404);
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 403);
    let again = iron.somebody("ann").await;
    assert_ne!(again.id, ann.id);
    assert_eq!(iron.get("/1/authentication", &ann.token).await.0, 403);
}

#[tokio::test]
async fn the_last_administrator_stays() {
    let iron = Iron::start().await;
    let path = format!("/1/users/{ADMIN_EMAIL}");
    let right = json!({"current_password": ADMIN_PASSWORD});
    assert_eq!(iron.refused("DELETE", &path, ADMIN_TOKEN, right).await, 409);
    assert_eq!(iron.refused("PATCH", &path, ADMIN_TOKEN, json!({"status": "disabled"})).await, 409);
    assert_eq!(iron.get("/1/users", ADMIN_TOKEN).await.0, 200);
}

#[tokio::test]
async fn tokens_are_read_back_by_their_owner_and_administrators_where_the_operator_says_so() {
    let iron = Iron::start_with("[iron]\nreveal_tokens = true\n").await;
    let ann = iron.somebody("ann").await;
    let path = format!("/1/users/{}", ann.id);
    let more = iron.done("POST", "/1/tokens", &ann.token, json!({})).await["token"].clone();
    let mut both = vec![ann.token.clone(), text(&more["token"])];
    both.sort();
    for token in [ann.token.as_str(), ADMIN_TOKEN] {
        let body = iron.done("GET", &path, token, Value::Null).await;
        let mut shown: Vec<String> = body["tokens"].as_array().unwrap().iter().map(text).collect();
        shown.sort();
        assert_eq!(shown, both);
    }
    let list = iron.done("GET", "/1/users", ADMIN_TOKEN, Value::Null).await;
    let listed = list["users"].as_array().unwrap().iter().find(|user| user["user_id"] == ann.id.as_str()).unwrap();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 2);
    iron.done("DELETE", &format!("/1/tokens/{}", text(&more["_id"])), &ann.token, Value::Null).await;
    assert_eq!(iron.get(&path, &ann.token).await.1["tokens"], json!([ann.token]));
}

#[tokio::test]
async fn a_token_without_administrator_power_reads_back_none_that_has_it() {
    let iron = Iron::start_with("[iron]\nreveal_tokens = true\n").await;
    let plain = iron.done("POST", "/1/tokens", ADMIN_TOKEN, json!({})).await["token"].clone();
    let path = format!("/1/users/{}", text(&plain["user_id"]));
    let plain = text(&plain["token"]);
    assert_eq!(iron.get(&path, &plain).await.1["tokens"], json!([plain]));
    let all = iron.get(&path, ADMIN_TOKEN).await.1["tokens"].clone();
    assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
}

#[tokio::test]
async fn a_delete_where_there_is_nothing_fails_in_its_own_words() {
    let iron = Iron::start_with("").await;
    let (status, body) = iron.call("DELETE", "/1/nothing", ADMIN_TOKEN, Value::Null).await;
    assert_eq!((status, body), (404, json!({"msg": "fail: not found"})));
}
