//! Rows 14 to 16: secrets that are cut, bodies that are too much, and texts where ids and numbers
//! belong.

mod sqlite;

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{
    DIALECTS, Dialect, Member, assert_refused_everywhere, assert_taken_everywhere, iron, iron_done, percent_encoded,
    register_username, start, text,
};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer};
use crate::rest::{reset, reset_token};
use crate::server::wire::{Wire, ask};

/// Pairs of secrets of which a careless function takes one for the other.
fn pairs() -> Vec<(String, String)> {
    let long = "a long beginning ".repeat(5);
    assert!(long.len() > 72 && long.len() < 1_000);
    let block = "0123456789abcdef".repeat(16);
    let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
    vec![
        pair(&format!("{long}one"), &format!("{long}two")),
        pair(&format!("{long}one"), &long),
        pair(&long[..72], &format!("{}x", &long[..72])),
        pair(&long[..73], &long[..72]),
        pair(&format!("{block}{block}one"), &format!("{block}{block}two")),
        pair(&"x".repeat(1_024), &format!("{}y", "x".repeat(1_023))),
        // What is longer than a block is hashed first by HMAC: the hash is then as good as the key.
        pair(&"y".repeat(65), &"y".repeat(64)),
        pair("before\0behind it", "before\0behind me"),
        pair("before\0behind it", "before\0"),
        pair("before\0behind it", "before"),
        pair("correct horse", "correct horse\0"),
        pair("correct horse\0", "correct horse"),
        pair("\0\0\0\0\0\0\0\0", "\0\0\0\0\0\0\0\0\0"),
        pair("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}", "eeeeeeee"),
        pair("correct horse", "Correct horse"),
        pair("correct horse", "correct horse "),
        pair("correct horse", "correct  horse"),
        pair("correct horse", "correct\u{a0}horse"),
        pair("correct horse\u{200b}", "correct horse"),
    ]
}

/// Row 14 (CVE-2021-3563): every byte of a password counts, in every dialect, wherever one is set
/// and wherever one is asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_of_a_password_counts_in_every_dialect() {
    let server = start().await;
    for (number, (password, other)) in pairs().into_iter().enumerate() {
        let email = format!("ann{number}@example.com");
        // By turns in each way that there is to set one.
        match number % 3 {
            0 => {
                let body = json!({"name": "Ann", "email": email, "password": password, "confirm": other});
                let (status, _) = server.post_json("/auth/register", &body).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{other:?} confirms {password:?}");
                let body = json!({"name": "Ann", "email": email, "password": password, "confirm": password});
                assert_eq!(server.post_json("/auth/register", &body).await.0, StatusCode::CREATED, "{password:?}");
            }
            1 => {
                let body = json!({"email": email, "password": password});
                drop(iron_done(&server, "POST", "/1/users", ADMIN_TOKEN, body).await);
            }
            _ => {
                server.register(&email).await;
                let token = reset_token(&server, &email).await;
                assert_eq!(reset(&server, &token, &password).await.0, StatusCode::OK, "{password:?}");
            }
        }
        for dialect in DIALECTS {
            let (status, body) = dialect.sign_in(&server, &email, &other).await;
            assert_eq!(status, dialect.wrong_credentials(), "{other:?} for {password:?} by {dialect:?}: {body}");
        }
        let session = Dialect::Argon.session(&server, &email, &password).await;
        let body = json!({"currentPassword": other, "newPassword": "another pass phrase"});
        let request = server.request(Method::PUT, "/api/auth/profile").bearer_auth(&session).json(&body);
        assert_eq!(answer(request).await.0, StatusCode::UNAUTHORIZED, "{other:?} for {password:?}");
        for method in ["PATCH", "DELETE"] {
            let body = json!({"password": "another pass phrase", "current_password": other});
            let (status, body) = iron(&server, method, &format!("/1/users/{email}"), &session, body).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{other:?} for {password:?}: {body}");
        }
        for dialect in DIALECTS {
            dialect.session(&server, &email, &password).await;
        }
    }
}

