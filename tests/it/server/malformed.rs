//! Every route that takes a body, against every kind of body that it should not take.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::assert_protected;
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};

/// What a route's error looks like: where its sentence stands.
#[derive(Clone, Copy)]
enum Shape {
    Iron,
    Rest,
    XAccessToken,
    Argon,
}

impl Shape {
    fn sentence(self, body: &Value) -> Option<&str> {
        let field = match self {
            Self::Iron => "msg",
            Self::Rest | Self::XAccessToken => "message",
            Self::Argon => "error",
        };
        body[field].as_str().filter(|text| !text.is_empty())
    }
}

const ROUTES: [(Shape, &str, &str); 25] = [
    (Shape::Rest, "POST", "/auth"),
    (Shape::Rest, "POST", "/auth/register"),
    (Shape::Rest, "POST", "/auth/login"),
    (Shape::Rest, "POST", "/auth/logout"),
    (Shape::Rest, "POST", "/auth/refresh-tokens"),
    (Shape::Rest, "POST", "/auth/forgot-password"),
    (Shape::Rest, "POST", "/auth/reset-password"),
    (Shape::Rest, "POST", "/auth/reset-password?token=a"),
    (Shape::Rest, "POST", "/auth/send-verification-email"),
    (Shape::Rest, "POST", "/auth/verify-email?token=a"),
    (Shape::XAccessToken, "POST", "/users/login"),
    (Shape::XAccessToken, "POST", "/user/login"),
    (Shape::XAccessToken, "POST", "/users/logout?token=a"),
    (Shape::Argon, "POST", "/api/auth/register"),
    (Shape::Argon, "POST", "/api/auth/login"),
    (Shape::Argon, "PUT", "/api/auth/profile"),
    (Shape::Iron, "POST", "/1/authentication"),
    (Shape::Iron, "POST", "/1/tokens"),
    (Shape::Iron, "POST", "/1/users"),
    (Shape::Iron, "PATCH", "/1/users/USER"),
    (Shape::Iron, "POST", "/1/projects"),
    (Shape::Iron, "PATCH", "/1/projects/PROJECT"),
    (Shape::Iron, "PATCH", "/1/projects/PROJECT/share"),
    (Shape::Iron, "PATCH", "/1/projects/PROJECT/unshare"),
    (Shape::Iron, "DELETE", "/1/users/000000000000000000000000"),
];

/// Bodies that are no object at all, or not well written.
fn unreadable() -> Vec<Vec<u8>> {
    let texts = [
        "",
        " ",
        "\0",
        "\0\0\0\0",
        "{",
        "}",
        "[",
        "null",
        "true",
        "1",
        "-",
        "\"text\"",
        "[]",
        "[[]]",
        "[null]",
        "[1]",
        "[\"\"]",
        "{}{}",
        "{}\0",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\" 1}",
        "{\"email\":\"\\ud800\"}",
        "{\"\\udfff\":1}",
        "{\"password\":\"\\u0000\"}",
        "{\"email\":\"a\",\"email\":\"b\"}",
        "{\"email\":NaN}",
        "{\"email\":1e999}",
        "\u{feff}{}",
        "email=a&email=b",
        "email=%zz",
        "email=%ff",
        "%00=%00",
        "&&&=",
        "<xml/>",
        "--boundary\r\n",
        "{\"email\":\"\u{202e}\u{1f980}\"}",
        "{\"__proto__\":{},\"constructor\":1}",
    ];
    let mut bodies: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    bodies.extend([b"\xff\xfe{\0}\0".to_vec(), b"{\"email\":\"\xff\"}".to_vec(), b"\x1f\x8b\x08\0".to_vec()]);
    bodies.extend(["[", "{\"a\":", "{\"email\":["].map(|text| text.repeat(10_000).into_bytes()));
    bodies.push(format!("{{\"email\":{}}}", "9".repeat(10_000)).into_bytes());
    bodies
}

/// Every field that any route reads, and some that none does.
const FIELDS: &str = "admin bio confirm current_password currentPassword email emails expires_at flags \
    hourly_task_count hourly_time max_schedules name newPassword newUsername owner partner password permissions \
    plan_worker project refreshToken schedules_count status task_count token total_duration type uid user user_id \
    user_ids username";

