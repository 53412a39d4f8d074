//! Rows 4 to 6: mails whose link leads to an attacker, or that go to one.

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{DIALECTS, Member, iron, register_username, seen_by_admin, start, start_with, text};
use crate::harness::{ADMIN_TOKEN, PASSWORD, Server, answer, token_in};
use crate::rest::{all_mails, login, next_mail, reset, reset_token};
use crate::server::wire::ask;

const FORGOT: &str = "/auth/forgot-password";
const SEND: &str = "/auth/send-verification-email";
const EVIL: &str = "evil.example";

/// What clients and proxies say of the address that a request was meant for.
const HEADERS: [&str; 20] = [
    "X-Forwarded-Host: evil.example",
    "X-Forwarded-Host: id.example.com, evil.example",
    "X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 6666",
    "X-Forwarded-Prefix: //evil.example",
    "X-Forwarded-Path: /evil.example",
    "X-Forwarded-Server: evil.example",
    "X-Forwarded-Scheme: evil.example",
    "X-Forwarded-For: evil.example",
    "X-Host: evil.example",
    "X-Original-Host: evil.example",
    "X-Original-URL: http://evil.example/",
    "X-Rewrite-URL: http://evil.example/",
    "X-HTTP-Host-Override: evil.example",
    "Forwarded: host=evil.example;proto=gopher",
    "Forwarded: for=evil.example;by=evil.example;host=\"evil.example:6666\"",
    "Origin: http://evil.example",
    "Referer: http://evil.example/",
    "From: eve@evil.example\r\nReply-To: eve@evil.example\r\nReturn-Path: <eve@evil.example>",
    "Via: 1.1 evil.example\r\nCf-Connecting-Ip: evil.example\r\nTrue-Client-Ip: evil.example",
    "Accept-Language: evil.example",
];

/// Values of `Host`.
const HOSTS: [&str; 12] = [
    "evil.example",
    "evil.example:6666",
    "id.example.com.evil.example",
    "id.example.com@evil.example",
    "id.example.com:80@evil.example",
    "id.example.com#@evil.example",
    "id.example.com/evil.example",
    "evil.example\\.id.example.com",
    "\"evil.example\"",
    "[::1].evil.example",
    "id.example.com, evil.example",
    "",
];

/// The requests that have a mail written, as an attacker would send them.
fn requests(path: &str, more: &str, body: &str) -> Vec<String> {
    let rest = format!("Content-Type: application/json\r\n{more}Content-Length: {}\r\n", body.len());
    let mut requests = Vec::new();
    for host in HOSTS {
        requests.push(format!("POST {path} HTTP/1.1\r\nHost: {host}\r\n{rest}\r\n{body}"));
    }
    for header in HEADERS {
        requests.push(format!("POST {path} HTTP/1.1\r\nHost: id.example.com\r\n{header}\r\n{rest}\r\n{body}"));
        requests.push(format!("POST {path} HTTP/1.1\r\nHost: {EVIL}\r\n{header}\r\n{rest}\r\n{body}"));
    }
    requests.extend([
        format!("POST http://{EVIL}{path} HTTP/1.1\r\nHost: id.example.com\r\n{rest}\r\n{body}"),
        format!("POST http://user:evil.example@{EVIL}:6666{path} HTTP/1.1\r\nHost: {EVIL}\r\n{rest}\r\n{body}"),
        format!("POST {path} HTTP/1.0\r\n{rest}\r\n{body}"),
        format!("POST {path} HTTP/1.1\r\n{rest}\r\n{body}"),
        format!("POST {path} HTTP/1.1\r\nHost: {EVIL}\r\nHost: id.example.com\r\n{rest}\r\n{body}"),
        format!("POST {path} HTTP/1.1\r\nHost: id.example.com\r\nHost: {EVIL}\r\n{rest}\r\n{body}"),
        format!("POST {path}?host={EVIL}&public_url=http://{EVIL} HTTP/1.1\r\nHost: {EVIL}\r\n{rest}\r\n{body}"),
        format!("POST {path}?redirect_to=http://{EVIL}&url=//{EVIL} HTTP/1.1\r\nHost: {EVIL}\r\n{rest}\r\n{body}"),
    ]);
    requests
}