/// Row 14, where the hash was made elsewhere by a function that reads 72 bytes and stops at a NUL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_imported_hash_takes_no_password_that_its_function_would_cut() {
    let server = start().await;
    let whole = "0123456789abcdef".repeat(4) + "01234567";
    assert_eq!(whole.len(), 72);
    for (number, (hashed, right, wrong)) in [
        (whole.clone(), Some(whole.clone()), vec![format!("{whole}x"), format!("{whole}\0"), whole[..71].to_owned()]),
        // Its own function takes both of these: the hash is one of the first 72 bytes alone. Here the
        // user resets the password.
        (format!("{whole}tail"), None, vec![format!("{whole}tail"), format!("{whole}liat")]),
        ("correct".to_owned(), Some("correct".to_owned()), vec!["correct\0horse".to_owned(), "correct\0".to_owned()]),
    ]
    .into_iter()
    .enumerate()
    {
        let email = format!("ann{number}@example.com");
        server.register(&email).await;
        let hash = bcrypt::hash(&hashed, 4).unwrap();
        let set = format!("update users set password = '{hash}' where email = '{email}'");
        assert_eq!(server.database().execute(&set), 1);
        for dialect in DIALECTS {
            for password in &wrong {
                let (status, body) = dialect.sign_in(&server, &email, password).await;
                assert_eq!(status, dialect.wrong_credentials(), "{password:?} for {hashed:?}: {body}");
            }
        }
        if let Some(right) = right {
            for dialect in DIALECTS {
                dialect.session(&server, &email, &right).await;
                // The hash is Argon2's by now, and no less exact.
                for password in &wrong {
                    let (status, _) = dialect.sign_in(&server, &email, password).await;
                    assert_eq!(status, dialect.wrong_credentials(), "{password:?} for {hashed:?}");
                }
            }
        }
    }
}

/// Row 14 for tokens: none is taken for another one that begins alike.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_byte_of_a_token_counts() {
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let (_, api) = ann.api_token(&server).await;
    for token in [api.as_str(), ADMIN_TOKEN, &ann.access] {
        let cut = &token[..token.len() - 1];
        let last = if token.ends_with('A') { "B" } else { "A" };
        let swapped = if token.starts_with('A') { "B" } else { "A" };
        for wrong in [
            cut.to_owned(),
            format!("{token}x"),
            format!("{token}{token}"),
            format!("{cut}{last}"),
            format!("{swapped}{}", &token[1..]),
            format!("{token}\0"),
            format!("{token}\0tail"),
            format!("\0{token}"),
            format!("{token}%00"),
            format!("{token}."),
            token.to_uppercase(),
            token.to_lowercase(),
            format!("{token}{}", "x".repeat(20_000)),
        ] {
            if wrong != token {
                assert_refused_everywhere(&server, &wrong, &format!("{wrong:?}")).await;
            }
        }
        assert_taken_everywhere(&server, token, "the right one").await;
    }
}

/// Every route that reads a body: its method and path, and the field in which a password stands.
const BODIES: [(&str, &str, &str); 21] = [
    ("POST", "/auth/register", "password"),
    ("POST", "/auth/login", "password"),
    ("POST", "/auth/logout", "refreshToken"),
    ("POST", "/auth/refresh-tokens", "refreshToken"),
    ("POST", "/auth/forgot-password", "email"),
    ("POST", "/auth/reset-password?token=x", "password"),
    ("POST", "/users/login", "password"),
    ("POST", "/user/login", "password"),
    ("POST", "/api/auth/register", "password"),
    ("POST", "/api/auth/login", "password"),
    ("PUT", "/api/auth/profile", "newPassword"),
    ("POST", "/1/authentication", "password"),
    ("POST", "/1/tokens", "name"),
    ("POST", "/1/users", "password"),
    ("PATCH", "/1/users/admin@example.com", "password"),
    ("DELETE", "/1/users/admin@example.com", "current_password"),
    ("POST", "/1/projects", "name"),
    ("PATCH", "/1/projects/PROJECT", "name"),
    ("PATCH", "/1/projects/PROJECT/share", "email"),
    ("PATCH", "/1/projects/PROJECT/unshare", "user_ids"),
    ("POST", "/auth/verify-email?token=x", "token"),
];

/// How long a refusal may take. It takes a millisecond: this leaves room for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// A good body of any route, with this in one of its fields.
fn body_with(field: &str, value: Value) -> Value {
    let mut body = json!({
        "name": "Ann", "email": "ann@example.com", "username": "ann", "password": PASSWORD, "confirm": PASSWORD,
        "newPassword": PASSWORD, "currentPassword": PASSWORD, "refreshToken": "x",
    });
    body[field] = value.clone();
    if field == "password" {
        body["confirm"] = value;
    }
    body
}

