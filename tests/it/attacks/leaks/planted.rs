//! Row 21: secrets in every field, header and query of every route, in the right places and in wrong
//! ones; then none of them is in the log, in an error body, in a file of the data directory, in the
//! database or in a backup.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

use super::{Scan, tokens_in};
use crate::attacks::DIALECTS;
use crate::harness::database::is_postgres_asked_for;
use crate::harness::process::{Launch, Process, exchange};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, cluster, secret_file, token_in};

/// Every field that some route reads, and some that none does.
const FIELDS: &str = "access_token admin apiKey authorization bio code confirm cookie current_password currentPassword \
    email emails expires_at flags hash id key login name new_password newPassword newUsername oauth old_password owner \
    partner passwd password password_confirmation permissions plan_worker project_id refresh_token refreshToken secret \
    session status sub token type uid user user_id user_ids username";

/// Headers in which somebody sends a secret.
const HEADERS: [&str; 16] = [
    "Authorization",
    "X-Access-Token",
    "X-Api-Key",
    "Cookie",
    "Proxy-Authorization",
    "X-Auth-Token",
    "X-Csrf-Token",
    "X-Forwarded-For",
    "Forwarded",
    "Referer",
    "User-Agent",
    "X-Request-Id",
    "Traceparent",
    "Origin",
    "From",
    "X-Secret",
];

/// A program that serves, and the secrets that its clients and it have named so far.
struct Ground {
    folder: TempDir,
    /// The name of its database, where that is in PostgreSQL.
    database: Option<String>,
    process: Option<Process>,
    client: Client,
    base: String,
    scan: Scan,
    /// What clients called themselves: sessions and the audit log keep that on purpose, and nothing else does.
    agents: Scan,
    /// Those that a mail has to carry.
    mailed: Vec<String>,
    planted: usize,
}

impl Ground {
    fn start(level: &str, format: &str) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut launch = Launch::on(&folder.path().join("data"))
            .variable("DOORWARD_LOG__LEVEL", level)
            .variable("DOORWARD_THROTTLE__ENABLED", "false");
        launch = launch.variable("DOORWARD_LOG__FORMAT", format).variable("DOORWARD_IRON__REVEAL_TOKENS", "true");
        let mut database = None;
        if is_postgres_asked_for() {
            let url = cluster::shared().new_database();
            database = url.rsplit('/').next().map(str::to_owned);
            launch = launch.database(&url, &secret_file(folder.path()));
        }
        let process = launch.serve();
        let client = Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let base = process.url("");
        let mut scan = Scan::default();
        scan.add("the administrator's password", ADMIN_PASSWORD);
        scan.add("the administrator's token", ADMIN_TOKEN);
        let (agents, mailed) = (Scan::default(), Vec::new());
        Self { folder, database, process: Some(process), client, base, scan, agents, mailed, planted: 0 }
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A fresh secret, which is looked for from here on.
    fn secret(&mut self, what: &str) -> String {
        let secret = self.fresh();
        self.scan.add(&format!("{what} ({secret})"), &secret);
        secret
    }

    /// The same for this header.
    fn secret_in(&mut self, header: &str) -> String {
        if header != "User-Agent" {
            return self.secret(&format!("in {header}"));
        }
        let secret = self.fresh();
        self.agents.add(&format!("in {header} ({secret})"), &secret);
        secret
    }

    fn fresh(&mut self) -> String {
        self.planted += 1;
        // All letters and digits are in it, so that it comes through every encoding.
        format!("Planted{:04}Zq7xWvKj3mPn{:04}Rt", self.planted, self.planted * 7)
    }