/// Asserts that a mail leads to `base` and to nowhere else, and is for Ann alone.
fn assert_leads_to(mail: &str, base: &str, page: &str, request: &str) {
    let link = format!("{base}/{page}?token={}\r\n", token_in(mail));
    assert!(mail.contains(&link), "{request}\n{mail}");
    let prefix = format!("{base}/{page}?token=");
    assert_eq!(mail.matches("://").count(), mail.matches(&prefix).count(), "{request}\n{mail}");
    // With the colon of a port: digits alone may stand in a secret by chance.
    for word in [EVIL, "evil", "gopher", ":6666", "Reply-To", "Return-Path"] {
        assert!(!mail.contains(word), "{word}: {request}\n{mail}");
    }
    let recipients: Vec<_> = mail
        .lines()
        .filter(|line| ["to:", "cc:", "bcc:"].iter().any(|it| line.to_lowercase().starts_with(it)))
        .collect();
    assert_eq!(recipients, ["To: ann@example.com"], "{request}\n{mail}");
}

async fn links_hold(server: &Server, base: &str) {
    let ann = Member::register(server, "ann").await;
    let bearer = format!("Authorization: Bearer {}\r\n", ann.access);
    let forgot = json!({"email": ann.email, "public_url": "http://evil.example", "host": EVIL}).to_string();
    for (path, more, body, page) in
        [(FORGOT, "", forgot.as_str(), "reset-password"), (SEND, bearer.as_str(), "", "verify-email")]
    {
        let mut mailed = 0;
        for request in requests(path, more, body) {
            let before = next_mail(server);
            let Some(reply) = ask(server, &request).await else { panic!("no answer to {request}") };
            // What is no HTTP is refused; whatever is answered otherwise is a mail.
            if reply.status == 400 {
                assert_eq!(all_mails(server).await.iter().filter(|mail| mail.contains(EVIL)).count(), 0, "{request}");
                continue;
            }
            assert_eq!(reply.status, 200, "{request}: {reply:?}");
            assert!(!reply.body.contains(EVIL), "{request}: {reply:?}");
            let mails = server.wait_for_mails(before + 1).await;
            assert_leads_to(mails.last().unwrap(), base, page, &request);
            mailed += 1;
        }
        assert!(mailed > 40, "{mailed} requests to {path} had a mail written");
    }
}

/// Row 4 (CVE-2025-64101, GHSA-3529-5m8x-rpv3, CVE-2025-25198).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_the_configured_address_whatever_a_request_says() {
    let server = start_with("public_url = \"https://id.example.com\"").await;
    links_hold(&server, "https://id.example.com").await;
}

/// Row 4, where nothing is configured: the address that the server listens on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configured_address_a_link_leads_to_the_servers_own() {
    let server = start().await;
    let base = server.base.clone();
    links_hold(&server, &base).await;
}

/// Row 4 by HTTP/2, where the address is a pseudo-header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_leads_to_the_configured_address_by_http_2_too() {
    let server = start_with("public_url = \"https://id.example.com\"").await;
    let ann = Member::register(&server, "ann").await;
    let address = server.base.split_once("://").unwrap().1.parse().unwrap();
    // The client believes that this is where it is going.
    let client = Client::builder().http2_prior_knowledge().resolve(EVIL, address).build().unwrap();
    let url = format!("http://{EVIL}:{}", address.port());
    for (path, bearer, page) in [(FORGOT, "x", "reset-password"), (SEND, ann.access.as_str(), "verify-email")] {
        for header in HEADERS {
            let before = next_mail(&server);
            let mut request =
                client.post(format!("{url}{path}")).bearer_auth(bearer).json(&json!({"email": ann.email}));
            for line in header.split("\r\n") {
                let (name, value) = line.split_once(": ").unwrap();
                request = request.header(name, value);
            }
            assert_eq!(answer(request).await.0, StatusCode::OK, "{header}");
            let mails = server.wait_for_mails(before + 1).await;
            assert_leads_to(mails.last().unwrap(), "https://id.example.com", page, header);
        }
    }
}