/// Bodies of which each is too much in its own way.
fn too_much(field: &str) -> Vec<(&'static str, String)> {
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000));
    let in_field = |text: &str| body_with(field, json!("HERE")).to_string().replace("\"HERE\"", text);
    let repeated = format!("{{{}\"{field}\":\"x\"}}", format!("\"{field}\":\"{PASSWORD}\",").repeat(20_000));
    let many: Vec<String> = (0..60_000).map(|number| format!("\"k{number}\":1")).collect();
    vec![
        ("a text of 1 MB", body_with(field, json!("x".repeat(1_000_000))).to_string()),
        ("a text of 1 MB that composes", body_with(field, json!("a\u{301}".repeat(330_000))).to_string()),
        ("a text of escapes", in_field(&format!("\"{}\"", "\\u0000".repeat(170_000)))),
        ("10,000 arrays", nested("[", "]")),
        ("10,000 arrays in a field", in_field(&nested("[", "]"))),
        ("10,000 objects in a field", in_field(&nested("{\"a\":", "}").replace(":}", ":1}"))),
        ("10,000 arrays without an end", "[".repeat(10_000)),
        ("200,000 arrays without an end", "[".repeat(200_000)),
        ("an array of many", in_field(&format!("[{}1]", "1,".repeat(400_000)))),
        ("an array of empty ones", in_field(&format!("[{}[]]", "[],".repeat(300_000)))),
        ("a number of many digits", in_field(&"9".repeat(500_000))),
        ("a number of a large exponent", in_field("1e999999999")),
        ("20,000 times one key", repeated),
        ("60,000 keys and one twice", format!("{{{},\"k0\":1}}", many.join(","))),
        ("a name of 900 kB", format!("{{\"{}\":1,\"{field}\":[]}}", "k".repeat(900_000))),
        ("more than is read", body_with(field, json!("x".repeat(1_100_000))).to_string()),
    ]
}

fn send(server: &Server, method: &str, path: &str, token: &str) -> RequestBuilder {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    server.request(method, path).bearer_auth(token)
}

/// Row 15 (CVE-2013-1443, CVE-2014-2828): refused at once, with no hash computed for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_too_much_is_refused_at_once_and_costs_no_hash() {
    let server = start().await;
    let project = iron_done(&server, "POST", "/1/projects", ADMIN_TOKEN, json!({"name": "x"})).await;
    let session = Member::register(&server, "somebody").await.access;
    for (turn, (method, path, field)) in BODIES.into_iter().enumerate() {
        let path = path.replace("PROJECT", &text(&project, "/id"));
        let token = if path.starts_with("/1/") { ADMIN_TOKEN } else { &session };
        // All of it to every login; of the other routes each has half, one this and the next that.
        let is_login = path.ends_with("login") || path == "/1/authentication";
        let bodies = too_much(field).into_iter().enumerate().filter(|(number, _)| is_login || (number + turn) % 2 == 0);
        for (number, (what, body)) in bodies {
            // Only rest reads forms; what begins with a brace is JSON all the same.
            let kind = ["application/json", "application/x-www-form-urlencoded"][(number / 2 + turn) % 2];
            let (before, began) = (server.hashes(), Instant::now());
            let request = send(&server, method, &path, token).header("Content-Type", kind).body(body);
            let (status, answered) = answer(request).await;
            let said = format!("{method} {path}: {what}: {status} {answered}");
            let expected = match path.as_str() {
                // No field of this one is read.
                "/auth/verify-email?token=x" => &[401, 413][..],
                // A text of any length is a wrong token, or the name of nobody.
                "/auth/refresh-tokens" => &[400, 401, 413],
                path if path.ends_with("share") => &[400, 404, 413],
                _ => &[400, 413],
            };
            assert!(expected.contains(&status.as_u16()), "{said}");
            assert!(answered.to_string().len() < 500, "{said}");
            assert!(began.elapsed() < AT_ONCE, "{said}: {:?}", began.elapsed());
            assert_eq!(server.hashes(), before, "{said}");
        }
    }
    assert_eq!(answer(server.get("/readyz")).await.0, StatusCode::OK);
}

/// Row 15: one request with every password there is in it is one hash at most, of a password that
/// is set, and one more where the current one is checked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_costs_more_than_the_hash_that_it_needs() {
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let session = Dialect::Argon.session(&server, &ann.email, PASSWORD).await;
    let all = body_with("user_ids", json!([ann.id]));
    for (method, path, _) in BODIES {
        let most = u64::from(method == "PUT") + 1;
        let before = server.hashes();
        let token = if path.starts_with("/1/") { &ann.access } else { &session };
        let answered = answer(send(&server, method, path, token).json(&all)).await;
        let computed = server.hashes() - before;
        assert!(computed <= most, "{method} {path}: {computed} hashes: {answered:?}");
    }
    // A thousand in one array are none.
    let before = server.hashes();
    for dialect in DIALECTS {
        let body = json!({ dialect.login_field(): vec![&ann.email; 1_000], "password": vec![PASSWORD; 1_000] });
        assert_eq!(server.post_json(dialect.login_path(), &body).await.0, StatusCode::BAD_REQUEST);
        let body = Value::Array(vec![dialect.credentials(&ann.email, PASSWORD); 1_000]);
        assert_eq!(server.post_json(dialect.login_path(), &body).await.0, StatusCode::BAD_REQUEST);
    }
    assert_eq!(server.hashes(), before);
}

