//! Rows 7 and 8: bodies that hold more than their sender may set, and things made in another's name.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::{DIALECTS, Member, iron, iron_done, percent_encoded, register_username, seen_by_admin, start, text};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, answer};

/// An id that nothing has.
const NOBODY: &str = "0123456789abcdef01234567";

/// Whatever a record may hold somewhere, in every spelling that some framework binds.
fn greed(victim: &str) -> Value {
    let text = r#"{
        "admin": true, "is_admin": true, "isAdmin": true, "Admin": true, "canUseAdmin": true, "superuser": true,
        "role": "admin", "roles": ["Admin"], "permissions": ["admin"], "permissions[]": "admin", "scope": "admin",
        "permission": "admin", "groups": ["admin"], "flags": {"admin": true, "verified": true},
        "plan_worker": {"plan": "unlimited"}, "status": "active", "user_id": "ID", "userId": "ID", "id": "ID",
        "_id": "ID", "uid": "ID", "sub": "ID", "owner": "ID", "email_verified": true, "emailVerified": true,
        "email_verified_at": 1, "verified": true, "created_at": 0, "updated_at": 0, "credential_version": 99,
        "password_hash": "$2b$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghijk", "hash": "x", "salt": "x",
        "tokens": ["a-token-of-my-own-choice-0123456789"], "token": "a-token-of-my-own-choice-0123456789",
        "refreshToken": "x", "session": {"user_id": "ID"}, "dialect": "iron",
        "user": {"admin": true, "permissions": ["admin"], "user_id": "ID", "status": "active"},
        "__proto__": {"admin": true, "permissions": ["admin"]}, "constructor": {"prototype": {"admin": true}},
        "$set": {"permissions": ["admin"]}, "admin ": true, "ad\u0000min": true
    }"#;
    serde_json::from_str(&text.replace("ID", victim)).unwrap()
}

/// These fields, with all that beside them.
fn greedy(fields: &Value, victim: &str) -> Value {
    let mut body = greed(victim);
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    body
}

/// Asserts that a session's user has no power and none of what was asked for, as every dialect tells it.
async fn assert_plain(server: &Server, token: &str, what: &str) {
    let (status, me) = answer(server.get("/users/me").header("x-access-token", token)).await;
    assert_eq!(status, StatusCode::OK, "{what}: {me}");
    assert_eq!((&me["roles"], &me["permissions"]), (&json!(["User"]), &json!(["user"])), "{what}");
    let (_, state) = answer(server.get("/api/auth/state").bearer_auth(token)).await;
    assert_eq!(state["permissions"], json!(["user"]), "{what}");
    for (method, path) in [("GET", "/1/users"), ("POST", "/1/users"), ("GET", "/1/users?per_page=1")] {
        let (status, body) = iron(server, method, path, token, json!({})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{what} {method} {path}: {body}");
    }
    let id = text(&me, "/uid");
    let seen = seen_by_admin(server, &id).await;
    assert_eq!((&seen["flags"], &seen["plan_worker"]), (&json!({}), &json!({})), "{what}");
    assert_eq!(seen["status"], "active", "{what}");
    let key = text(&seen, "/user_id");
    let column = server.database().hex("id");
    let query = format!(
        "select permissions || admin || credential_version || coalesce(cast(email_verified_at as text), '-')
         from users where {column} = '{key}'"
    );
    let stored = server.database().value(&query);
    assert!(stored.contains("user") && !stored.contains("admin\""), "{what}: {stored}");
    assert!(stored.ends_with('-') && !stored.contains("99"), "{what}: {stored}");
}

/// Row 7 (CVE-2026-27946): who signs up is a user and no more, whatever the body holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_up_with_more_than_a_user_has() {
    let server = start().await;
    let victim = Member::register(&server, "victim").await;
    let before = (seen_by_admin(&server, &victim.id).await, seen_by_admin(&server, ADMIN_EMAIL).await);
    let email = |name: &str| json!({"name": "Eve", "email": format!("{name}@example.com"), "password": PASSWORD, "confirm": PASSWORD});
    let (status, body) = server.post_json("/auth/register", &greedy(&email("eve"), &victim.id)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_plain(&server, &text(&body, "/accessToken"), "rest, JSON").await;
    assert_ne!(text(&body, "/user/id"), victim.id);

    let mut form: Vec<(String, String)> = Vec::new();
    for (name, value) in greedy(&email("forma"), &victim.id).as_object().unwrap() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.push((name.clone(), value.clone()));
        if !["name", "email", "password", "confirm"].contains(&name.as_str()) {
            form.push((format!("user[{name}]"), value));
        }
    }
    let (status, body) = answer(server.post("/auth/register?admin=true&permissions=admin").form(&form)).await;
    assert_eq!(status, StatusCode::CREATED, "{body}");
    assert_plain(&server, &text(&body, "/accessToken"), "rest, a form").await;

    let body = greedy(&json!({"username": "eve", "password": PASSWORD}), &victim.id);
    let (status, body) = server.post_json("/api/auth/register?permissions=admin&admin=1", &body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["permissions"], json!(["user"]));
    assert_plain(&server, &text(&body, "/token"), "argon").await;

    // Names that look like power give none.
    for name in ["admin", "administrator", "superuser", "operator"] {
        let (status, body) = register_username(&server, name).await;
        assert_eq!(status, StatusCode::OK, "{name}: {body}");
        assert_plain(&server, &text(&body, "/token"), name).await;
    }
    let after = (seen_by_admin(&server, &victim.id).await, seen_by_admin(&server, ADMIN_EMAIL).await);
    assert_eq!(after, before);
}