/// Texts that hold Mike's address and another one, or more than an address.
const NOT_ONE_ADDRESS: [&str; 34] = [
    "mike@example.com,eve@evil.example",
    "mike@example.com, eve@evil.example",
    "mike@example.com;eve@evil.example",
    "mike@example.com eve@evil.example",
    "mike@example.com\teve@evil.example",
    "mike@example.com|eve@evil.example",
    "mike@example.com&email=eve@evil.example",
    "mike@example.com\neve@evil.example",
    "mike@example.com\r\nCc: eve@evil.example",
    "mike@example.com\r\n\r\nhttp://evil.example",
    "mike@example.com\rBcc: eve@evil.example",
    "mike@example.com%0d%0aBcc:eve@evil.example",
    "mike@example.com\\r\\nBcc:eve@evil.example",
    "mike@example.com\u{85}Bcc:eve@evil.example",
    "mike@example.com\u{2028}Bcc:eve@evil.example",
    "mike@example.com\0eve@evil.example",
    "mike@example.com\0",
    "Mike <mike@example.com>",
    "<mike@example.com>",
    "mike@example.com <eve@evil.example>",
    "<mike@example.com>,<eve@evil.example>",
    "\"mike@example.com\" <eve@evil.example>",
    "\"mike@example.com,\"@evil.example",
    "\"mike\"@example.com",
    "mike(eve@evil.example)@example.com",
    "mike@example.com(eve@evil.example)",
    "@evil.example:mike@example.com",
    "<@evil.example:mike@example.com>",
    "mike@example.com@evil.example",
    "mike@[127.0.0.1]",
    "mike@example.com/",
    "mailto:mike@example.com",
    " mike@example.com",
    "mike@example.com ",
];

/// Row 5 (CVE-2023-7028): one request is one mail at most, to the stored address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_has_a_mail_sent_to_two_or_to_another() {
    let server = start().await;
    server.register("mike@example.com").await;
    server.register("eve@evil.example").await;
    for text in NOT_ONE_ADDRESS {
        let (status, body) = server.post_json(FORGOT, &json!({"email": text})).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text:?}: {body}");
        // The same as a form, where a client encodes it.
        let (status, body) = answer(server.post(FORGOT).form(&[("email", text)])).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text:?}: {body}");
    }
    let (mike, eve) = ("mike@example.com", "eve@evil.example");
    for body in [
        json!({"email": [mike, eve]}),
        json!({"email": [mike]}),
        json!({"email": [[mike], eve]}),
        json!({"email": {"0": mike, "1": eve}}),
        json!({"email": {"$in": [mike, eve]}}),
        json!({"email": {"to": mike, "cc": eve}}),
        json!({"email[]": [mike, eve]}),
        json!({"emails": [mike, eve]}),
        json!([{"email": mike}, {"email": eve}]),
        json!({"Email": mike, "EMAIL": eve}),
        json!({"user": {"email": [mike, eve]}}),
    ] {
        assert_eq!(server.post_json(FORGOT, &body).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    for body in [
        r#"{"email":"mike@example.com","email":"eve@evil.example"}"#,
        r#"{"email":"eve@evil.example","email":"mike@example.com"}"#,
        r#"{"email":"mike@example.com","em\u0061il":"eve@evil.example"}"#,
        r#"{"email":"mike@example.com"}{"email":"eve@evil.example"}"#,
        "{\"email\":\"mike@example.com\"}\n{\"email\":\"eve@evil.example\"}",
        r#"{"email":"mike@example.com"},"email":"eve@evil.example"}"#,
        r#"{"email":"mike@example.com\ud800"}"#,
    ] {
        for kind in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
            let request = server.post(FORGOT).header("Content-Type", kind).body(body);
            assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST, "{kind} {body}");
        }
    }
    for body in [
        "email=mike@example.com&email=eve@evil.example",
        "email=mike%40example.com&%65mail=eve%40evil.example",
        "email[]=mike@example.com&email[]=eve@evil.example",
        "email[0]=mike@example.com",
        "email=mike@example.com%00eve@evil.example",
        "email=mike@example.com;email=eve@evil.example",
        "email=mike@example.com%26email=eve@evil.example",
        "email=mike@example.com%0D%0ACc:eve@evil.example",
    ] {
        let request = server.post(FORGOT).header("Content-Type", "application/x-www-form-urlencoded").body(body);
        assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST, "{body}");
    }
    assert_eq!(all_mails(&server).await, Vec::<String>::new());
    // What stands beside the one address is passed over.
    let body = json!({"email": mike, "to": eve, "cc": [eve], "bcc": eve, "emails": [eve], "recipient": eve});
    let request = server.post(&format!("{FORGOT}?email={eve}&to={eve}")).json(&body);
    assert_eq!(answer(request).await.0, StatusCode::OK);
    let mails = all_mails(&server).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert!(mails[0].contains("To: mike@example.com\r\n") && !mails[0].contains("evil"), "{}", mails[0]);
}