/// Row 15: what is announced as huge, or has no end, is refused before it is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_announced_as_huge_or_never_ends_is_refused_before_it_is_there() {
    let server = start().await;
    let session = Member::register(&server, "somebody").await.access;
    for (method, path, _) in BODIES {
        let token = if path.starts_with("/1/") { ADMIN_TOKEN } else { &session };
        let head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n");
        for (length, status) in
            [("1000000000", 413), ("1048577", 413), ("9223372036854775807", 413), ("18446744073709551615", 431)]
        {
            let began = Instant::now();
            let reply = ask(&server, format!("{head}Content-Length: {length}\r\n\r\n{{")).await.unwrap();
            assert_eq!(reply.status, status, "{path} {length}: {reply:?}");
            assert!(began.elapsed() < AT_ONCE, "{path} {length}");
        }
        let mut wire = Wire::to(&server).await;
        wire.send(format!("{head}Transfer-Encoding: chunked\r\n\r\n")).await;
        let chunk = format!("10000\r\n{}\r\n", "[".repeat(65_536));
        let mut sent = 0;
        while !wire.has_reply().await && wire.send(&chunk).await {
            sent += 65_536;
            assert!(sent < 64 << 20, "{path}: the server still reads after {sent} bytes");
        }
        let reply = wire.reply().await.unwrap();
        assert_eq!(reply.status, 413, "{path}: {reply:?}");
    }
}

/// What stands where an id or a number belongs.
const ODD: [&str; 44] = [
    "'",
    "\"",
    "`",
    "\\",
    "''",
    "' or '1'='1",
    "' or 1=1 --",
    "\" or \"\"=\"",
    "1; drop table users",
    "1;select pg_sleep(9)",
    "') union select password from users --",
    "1 and 1=1",
    "0x1f",
    "1e3",
    "1.5",
    "-",
    "--1",
    "+1",
    " 1",
    "1 ",
    "\u{661}",
    "NaN",
    "Infinity",
    "null",
    "undefined",
    "true",
    "[]",
    "{}",
    "[1]",
    "{\"$gt\":\"\"}",
    "$ne",
    "%",
    "_",
    "%%",
    "\0",
    "1\0",
    "0123456789abcdef0123456\0",
    "0123456789abcdef0123456'",
    "0123456789abcdef012345678",
    "0123456789abcdef0123456",
    "0123456789abcdefghijklmn",
    "\u{202e}",
    "\u{ff10}\u{ff11}",
    "../../etc/passwd",
];

/// How many rows there are of everything.
const ROWS: &str = "select (select count(*) from users) || ' ' || (select count(*) from tokens) || ' ' ||
    (select count(*) from projects) || ' ' || (select count(*) from project_shares)";

/// All that is odd, as it stands in a path or a query.
fn odd_in_a_path() -> Vec<String> {
    let not_utf8 = ["%ff", "%c0%a0", "%ed%a0%80"].map(str::to_owned);
    ODD.iter().map(|text| percent_encoded(text)).chain(not_utf8).collect()
}

/// Row 16 (CVE-2026-33503, CVE-2022-24124): 400 for a bad place or number in a list, whoever asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_no_id_or_number_is_refused_in_a_query() {
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let before = server.database().value(ROWS);
    for odd in odd_in_a_path() {
        for (list, token) in [("users", ADMIN_TOKEN), ("projects", ADMIN_TOKEN), ("projects", &ann.access)] {
            for parameter in ["previous", "per_page"] {
                for query in [
                    format!("{parameter}={odd}"),
                    format!("{parameter}={odd}&oauth={token}"),
                    format!("{parameter}=1&{parameter}={odd}"),
                    format!("{parameter}[]={odd}&{parameter}={odd}"),
                ] {
                    let (status, body) = iron(&server, "GET", &format!("/1/{list}?{query}"), token, json!({})).await;
                    assert_eq!(status, StatusCode::BAD_REQUEST, "{list} {query}: {body}");
                }
            }
        }
        let (status, body) = iron(&server, "GET", &format!("/1/tokens?user_id={odd}"), ADMIN_TOKEN, json!({})).await;
        assert!([400, 404].contains(&status.as_u16()), "user_id={odd}: {body}");
        let path = format!("/1/authentication?project_id={odd}");
        assert_eq!(iron(&server, "GET", &path, ADMIN_TOKEN, json!({})).await.0, StatusCode::FORBIDDEN, "{path}");
        for token in ["reset-password", "verify-email"] {
            let request = server.post(&format!("/auth/{token}?token={odd}")).bearer_auth(&ann.access);
            let (status, body) = answer(request.json(&json!({"password": "another pass phrase"}))).await;
            assert!([400, 401].contains(&status.as_u16()), "{token} {odd}: {body}");
        }
    }
    assert_eq!(server.database().value(ROWS), before);
}