    fn assert_none_in(&self, bytes: &[u8], place: &str) {
        self.scan.assert_none_in(bytes, place);
        self.agents.assert_none_in(bytes, place);
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), format!("{}{path}", self.base))
    }

    /// A request that is refused, and whose answer holds no secret.
    async fn refused(&mut self, request: RequestBuilder, what: &str) {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = self.without_secrets(answer, what).await;
        assert!(status.is_client_error(), "{what}: {status} {text}");
    }

    async fn without_secrets(&self, answer: Response, what: &str) -> String {
        let mut whole = format!("{:?}\n", answer.headers());
        whole.push_str(&answer.text().await.unwrap());
        self.assert_none_in(whole.as_bytes(), &format!("the answer to {what} ({whole})"));
        whole
    }

    /// A request that succeeds; the tokens of its answer are looked for from here on.
    async fn done(&mut self, request: RequestBuilder, what: &str) -> Value {
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let body: Value = answer.json().await.unwrap();
        assert!(status.is_success(), "{what}: {status} {body}");
        for token in tokens_in(&body) {
            self.scan.add(&format!("a token of {what}"), &token);
        }
        body
    }

    async fn post(&mut self, path: &str, bearer: &str, body: Value) -> Value {
        let request = self.request("POST", path).bearer_auth(bearer).json(&body);
        self.done(request, path).await
    }

    /// Waits for the next mail, and gives the secret in its link.
    async fn mailed(&mut self) -> String {
        let outbox = self.data_dir().join("outbox");
        for _ in 0..400 {
            let mails: Vec<String> = files(&outbox).into_iter().map(|file| fs::read_to_string(file).unwrap()).collect();
            let links = mails.iter().filter(|mail| mail.contains("token="));
            let fresh = links.map(|mail| token_in(mail)).find(|token| !self.mailed.contains(token));
            if let Some(token) = fresh {
                self.scan.add("a mailed secret", &token);
                self.mailed.push(token.clone());
                return token;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("no mail");
    }
}

/// The files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Everything that is good: accounts, sessions, tokens and mails, by way of every dialect.
async fn live_through(ground: &mut Ground) {
    let [first, second, third, fourth] =
        ["a first password", "a second password", "a third password", "a fourth password"]
            .map(|what| ground.secret(what));
    let body = json!({"name": "Ann", "email": "ann@example.com", "password": first, "confirm": first});
    let session = ground.post("/auth/register", "", body).await;
    let access = session["accessToken"].as_str().unwrap().to_owned();
    let registered = ground.post("/api/auth/register", "", json!({"username": "bob", "password": first})).await;
    let bob = registered["token"].as_str().unwrap().to_owned();
    for dialect in DIALECTS {
        let body = dialect.credentials("ann@example.com", &first);
        ground.post(dialect.login_path(), "", body).await;
    }
    for path in ["/1/authentication?oauth=", "/users/me?token="] {
        let request = ground.request("GET", &format!("{path}{access}"));
        ground.done(request, path).await;
    }
    let refreshed = ground.post("/auth/refresh-tokens", "", json!({"refreshToken": session["refreshToken"]})).await;
    ground.post("/auth/refresh-tokens", "", json!({"refreshToken": refreshed["refreshToken"]})).await;
    let made = ground.post("/1/tokens", &access, json!({"name": "test"})).await;
    let api = made["token"]["token"].as_str().unwrap().to_owned();
    for path in [format!("/1/users/ann@example.com?oauth={api}"), format!("/1/tokens?oauth={api}")] {
        let request = ground.request("GET", &path);
        ground.done(request, "a read").await;
    }
    ground.post("/auth/send-verification-email", &access, json!({})).await;
    let verification = ground.mailed().await;
    ground.post(&format!("/auth/verify-email?token={verification}"), &access, json!({})).await;
    ground.post("/auth/forgot-password", "", json!({"email": "ann@example.com"})).await;
    let reset = ground.mailed().await;
    ground.post(&format!("/auth/reset-password?token={reset}"), "", json!({"password": second})).await;
    let again = ground.post("/auth/login", "", json!({"email": "ann@example.com", "password": second})).await;
    let access = again["accessToken"].as_str().unwrap().to_owned();
    let body = json!({"password": third, "current_password": second});
    let request = ground.request("PATCH", "/1/users/ann@example.com").bearer_auth(&access).json(&body);
    ground.done(request, "a change of password").await;
    let body = json!({"newUsername": "rob", "currentPassword": first, "newPassword": third});
    let request = ground.request("PUT", "/api/auth/profile").bearer_auth(&bob).json(&body);
    let changed = ground.done(request, "a change of profile").await;
    let body = json!({"email": "eve@example.com", "password": fourth, "flags": {}, "status": "active"});
    ground.post("/1/users", ADMIN_TOKEN, body).await;
    let admin = json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD});
    ground.post("/users/login", "", admin).await;
    let request =
        ground.request("GET", "/1/users?per_page=100").header("Authorization", format!("OAuth {ADMIN_TOKEN}"));
    ground.done(request, "a list").await;
    ground.post("/api/auth/logout", changed["token"].as_str().unwrap(), json!({})).await;
    // Left behind unused.
    ground.post("/auth/forgot-password", "", json!({"email": "eve@example.com"})).await;
    ground.mailed().await;
    fail_beside(ground, &reset, &first, &third).await;
}