/// Row 5, from the other side: what is no address is nobody's stored address either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_that_holds_more_than_an_address_becomes_one() {
    let server = start().await;
    let eve = Member::register(&server, "eve").await;
    for email in NOT_ONE_ADDRESS {
        let body = json!({"name": "Eve", "email": email, "password": PASSWORD, "confirm": PASSWORD});
        let (status, body) = server.post_json("/auth/register", &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{email:?}: {body}");
        let body = json!({"email": email, "password": PASSWORD});
        let (status, body) = iron(&server, "POST", "/1/users", ADMIN_TOKEN, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{email:?}: {body}");
        let body = json!({"email": email, "current_password": PASSWORD});
        let (status, body) = iron(&server, "PATCH", &format!("/1/users/{}", eve.id), &eve.access, body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{email:?}: {body}");
        let (status, body) = register_username(&server, email).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{email:?}: {body}");
    }
    let (status, _) = answer(server.post(SEND).bearer_auth(&eve.access)).await;
    assert_eq!(status, StatusCode::OK);
    let mails = server.wait_for_mails(1).await;
    assert!(mails.len() == 1 && mails[0].contains("To: eve@example.com\r\n"), "{mails:?}");
}

/// Addresses that one of two readers may take for mike@example.com, ASCII's own letter case apart.
const LOOKALIKES: [&str; 26] = [
    "m\u{131}ke@example.com",
    "M\u{130}KE@example.com",
    "mi\u{307}ke@example.com",
    "mi\u{212a}e@example.com",
    "MI\u{212a}E@EXAMPLE.COM",
    "\u{ff4d}\u{ff49}\u{ff4b}\u{ff45}@example.com",
    "mike\u{ff20}example.com",
    "mike@\u{ff45}xample.com",
    "mike@example\u{3002}com",
    "mike@example\u{ff0e}com",
    "mike@exam\u{ad}ple.com",
    "mi\u{ad}ke@example.com",
    "mi\u{200b}ke@example.com",
    "mi\u{200d}ke@example.com",
    "mike@exam\u{200d}ple.com",
    "mi\u{301}ke@example.com",
    "m\u{456}ke@example.com",
    "mike@ex\u{430}mple.com",
    "mik\u{435}@example.com",
    "mike\u{feff}@example.com",
    "mike\u{202e}@example.com",
    "mike@example.com.",
    "mike.@example.com",
    "mike+eve@example.com",
    "\u{1d426}\u{1d422}\u{1d424}\u{1d41e}@example.com",
    "mike@\u{24d4}xample.com",
];

/// Row 6 (CVE-2019-19844): asked for by a lookalike, a mail goes to the stored address or nowhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_asked_for_by_a_lookalike_goes_to_the_stored_address_or_nowhere() {
    let server = start().await;
    server.register("Mike@Example.com").await;
    for email in LOOKALIKES.iter().chain(&["MIKE@EXAMPLE.COM", "mike@example.com"]) {
        let before = all_mails(&server).await.len();
        server.post_json(FORGOT, &json!({"email": email})).await;
        let mails = all_mails(&server).await;
        assert!(mails.len() <= before + 1, "{email}");
        for mail in &mails {
            assert!(mail.contains("To: Mike@Example.com\r\n"), "{email}: {mail}");
        }
    }
    assert!(all_mails(&server).await.len() >= 2);
}

/// Row 6: a lookalike that signs up is either the same account, and refused, or another one, and
/// then nothing of the first is its own, in no dialect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_up_with_a_lookalike_gets_nothing_of_the_original() {
    const OTHER: &str = "another pass phrase";
    let server = start().await;
    let mike = Member::register(&server, "mike").await;
    let (mut same, mut others) = (0, 0);
    for email in LOOKALIKES {
        let body = json!({"name": "Eve", "email": email, "password": OTHER, "confirm": OTHER});
        let (status, body) = server.post_json("/auth/register", &body).await;
        if status == StatusCode::BAD_REQUEST {
            same += 1;
        } else {
            assert_eq!(status, StatusCode::CREATED, "{email}: {body}");
            assert_ne!(text(&body, "/user/id"), mike.id, "{email}");
            others += 1;
            // A reset of the one changes nothing of the other.
            let before = next_mail(&server);
            assert_eq!(server.post_json(FORGOT, &json!({"email": email})).await.0, StatusCode::OK);
            let mail = server.wait_for_mails(before + 1).await.pop().unwrap();
            assert!(!mail.contains("To: mike@example.com"), "{email}: {mail}");
            assert_eq!(reset(&server, &token_in(&mail), "a third pass phrase").await.0, StatusCode::OK);
        }
        for dialect in DIALECTS {
            let (status, _) = dialect.sign_in(&server, &mike.email, OTHER).await;
            assert_eq!(status, dialect.wrong_credentials(), "{email} {dialect:?}");
            // Mike's password by the lookalike's name is Mike, or nobody.
            let (status, body) = dialect.sign_in(&server, email, PASSWORD).await;
            if status == StatusCode::OK {
                let token = dialect.access_token(&body);
                let (_, me) = answer(server.get("/users/me").header("x-access-token", token)).await;
                assert_eq!(text(&me, "/email"), mike.email, "{email} {dialect:?}");
            }
        }
    }
    assert!(same > 5 && others > 5, "{same} {others}");
    assert_eq!(login(&server, &mike.email, PASSWORD).await.0, StatusCode::OK);
    let token = reset_token(&server, &mike.email).await;
    assert_eq!(reset(&server, &token, "a fourth pass phrase").await.0, StatusCode::OK);
    assert_eq!(seen_by_admin(&server, &mike.id).await["email"], mike.email);
}