/// Row 16: 404 for a bad id in a path, and for who has no credential the same as ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_no_id_is_not_there_in_a_path_and_does_nothing() {
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let project = ann.project(&server).await;
    let before = server.database().value(ROWS);
    for odd in odd_in_a_path() {
        for (method, path) in [
            ("GET", format!("/1/users/{odd}")),
            ("PATCH", format!("/1/users/{odd}")),
            ("DELETE", format!("/1/users/{odd}")),
            ("DELETE", format!("/1/tokens/{odd}")),
            ("GET", format!("/1/projects/{odd}")),
            ("PATCH", format!("/1/projects/{odd}")),
            ("DELETE", format!("/1/projects/{odd}")),
            ("GET", format!("/1/projects/{odd}/share")),
            ("PATCH", format!("/1/projects/{odd}/share")),
            ("PATCH", format!("/1/projects/{odd}/unshare")),
        ] {
            for (token, expected) in [(ADMIN_TOKEN, 404), (ann.access.as_str(), 404), ("x", 401)] {
                let body = json!({"name": "x", "user_id": ann.id});
                let (status, body) = iron(&server, method, &path, token, body).await;
                assert_eq!(status.as_u16(), expected, "{method} {path}: {body}");
            }
        }
    }
    assert_eq!(server.database().value(ROWS), before);
    iron_done(&server, "GET", &format!("/1/projects/{project}"), &ann.access, json!({})).await;
}

/// Row 16: what is no token is refused as one, in every place of every dialect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_is_no_token_is_refused_wherever_one_stands() {
    let server = start().await;
    for odd in ODD {
        assert_refused_everywhere(&server, odd, odd).await;
    }
}

/// Row 16 in bodies: other types and texts in every field that names or counts something.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_types_in_a_body_are_refused_and_name_nobody() {
    let server = start().await;
    let ann = Member::register(&server, "ann").await;
    let path = format!("/1/projects/{}", ann.project(&server).await);
    let values = r#"[0, 1, -1, 1.5, true, false, [], {}, [1], [null], [[]], {"$ne": null}, {"$gt": ""}, {"id": {"$ne": 1}},
        18446744073709551616, 1e300, [true], {"user_id": 7}]"#;
    let values: Vec<Value> = serde_json::from_str(values).unwrap();
    for value in &values {
        for field in ["user_id", "user_ids", "email", "emails"] {
            // An empty list names nobody, which is malformed too.
            for action in ["share", "unshare"] {
                let (status, body) =
                    iron(&server, "PATCH", &format!("{path}/{action}"), &ann.access, json!({ field: value })).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{action} {field} {value}: {body}");
            }
        }
        for dialect in DIALECTS {
            for field in [dialect.login_field(), "password"] {
                let mut body = dialect.credentials(&ann.email, PASSWORD);
                body[field] = value.clone();
                let (status, body) = server.post_json(dialect.login_path(), &body).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{dialect:?} {field} {value}: {body}");
            }
        }
        for field in ["email", "password", "current_password"] {
            let user = format!("/1/users/{}", ann.id);
            let (status, body) = iron(&server, "PATCH", &user, &ann.access, json!({ field: value })).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{field} {value}: {body}");
        }
        let (status, body) = server.post_json("/auth/refresh-tokens", &json!({"refreshToken": value})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{value}: {body}");
    }
    // A text where a user is named, that is neither an id nor an address, is nobody.
    for odd in ODD {
        let (status, body) = iron(&server, "PATCH", &format!("{path}/share"), &ann.access, json!({"email": odd})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{odd:?}: {body}");
        for dialect in DIALECTS {
            let (status, body) = dialect.sign_in(&server, odd, PASSWORD).await;
            assert_eq!(status, dialect.wrong_credentials(), "{odd:?} {dialect:?}: {body}");
        }
    }
    let (status, _) = register_username(&server, "ann").await;
    assert_eq!(status, StatusCode::OK, "the server goes on");
}