/// The link of a mail that was used, and wrong passwords beside right ones.
async fn fail_beside(ground: &mut Ground, used: &str, former: &str, password: &str) {
    let request = ground.request("POST", &format!("/auth/reset-password?token={used}"));
    ground.refused(request.json(&json!({"password": password})), "a used link").await;
    for dialect in DIALECTS {
        let wrong = ground.secret("a wrong password");
        for (login, password) in [("ann@example.com", wrong.as_str()), (&wrong, former), (&wrong, &wrong)] {
            let request = ground.request("POST", dialect.login_path()).json(&dialect.credentials(login, password));
            ground.refused(request, "a wrong login").await;
        }
    }
}

/// A route's path with this where something is named.
fn filled(template: &str, with: &str) -> String {
    let mut path = template.to_owned();
    for name in ["{user}", "{token}", "{project}"] {
        path = path.replace(name, with);
    }
    path
}

/// Secrets in every place of requests to every route, of which none succeeds.
async fn plant_everywhere(ground: &mut Ground) {
    let routes = doorward::dialect::all().into_iter().flat_map(|mount| mount.routes.list().to_vec());
    for route in routes.collect::<Vec<_>>() {
        let (method, template) = (route.method.as_str(), route.path.as_str());
        let open = ["/status", "/api/system"].contains(&template);
        let what = format!("{method} {template}");
        let in_path = ground.secret("in a path");
        let query: Vec<(&str, String)> =
            FIELDS.split_whitespace().map(|field| (field, ground.secret("in a query"))).collect();
        let object = |ground: &mut Ground| {
            let mut object: Map<String, Value> = Map::new();
            for field in FIELDS.split_whitespace() {
                object.insert(field.to_owned(), json!(ground.secret("in a field")));
            }
            // No name: argon would make a user of it.
            object.insert("username".to_owned(), json!(ground.secret("in a field") + "@"));
            Value::Object(object)
        };
        let mut requests =
            vec![ground.request(method, &filled(template, &in_path)).query(&query).json(&object(ground))];
        for scheme in ["Bearer", "OAuth", "Token", "Basic", "bearer", "Digest", ""] {
            let secret = ground.secret("in Authorization");
            let request =
                ground.request(method, &filled(template, "x")).header("Authorization", format!("{scheme} {secret}"));
            requests.push(request.json(&json!({"wrapped": object(ground)})));
        }
        let mut request = ground.request(method, &filled(template, "x"));
        for name in HEADERS {
            request = request.header(name, ground.secret_in(name));
        }
        requests.push(request.body(format!("{{\"password\":\"{}", ground.secret("in half a body"))));
        let name = ground.secret("as a key");
        requests.push(ground.request(method, &filled(template, "x")).json(&json!({ &name: {&name: [&name]} })));
        let twice = ground.secret("twice in a form");
        let form = format!("password={twice}&password={twice}&email=%zz{twice}");
        let request = ground.request(method, &filled(template, "x")).body(form);
        requests.push(request.header("Content-Type", "application/x-www-form-urlencoded"));
        let broken = [b"{\"password\":\"\xff".as_slice(), ground.secret("beside no text").as_bytes(), b"\"}"].concat();
        requests.push(ground.request(method, &filled(template, "x")).body(broken));
        let deep = format!("{}\"{}\"{}", "[".repeat(50), ground.secret("deep inside"), "]".repeat(50));
        requests.push(ground.request(method, &filled(template, "x")).body(deep));
        let long = ground.secret("at the end of much").repeat(3_000);
        requests.push(ground.request(method, &filled(template, "x")).json(&json!({"email": long, "password": long})));
        for request in requests {
            if open {
                let answer = request.send().await.unwrap();
                ground.without_secrets(answer, &what).await;
            } else {
                ground.refused(request, &what).await;
            }
        }
        let other = ground.secret("at a wrong method");
        let request = ground.request("BREW", &format!("{}?token={other}", filled(template, "x"))).body(other);
        ground.refused(request, &what).await;
    }
}