/// Objects with every field, all of one strange value.
fn filled() -> Vec<Vec<u8>> {
    let values = r#"[null, true, 0, -1, 1.5, 18446744073709551615, 1e300, "", " ", "a", "\u0000",
        "a\r\nBcc: b@example.com", "a@b@c", "ａｄｍｉｎ", "\u202e\ufeff", [], [[]], ["a"], ["a@example.com", 1],
        {}, {"a": {"b": null}}, {"a": true}, {"name": "\u0000"}]"#;
    let mut values: Vec<Value> = serde_json::from_str(values).unwrap();
    values.extend([json!("x".repeat(20_000)), json!("é".repeat(64))]);
    let object =
        |value| Value::Object(FIELDS.split(' ').map(|field| (field.to_owned(), Value::clone(value))).collect());
    values.iter().map(|value| object(value).to_string().into_bytes()).collect()
}

async fn iron(server: &Server, path: &str, body: Value) -> Value {
    let (status, body) = answer(server.post(path).bearer_auth(ADMIN_TOKEN).json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{path}: {body}");
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_body_however_strange_gets_anything_but_a_refusal_in_shape() {
    let server = Server::start().await;
    let session = server.register("ann@example.com").await["accessToken"].as_str().unwrap().to_owned();
    let user = iron(&server, "/1/users", json!({"email": "bob@example.com", "password": PASSWORD})).await;
    let project = iron(&server, "/1/projects", json!({"name": "spare"})).await;
    let (user, project) = (user["user_id"].as_str().unwrap(), project["id"].as_str().unwrap());
    let bodies = [unreadable(), filled()].concat();
    let mut refused = 0;
    for (shape, method, route) in ROUTES {
        let path = route.replace("USER", user).replace("PROJECT", project);
        let token = if matches!(shape, Shape::Iron) { ADMIN_TOKEN } else { &session };
        for (body, kind) in
            bodies.iter().flat_map(|body| [(body, "application/json"), (body, "application/x-www-form-urlencoded")])
        {
            let request = server.request(Method::from_bytes(method.as_bytes()).unwrap(), &path).bearer_auth(token);
            let answer = request.header("Content-Type", kind).body(body.clone()).send().await.unwrap();
            let status = answer.status();
            assert_protected(|name| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned()));
            let text = answer.text().await.unwrap();
            let told = format!(
                "{method} {path} {kind} {:?}: {status} {text}",
                String::from_utf8_lossy(&body[..body.len().min(99)])
            );
            let json: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {told}"));
            if status.is_client_error() {
                assert!(shape.sentence(&json).is_some(), "{told}");
                refused += 1;
            } else {
                assert_eq!(status.as_u16() / 100, 2, "{told}");
            }
        }
    }
    // Some are taken: `{}` where no field is required, and a label may be almost any text.
    let sent = ROUTES.len() * bodies.len() * 2;
    assert!(refused * 10 > sent * 7, "only {refused} of {sent} were refused");
    assert_eq!(server.get("/readyz").send().await.unwrap().status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_names_the_field_that_is_wrong() {
    let server = Server::start().await;
    let good = json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    let cases = [
        (Shape::Rest, "/auth/register", &["name", "email", "password", "confirm"][..]),
        (Shape::Rest, "/auth/login", &["email", "password"]),
        (Shape::Rest, "/auth/logout", &["refreshToken"]),
        (Shape::Rest, "/auth/refresh-tokens", &["refreshToken"]),
        (Shape::Rest, "/auth/forgot-password", &["email"]),
        (Shape::Rest, "/auth/reset-password?token=a", &["password"]),
        (Shape::XAccessToken, "/users/login", &["email", "password"]),
        (Shape::Argon, "/api/auth/login", &["username", "password"]),
        (Shape::Iron, "/1/authentication", &["email", "password"]),
        (Shape::Iron, "/1/users", &["email"]),
        (Shape::Iron, "/1/projects", &["name"]),
    ];
    for (shape, path, fields) in cases {
        for field in fields {
            for value in [None, Some(json!([1])), Some(json!({"a": 1}))] {
                let mut body = good.clone();
                body["refreshToken"] = json!("a");
                body["username"] = json!("ann");
                match &value {
                    Some(value) => body[field] = value.clone(),
                    None => drop(body.as_object_mut().unwrap().remove(*field)),
                }
                let (status, body) = answer(server.post(path).bearer_auth(ADMIN_TOKEN).json(&body)).await;
                let sentence = shape.sentence(&body).unwrap_or_default().to_lowercase();
                assert_eq!(status, 400, "{path} with {field} {value:?}: {body}");
                assert!(sentence.contains(&field.to_lowercase()), "{path} with {field} {value:?}: {body}");
            }
        }
    }
}