/// Row 7: signing in and going on with a session sets nothing, and chooses no other user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_signs_in_as_more_than_they_are() {
    let server = start().await;
    let (victim, eve) = (Member::register(&server, "victim").await, Member::register(&server, "eve").await);
    for dialect in DIALECTS {
        let body = greedy(&dialect.credentials(&eve.email, PASSWORD), &victim.id);
        let (status, body) = server.post_json(dialect.login_path(), &body).await;
        assert_eq!(status, StatusCode::OK, "{dialect:?}: {body}");
        assert!(body.get("canUseAdmin").is_none(), "{body}");
        let token = dialect.access_token(&body);
        assert_plain(&server, &token, &format!("{dialect:?}")).await;
        let (_, me) = answer(server.get("/users/me").bearer_auth(&token)).await;
        assert_eq!(text(&me, "/email"), eve.email, "{dialect:?}");
    }
    let body = greedy(&json!({"refreshToken": eve.refresh}), &victim.id);
    let (status, body) = server.post_json("/auth/refresh-tokens", &body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_plain(&server, &text(&body, "/accessToken"), "a refresh").await;
}

/// Row 7: a change of oneself changes what it may, by every credential that may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_oneself_sets_nothing_that_others_set() {
    let server = start().await;
    let victim = Member::register(&server, "victim").await;
    let eve = Member::register(&server, "eve").await;
    let (_, api) = eve.api_token(&server).await;
    let before = seen_by_admin(&server, &victim.id).await;
    for (token, path) in [
        (&eve.access, format!("/1/users/{}", eve.id)),
        (&api, format!("/1/users/{}", eve.email)),
        (&eve.access, format!("/1/users/{}/?admin=true&status=active", eve.id)),
    ] {
        for fields in [json!({}), json!({"status": "disabled"}), json!({"flags": {"a": 1}, "plan_worker": {"b": 2}})] {
            let (status, body) = iron(&server, "PATCH", &path, token, greedy(&fields, &victim.id)).await;
            assert_eq!(status, StatusCode::OK, "{path}: {body}");
            assert_plain(&server, &eve.access, &path).await;
        }
        for odd in [json!({"status": 5}), json!({"flags": "x"}), json!({"plan_worker": [1]})] {
            // Not even read from who may not set them.
            assert_eq!(iron(&server, "PATCH", &path, token, odd).await.0, StatusCode::OK);
        }
    }
    // In the argon dialect, and with a new name, which is hers to choose.
    let change = |fields: Value| {
        server.request(Method::PUT, "/api/auth/profile").bearer_auth(&eve.access).json(&greedy(&fields, &victim.id))
    };
    let (status, body) = answer(change(json!({"newUsername": "evelyn"}))).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    assert_eq!(body["permissions"], json!(["user"]));
    assert_plain(&server, &text(&body, "/token"), "argon, a name").await;
    let fields = json!({"currentPassword": PASSWORD, "newPassword": "another pass phrase"});
    let (status, body) = answer(change(fields)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let column = server.database().hex("id");
    let version = format!("select credential_version from users where {column} = '{}'", eve.id);
    assert_ne!(server.database().value(&version), "99");
    let (_, state) = answer(server.get("/api/auth/state").bearer_auth(text(&body, "/token"))).await;
    assert_eq!(state["permissions"], json!(["user"]));
    assert_eq!(seen_by_admin(&server, &victim.id).await, before);
}