/// Secrets beside a good credential, in every place that keeps nothing in clear on purpose.
async fn plant_beside_a_good_credential(ground: &mut Ground) {
    const KEPT: [&str; 9] =
        ["name", "bio", "email", "username", "newUsername", "type", "status", "flags", "plan_worker"];
    for (method, path, good) in [
        ("POST", "/1/users", json!({"email": "new1@example.com", "password": "replaced"})),
        ("POST", "/1/tokens", json!({"name": "good"})),
        ("POST", "/1/projects", json!({"name": "good"})),
        ("PATCH", "/1/users/new1@example.com", json!({"password": "replaced"})),
        ("GET", "/1/users", json!({})),
        ("GET", "/1/tokens", json!({})),
        ("GET", "/1/clusters", json!({})),
        ("POST", "/auth", json!({})),
        ("GET", "/users/me", json!({})),
        ("GET", "/api/auth/state", json!({})),
    ] {
        let mut body = good;
        for field in FIELDS.split_whitespace().filter(|field| !KEPT.contains(field) && *field != "user_id") {
            // These are read, and a text is none of theirs.
            if !["admin", "expires_at", "partner", "current_password"].contains(&field)
                && (field != "token" || path != "/1/tokens")
            {
                body[field] = json!(ground.secret("beside a good credential"));
            }
        }
        let query = if method == "GET" { format!("?x={}", ground.secret("in a query")) } else { String::new() };
        let mut request = ground.request(method, &format!("{path}{query}")).json(&body);
        for name in HEADERS.into_iter().filter(|name| !["Authorization", "X-Access-Token", "X-Api-Key"].contains(name))
        {
            request = request.header(name, ground.secret_in(name));
        }
        let what = format!("{method} {path}");
        ground.done(request.bearer_auth(ADMIN_TOKEN), &what).await;
    }
    let token = ground.secret("as the text in a token's place");
    let made = ground.post("/1/tokens", ADMIN_TOKEN, json!({"token": token, "name": "x"})).await;
    assert!(!made.to_string().contains(&token), "{made}");
}

/// Secrets in what is no HTTP, or too much of it.
fn plant_in_no_http(ground: &mut Ground) {
    let address = ground.process.as_ref().unwrap().address();
    let secrets: Vec<String> = (0..8).map(|_| ground.secret("in no HTTP")).collect();
    for request in [
        format!("POST /auth HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {}\r\n\r\n", secrets[0]),
        format!("POST /auth HTTP/1.1\r\nAuthorization: Bearer\r\n {}\r\n\r\n", secrets[1]),
        format!("POST /auth HTTP/9.9\r\nAuthorization: Bearer {}\r\n\r\n", secrets[2]),
        format!("{}\r\n\r\n", secrets[3]),
        format!("GET /users/me?token={}\0 HTTP/1.1\r\n\r\n", secrets[4]),
        format!("POST /auth HTTP/1.1\r\nX: {}\r\n\r\n", secrets[5].repeat(4_000)),
        format!("GET /users/me?token={} HTTP/1.1\r\n\r\n", secrets[6].repeat(4_000)),
        format!("POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5, {}\r\n\r\n", secrets[7]),
    ] {
        let answer = exchange(address, &request);
        assert!(answer.starts_with("HTTP/1.1 4"), "{request}: {answer}");
        ground.assert_none_in(answer.as_bytes(), &format!("the answer {answer}"));
    }
}