/// Row 6 for usernames, and for names of the one kind that look like one of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_username_that_looks_like_anothers_is_taken_or_no_name() {
    let server = start().await;
    let (status, body) = register_username(&server, "admiral-kim").await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let kim = text(&body, "/token");
    for (number, name) in [
        "ADMIRAL-KIM",
        "Admiral-\u{212a}im",
        "\u{ff41}dmiral-kim",
        "\u{ff21}\u{ff24}\u{ff2d}\u{ff29}\u{ff32}\u{ff21}\u{ff2c}-\u{ff2b}\u{ff29}\u{ff2d}",
        "admiral\u{ff0d}kim",
        "admiral-ki\u{200b}m",
        "\u{1d41a}dmiral-kim",
        " admiral-kim",
        "admiral-kim ",
        "admiral-kim\0",
        "admiral-kim\n",
    ]
    .into_iter()
    .enumerate()
    {
        let (status, body) = register_username(&server, name).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:?}: {body}");
        let (status, eve) = register_username(&server, &format!("eve{number}")).await;
        assert_eq!(status, StatusCode::OK, "{eve}");
        let request = server.request(reqwest::Method::PUT, "/api/auth/profile");
        let request = request.bearer_auth(text(&eve, "/token")).json(&json!({"newUsername": name}));
        assert_eq!(answer(request).await.0, StatusCode::BAD_REQUEST, "{name:?}");
    }
    // Neither an address nor an id is a username: nobody is found by what is another's.
    for name in ["kim@example.com", "kim\u{ff20}example.com", "0123456789abcdef01234567"] {
        let (status, body) = register_username(&server, name).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{name:?}: {body}");
    }
    let (status, body) = answer(server.get("/api/auth/state").bearer_auth(&kim)).await;
    assert_eq!((status, body["username"].clone()), (StatusCode::OK, Value::from("admiral-kim")));
}
