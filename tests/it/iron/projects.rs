//! `/1/projects` and `/1/clusters`.

use serde_json::{Value, json};

use super::{Iron, NOBODY, is_flat_and_enveloped, text};
use crate::harness::ADMIN_TOKEN;

#[tokio::test]
async fn a_new_project_has_every_field_and_none_is_null() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let body = iron.done("POST", "/1/projects", &ann.token, json!({"name": "mail", "user_id": NOBODY})).await;
    is_flat_and_enveloped(&body, "project");
    let expected = json!({
        "id": body["id"], "user_id": ann.id, "name": "mail", "type": "", "partner": "", "status": "active",
        "total_duration": 0, "max_schedules": 0, "schedules_count": 0, "task_count": 0, "hourly_task_count": 0,
        "hourly_time": iron.0.clock.now().rfc3339(), "flags": {}, "shared_with": [],
    });
    assert_eq!(body["project"], expected);
    assert_eq!(text(&body["id"]).len(), 24);
    assert_eq!(iron.get(&format!("/1/projects/{}", text(&body["id"])), &ann.token).await, (200, body));
}

#[tokio::test]
async fn a_name_has_1_to_255_characters() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    iron.project(&ann.token, &"ö".repeat(255)).await;
    for body in [
        Value::Null,
        json!([]),
        json!({}),
        json!({"name": null}),
        json!({"name": ""}),
        json!({"name": 7}),
        json!({"name": "x".repeat(256)}),
        json!({"name": "a\u{0}b"}),
    ] {
        assert_eq!(iron.refused("POST", "/1/projects", &ann.token, body.clone()).await, 400, "{body}");
    }
    assert_eq!(iron.refused("POST", "/1/projects", "", json!({})).await, 401);
}

#[tokio::test]
async fn projects_are_read_by_their_owner_those_they_are_shared_with_and_administrators() {
    let iron = Iron::start().await;
    let (ann, bob, eve) = (iron.somebody("ann").await, iron.somebody("bob").await, iron.somebody("eve").await);
    let project = iron.project(&ann.token, "mail").await;
    let path = format!("/1/projects/{project}");
    iron.done("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id])).await;
    for token in [&ann.token, &bob.token, ADMIN_TOKEN] {
        let body = iron.done("GET", &path, token, Value::Null).await;
        assert_eq!((&body["id"], &body["shared_with"]), (&json!(project), &json!([bob.id])));
    }
    let unknown = iron.get(&format!("/1/projects/{NOBODY}"), &eve.token).await;
    assert_eq!(unknown.0, 404);
    for id in [project.as_str(), "rubbish", "%FF", "%00"] {
        assert_eq!(iron.get(&format!("/1/projects/{id}"), &eve.token).await, unknown, "{id}");
    }
    assert_eq!(iron.refused("GET", &path, "", Value::Null).await, 401);
}

#[tokio::test]
async fn a_list_holds_what_one_owns_and_what_is_shared_with_one() {
    let iron = Iron::start().await;
    let (ann, bob) = (iron.somebody("ann").await, iron.somebody("bob").await);
    let mut known = Vec::new();
    for (token, name) in [(&ann.token, "a"), (&ann.token, "b"), (&bob.token, "c")] {
        known.push(iron.project(token, name).await);
    }
    iron.done("PATCH", &format!("/1/projects/{}/share", known[2]), &bob.token, json!([ann.id])).await;
    iron.project(&bob.token, "bob's own").await;
    known.sort();
    let all = iron.done("GET", "/1/projects", &ann.token, Value::Null).await;
    assert!(!text(&all["msg"]).is_empty());
    let ids: Vec<String> = all["projects"].as_array().unwrap().iter().map(|project| text(&project["id"])).collect();
    assert_eq!(ids, known);
    let page = format!("/1/projects?previous={}&per_page=1", known[0]);
    let page = iron.done("GET", &page, &ann.token, Value::Null).await;
    assert_eq!(page["projects"].as_array().unwrap().len(), 1);
    assert_eq!(page["projects"][0]["id"], known[1].as_str());
    let rest = format!("/1/projects?previous={}", known[2]);
    assert_eq!(iron.done("GET", &rest, &ann.token, Value::Null).await["projects"], json!([]));
    for query in ["per_page=ten", "previous=mail"] {
        assert_eq!(iron.refused("GET", &format!("/1/projects?{query}"), &ann.token, Value::Null).await, 400);
        assert_eq!(iron.refused("GET", &format!("/1/projects?{query}"), "", Value::Null).await, 401);
    }
}

#[tokio::test]
async fn an_owner_renames_and_changes_nothing_else() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let path = format!("/1/projects/{}", iron.project(&ann.token, "mail").await);
    let before = iron.done("GET", &path, &ann.token, Value::Null).await;
    let change = json!({
        "name": "post", "status": 7, "flags": {"a": true}, "type": "t", "partner": "p", "task_count": "many",
        "user_id": NOBODY, "id": NOBODY, "shared_with": [NOBODY],
    });
    let body = iron.done("PATCH", &path, &ann.token, change).await;
    is_flat_and_enveloped(&body, "project");
    let mut expected = before["project"].clone();
    expected["name"] = json!("post");
    assert_eq!(body["project"], expected);
}