/// Row 7: an administrator's API token without administrator power sets no more than a user's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_without_power_sets_what_a_user_sets_whoever_holds_it() {
    let server = start().await;
    let made = iron_done(&server, "POST", "/1/tokens", ADMIN_TOKEN, json!({"admin": false})).await;
    let powerless = text(&made, "/token/token");
    let body = json!({"flags": {"a": 1}, "plan_worker": {"b": 1}, "status": "disabled"});
    let (status, body) = iron(&server, "PATCH", &format!("/1/users/{ADMIN_EMAIL}"), &powerless, body).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let seen = seen_by_admin(&server, ADMIN_EMAIL).await;
    assert_eq!((&seen["flags"], &seen["status"]), (&json!({}), &json!("active")));
    let victim = Member::register(&server, "victim").await;
    for (method, path, body, expected) in [
        ("GET", "/1/users".to_owned(), json!({}), 403),
        ("POST", "/1/users".to_owned(), json!({"email": "x@example.com", "password": PASSWORD}), 403),
        ("POST", "/1/tokens".to_owned(), json!({"admin": true}), 403),
        ("POST", "/1/tokens".to_owned(), json!({"user_id": victim.id}), 403),
        ("GET", format!("/1/users/{}", victim.id), json!({}), 404),
        ("PATCH", format!("/1/users/{}", victim.id), json!({"status": "disabled"}), 404),
        ("DELETE", format!("/1/users/{}", victim.id), json!({}), 404),
        ("PATCH", format!("/1/users/{ADMIN_EMAIL}"), json!({"email": "mine@example.com"}), 403),
        ("PATCH", format!("/1/users/{ADMIN_EMAIL}"), json!({"password": "another pass phrase"}), 403),
        ("DELETE", format!("/1/users/{ADMIN_EMAIL}"), json!({}), 403),
    ] {
        let (status, body) = iron(&server, method, &path, &powerless, body).await;
        assert_eq!(status.as_u16(), expected, "{method} {path}: {body}");
    }
}