/// Asserts that no file has any of them, but for the mails, each of which has its own, and the names of
/// clients in the database.
fn assert_none_in_files(ground: &Ground, when: &str) {
    let found = files(&ground.data_dir());
    assert!(found.len() >= 3, "{found:?}");
    for file in found {
        let bytes = fs::read(&file).unwrap();
        if file.parent().is_some_and(|parent| parent.ends_with("outbox")) {
            let mail = String::from_utf8(bytes).unwrap();
            // In its text once, in its HTML behind a button and as a text; a notice has none.
            let own = if mail.contains("token=") { token_in(&mail) } else { "no token".to_owned() };
            assert!([0, 4].contains(&mail.matches(&own).count()), "{mail}");
            ground.assert_none_in(mail.replace(&own, "").as_bytes(), &format!("{when}: {}", file.display()));
        } else if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("doorward.db")) {
            ground.scan.assert_none_in(&bytes, &format!("{when}: {}", file.display()));
        } else {
            ground.assert_none_in(&bytes, &format!("{when}: {}", file.display()));
        }
    }
}

/// A backup as docs/operations.md describes it, or every row, as a dump of PostgreSQL has it; and the same
/// without the names of clients.
fn backups(ground: &Ground) -> [Vec<u8>; 2] {
    if let Some(database) = &ground.database {
        let sql = |text: &str| cluster::shared().sql(database, text);
        let tables = sql("select tablename from pg_tables where schemaname = 'public'");
        let dumped = |rows: &str| {
            let copy = |table| sql(&format!("copy (select {rows} from \"{table}\" as t) to stdout"));
            let rows: Vec<String> = tables.lines().map(copy).collect();
            assert!(rows.len() > 5 && rows.concat().contains("ann@example.com"), "{tables}");
            rows.concat().into_bytes()
        };
        return [dumped("t.*"), dumped("to_jsonb(t) - 'user_agent'")];
    }
    let copy = ground.folder.path().join("backup.db");
    let open = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let database = Connection::open_with_flags(ground.data_dir().join("doorward.db"), open).unwrap();
    database.execute("vacuum into $1", [copy.to_str().unwrap()]).unwrap();
    let bytes = fs::read(&copy).unwrap();
    let database = Connection::open(&copy).unwrap();
    let without = "update audit_log set user_agent = null; update sessions set user_agent = null; vacuum";
    database.execute_batch(without).unwrap();
    drop(database);
    let both = [bytes, fs::read(copy).unwrap()];
    assert!(both.iter().all(|bytes| bytes.windows(15).any(|window| window == b"ann@example.com")));
    both
}

async fn nothing_is_found(level: &str, format: &str) {
    let mut ground = Ground::start(level, format);
    live_through(&mut ground).await;
    plant_everywhere(&mut ground).await;
    plant_beside_a_good_credential(&mut ground).await;
    plant_in_no_http(&mut ground);
    // Beside the running server: the write-ahead log has not gone into the database yet.
    assert_none_in_files(&ground, "running");
    let [whole, without_clients] = backups(&ground);
    ground.scan.assert_none_in(&whole, "the backup");
    assert!(!ground.agents.find(&whole).is_empty(), "the audit log names no client");
    ground.assert_none_in(&without_clients, "the backup without the names of clients");
    let process = ground.process.take().unwrap();
    process.terminate();
    let ended = tokio::task::spawn_blocking(|| process.ended()).await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.log);
    assert!(ended.log.lines().count() > 100, "{}", ended.log);
    ground.assert_none_in(ended.log.as_bytes(), "the log");
    assert_none_in_files(&ground, "stopped");
    if let Some(database) = &ground.database {
        cluster::shared().drop_database(database);
    }
}

/// Row 21 (rust-srec PR 733), with the log that machines read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_in_logs_for_machines_files_answers_and_backups() {
    nothing_is_found("trace", "json").await;
}

/// Row 21, with the log that people read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_found_in_logs_for_people_files_answers_and_backups() {
    nothing_is_found("debug", "text").await;
}