#[tokio::test]
async fn an_administrator_changes_every_field() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let path = format!("/1/projects/{}", iron.project(&ann.token, "mail").await);
    let change = json!({
        "name": "post", "type": "t", "partner": "p", "status": "frozen", "total_duration": 1, "max_schedules": 2,
        "schedules_count": 3, "task_count": 4, "hourly_task_count": 5, "hourly_time": "2026-01-02T03:04:05.000Z",
        "flags": {"a": true, "b": false},
    });
    let body = iron.done("PATCH", &path, ADMIN_TOKEN, change.clone()).await;
    for (field, value) in change.as_object().unwrap() {
        assert_eq!(&body[field], value, "{field}");
    }
    assert_eq!(iron.done("PATCH", &path, ADMIN_TOKEN, json!({})).await, body);
    for bad in [
        json!({"name": ""}),
        json!({"type": 7}),
        json!({"status": "x".repeat(256)}),
        json!({"task_count": -1}),
        json!({"task_count": 1.5}),
        json!({"task_count": "4"}),
        json!({"flags": []}),
        json!({"flags": {"a": 1}}),
        json!({"hourly_time": "noon"}),
        json!([]),
        Value::Null,
    ] {
        assert_eq!(iron.refused("PATCH", &path, ADMIN_TOKEN, bad.clone()).await, 400, "{bad}");
    }
    assert_eq!(iron.done("GET", &path, ADMIN_TOKEN, Value::Null).await, body);
}

#[tokio::test]
async fn only_its_owner_and_administrators_change_and_delete_a_project() {
    let iron = Iron::start().await;
    let (ann, bob, eve) = (iron.somebody("ann").await, iron.somebody("bob").await, iron.somebody("eve").await);
    let project = iron.project(&ann.token, "mail").await;
    let path = format!("/1/projects/{project}");
    iron.done("PATCH", &format!("{path}/share"), &ann.token, json!([bob.id])).await;
    for (token, status) in [("", 401), (bob.token.as_str(), 403), (&eve.token, 404)] {
        assert_eq!(iron.refused("PATCH", &path, token, json!({"name": "post"})).await, status);
        assert_eq!(iron.refused("DELETE", &path, token, Value::Null).await, status);
    }
    assert_eq!(iron.refused("PATCH", &path, &eve.token, json!([])).await, 404);
    assert_eq!(iron.done("DELETE", &path, &ann.token, json!({})).await, json!({"msg": "success"}));
    for token in [&ann.token, ADMIN_TOKEN] {
        assert_eq!(iron.refused("DELETE", &path, token, Value::Null).await, 404);
        assert_eq!(iron.refused("PATCH", &path, token, json!({"name": "post"})).await, 404);
    }
    let another = format!("/1/projects/{}", iron.project(&ann.token, "mail").await);
    iron.done("DELETE", &another, ADMIN_TOKEN, Value::Null).await;
}

#[tokio::test]
async fn there_are_no_clusters_and_every_user_may_know() {
    let iron = Iron::start().await;
    let ann = iron.somebody("ann").await;
    let body = iron.done("GET", "/1/clusters", &ann.token, Value::Null).await;
    assert_eq!(body["clusters"], json!([]));
    assert!(!text(&body["msg"]).is_empty());
    assert_eq!(iron.refused("GET", "/1/clusters", "", Value::Null).await, 401);
}