/// Row 7: a project belongs to who made it, and only an administrator sets its counters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_is_its_makers_whatever_the_body_says() {
    let server = start().await;
    let (victim, eve) = (Member::register(&server, "victim").await, Member::register(&server, "eve").await);
    let theirs = victim.project(&server).await;
    let more = json!({
        "shared_with": [victim.id], "type": "gold", "partner": "x", "total_duration": 9, "max_schedules": 9,
        "schedules_count": 9, "task_count": 9, "hourly_task_count": 9, "hourly_time": "2000-01-01T00:00:00Z",
        "status": "unlimited", "name": "mine",
    });
    let same = |project: &Value| {
        assert_eq!(project["user_id"], eve.id, "{project}");
        assert_eq!(project["shared_with"], json!([]), "{project}");
        assert_eq!((&project["status"], &project["flags"]), (&json!("active"), &json!({})), "{project}");
        for field in ["type", "partner"] {
            assert_eq!(project[field], "", "{field} of {project}");
        }
        for field in ["total_duration", "max_schedules", "schedules_count", "task_count", "hourly_task_count"] {
            assert_eq!(project[field], 0, "{field} of {project}");
        }
        assert_ne!(project["hourly_time"], "2000-01-01T00:00:00Z", "{project}");
    };
    let made = iron_done(&server, "POST", "/1/projects?user_id=x", &eve.access, greedy(&more, &victim.id)).await;
    same(&made);
    let path = format!("/1/projects/{}", text(&made, "/id"));
    same(&iron_done(&server, "PATCH", &path, &eve.access, greedy(&more, &victim.id)).await);
    same(&iron_done(&server, "GET", &path, &eve.access, json!({})).await);
    // Whom it is shared with may use it, and neither change it nor pass it on.
    iron_done(&server, "PATCH", &format!("{path}/share"), &eve.access, json!({"user_id": victim.id})).await;
    for (method, path) in [
        ("PATCH", path.clone()),
        ("DELETE", path.clone()),
        ("PATCH", format!("{path}/share")),
        ("PATCH", format!("{path}/unshare")),
    ] {
        let (status, body) =
            iron(&server, method, &path, &victim.access, json!({"name": "x", "user_id": eve.id})).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{method} {path}: {body}");
    }
    // Nor does anybody put another's project into their hands.
    for (method, path) in [
        ("PATCH", format!("/1/projects/{theirs}")),
        ("PATCH", format!("/1/projects/{theirs}/share")),
        ("PATCH", format!("/1/projects/{theirs}/unshare")),
        ("GET", format!("/1/projects/{theirs}/share")),
        ("DELETE", format!("/1/projects/{theirs}")),
    ] {
        let body = greedy(&json!({"user_id": eve.id, "owner": eve.id}), &eve.id);
        assert_eq!(iron(&server, method, &path, &eve.access, body).await.0, StatusCode::NOT_FOUND, "{method} {path}");
    }
}

/// The ways to say whose a token shall be.
fn in_the_name_of(user: &str) -> Vec<Value> {
    vec![
        json!({"user_id": user}),
        json!({"token": {"user_id": user}}),
        json!({"token": {"user_id": user}, "user_id": null}),
        json!({"name": "x", "type": "x", "user_id": user, "expires_at": null, "admin": false}),
    ]
}

/// The spelling of an id in the `x_access_token` dialect.
fn uuid(id: &str) -> String {
    format!("{}-{}-40{}-80{}-{}0000", &id[..8], &id[8..12], &id[12..14], &id[14..16], &id[16..])
}

/// Eve, who asks in the victim's name, by a session and by an API token.
async fn victim_and_eve(server: &Server) -> (Member, Member, [String; 2]) {
    let (victim, eve) = (Member::register(server, "victim").await, Member::register(server, "eve").await);
    let tokens = [eve.access.clone(), eve.api_token(server).await.1];
    (victim, eve, tokens)
}

/// Row 8 (CVE-2025-61928): no token in another's name, and no word on whether there is the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_a_token_in_anothers_name() {
    let server = start().await;
    let (victim, eve, tokens) = victim_and_eve(&server).await;
    let admin = text(&seen_by_admin(&server, ADMIN_EMAIL).await, "/user_id");
    let count = |of: &str| {
        let column = server.database().hex("user_id");
        server.database().value(&format!("select count(*) from tokens where {column} = '{of}'"))
    };
    let before = (count(&victim.id), count(&admin));
    let others = [
        victim.id.clone(),
        uuid(&victim.id),
        victim.email.clone(),
        victim.email.to_uppercase(),
        admin.clone(),
        ADMIN_EMAIL.to_owned(),
        // Whether there is such a user is not to be learnt here.
        NOBODY.to_owned(),
        "nobody@example.com".to_owned(),
        String::new(),
        "admin".to_owned(),
        format!(" {}", victim.id),
        format!("{}\0", victim.id),
        victim.id.to_uppercase(),
        "' or 1=1 --".to_owned(),
    ];
    let refusal = iron(&server, "POST", "/1/tokens", &eve.access, json!({"user_id": NOBODY})).await;
    assert_eq!(refusal.0, StatusCode::FORBIDDEN, "{}", refusal.1);
    for token in &tokens {
        for other in &others {
            for body in in_the_name_of(other) {
                assert_eq!(iron(&server, "POST", "/1/tokens", token, body.clone()).await, refusal, "{body}");
            }
            let path = format!("/1/tokens?user_id={}", percent_encoded(other));
            let (status, body) = iron(&server, "GET", &path, token, json!({})).await;
            // An empty one is an absent one there.
            let expected = if other.is_empty() { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(status, expected, "{other:?}: {body}");
        }
        for own in [&eve.id, &uuid(&eve.id), &eve.email] {
            let made = iron_done(&server, "POST", "/1/tokens", token, json!({"user_id": own})).await;
            assert_eq!(text(&made, "/token/user_id"), eve.id);
        }
    }
    assert_eq!((count(&victim.id), count(&admin)), before);
}

/// Row 8: no token with power, and of what a body may hold besides, nothing names another user.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_makes_a_token_with_power_or_by_a_field_that_is_passed_over() {
    let server = start().await;
    let (victim, eve, tokens) = victim_and_eve(&server).await;
    for token in &tokens {
        for (body, expected) in [
            (json!({"admin": true}), 403),
            (json!({"token": {"admin": true}}), 403),
            (json!({"admin": true, "user_id": eve.id}), 403),
            (json!({"token": {"admin": true, "user_id": eve.id}, "admin": false}), 403),
            (json!({"user_id": 5}), 400),
            (json!({"user_id": [victim.id]}), 400),
            (json!({"user_id": {"$ne": ""}}), 400),
            (json!({"admin": "true"}), 400),
            (json!({"admin": 1}), 400),
            (json!({"admin": [true]}), 400),
        ] {
            let (status, answered) = iron(&server, "POST", "/1/tokens", token, body.clone()).await;
            assert_eq!(status.as_u16(), expected, "{body}: {answered}");
        }
        let twice = format!(r#"{{"user_id":"{}","user_id":"{}"}}"#, eve.id, victim.id);
        let request = server.post("/1/tokens").header("Authorization", format!("OAuth {token}")).body(twice);
        assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST);
        // What is passed over names nobody: the token is the caller's.
        for mut body in [greed(&victim.id), json!({"userId": victim.id, "uid": victim.id, "email": victim.email})] {
            for field in ["user_id", "admin", "token"] {
                body.as_object_mut().unwrap().remove(field);
            }
            let made = iron_done(&server, "POST", "/1/tokens?user_id=x&admin=true", token, body).await;
            assert_eq!(text(&made, "/token/user_id"), eve.id);
            assert_eq!(made["token"]["admin"], false);
            assert_plain(&server, &text(&made, "/token/token"), "a token").await;
        }
    }
}

/// Row 8: power that a token has is its holder's no longer, once the holder has none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_made_with_power_for_a_user_without_it_gives_none() {
    let server = start().await;
    let eve = Member::register(&server, "eve").await;
    let made = iron_done(&server, "POST", "/1/tokens", ADMIN_TOKEN, json!({"user_id": eve.id, "admin": true})).await;
    assert_plain(&server, &text(&made, "/token/token"), "a token with admin").await;
    // The administrator's own session is as good as before.
    for dialect in DIALECTS {
        let token = dialect.session(&server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        iron_done(&server, "GET", "/1/users", &token, json!({})).await;
    }
}
