//! The audit log over HTTP: each act and each refusal leaves its row, whatever the dialect; what is undone
//! leaves none; no row holds what somebody typed; and the whole is one chain.

use std::collections::HashMap;
use std::time::Duration;

use doorward::actions::audit::{self, Filter, Order, Record, Verdict};
use doorward::actions::{credentials, email_change, recovery};
use doorward::domain::audit::{Action, Reason};
use doorward::domain::caller::{Caller, Origin};
use doorward::domain::user::Email;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server, answer, token_in};

const WRONG: &str = "the wrong pass phrase";
const OTHER: &str = "another pass phrase";
/// What an older copy of a refresh token gives is then a reuse at once.
const SETTINGS: &str = "[sessions]\nrotation_grace = \"0s\"\n[throttle]\nenabled = false\n";

/// A server, and what of its log was read already.
struct Log {
    server: Server,
    read: Vec<Record>,
    names: HashMap<Vec<u8>, &'static str>,
}

impl Log {
    async fn start(settings: &str) -> Self {
        let server = Server::start_with(settings).await;
        let mut log = Self { server, read: Vec::new(), names: HashMap::new() };
        let rows = log.rows_behind(0).await;
        let [made, token] = rows.as_slice() else { panic!("{rows:?}") };
        log.names.insert(made.user_id.clone().unwrap(), "admin");
        let said = [log.said(made), log.said(token)];
        log.read = rows;
        assert_eq!(
            said,
            [
                "first_admin.made done via server by nobody (none) of admin about user admin",
                "token.created done [admin] via server by nobody (none) of admin about token"
            ]
        );
        log
    }

    async fn rows_behind(&self, seq: i64) -> Vec<Record> {
        let order = (Order::OldestFirst, Some(seq));
        audit::list(self.server.app(), &Caller::operator(), &Filter::default(), order, 100_000).await.unwrap()
    }

    fn last(&self) -> i64 {
        self.read.last().map_or(0, |row| row.seq)
    }

    fn name(&self, id: Option<&Vec<u8>>) -> &'static str {
        id.map_or("nobody", |id| self.names.get(id).copied().unwrap_or("somebody"))
    }

    /// A row in one sentence.
    fn said(&self, row: &Record) -> String {
        let outcome = row.reason.as_deref().unwrap_or(&row.result);
        let detail = row.detail.as_ref().map(|detail| format!(" [{detail}]")).unwrap_or_default();
        let subject = match row.subject.as_deref() {
            None => String::new(),
            Some("user") => format!(" about user {}", self.name(row.subject_id.as_ref())),
            Some(kind) => format!(" about {kind}"),
        };
        format!(
            "{} {outcome}{detail} via {} by {} ({}) of {}{subject}",
            row.action,
            row.via,
            self.name(row.actor.as_ref()),
            row.credential,
            self.name(row.user_id.as_ref())
        )
    }

    /// Waits for the next rows, and compares them.
    async fn says(&mut self, expected: &[&str]) {
        let mut rows = Vec::new();
        for _ in 0..400 {
            rows = self.rows_behind(self.last()).await;
            if rows.len() >= expected.len() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        let said: Vec<_> = rows.iter().map(|row| self.said(row)).collect();
        assert_eq!(said, expected);
        for row in &rows {
            let is_http = row.via != "server" && row.via != "cli";
            assert_eq!(row.address.as_deref(), is_http.then_some("127.0.0.1"), "{row:?}");
            assert_eq!(row.result == "refused", row.reason.is_some(), "{row:?}");
            assert_eq!(row.at, self.server.clock.now());
        }
        self.read.extend(rows);
    }

    /// Gives the user a name that the next new row is about.
    async fn meet(&mut self, name: &'static str) {
        let rows = self.rows_behind(self.last()).await;
        let user = rows.iter().find_map(|row| row.user_id.clone().filter(|id| !self.names.contains_key(id)));
        self.names.insert(user.unwrap_or_else(|| panic!("nobody new is in {rows:?}")), name);
    }

    async fn post(&self, path: &str, bearer: &str, body: Value) -> (StatusCode, Value) {
        self.call(Method::POST, path, bearer, body).await
    }

    async fn call(&self, method: Method, path: &str, bearer: &str, body: Value) -> (StatusCode, Value) {
        let request = self.server.request(method, path).json(&body).header("user-agent", "an agent");
        answer(if bearer.is_empty() { request } else { request.bearer_auth(bearer) }).await
    }

    async fn is_whole(&self) -> u64 {
        match audit::verify(self.server.app(), &Caller::operator(), None).await.unwrap() {
            Verdict::Whole { rows, .. } => rows,
            broken @ Verdict::Broken { .. } => panic!("{broken:?}"),
        }
    }

    /// No row holds an address, a name, or anything of these.
    fn holds_none_of(&self, secrets: &[&str]) {
        for row in &self.read {
            assert!(matches!(row.user_agent.as_deref(), None | Some("an agent")), "{row:?}");
            let texts = [&row.reason, &row.subject, &row.detail, &row.address].into_iter().flatten();
            let texts = texts.chain([&row.action, &row.result, &row.credential, &row.via]);
            for text in texts {
                assert!(!text.contains('@'), "{row:?}");
                for secret in secrets {
                    assert!(!text.contains(secret), "{secret} in {row:?}");
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_and_refusal_in_the_rest_dialect_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let new = json!({"name": "Ann Smith", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD});
    let (_, ann) = log.post("/auth/register", "", new.clone()).await;
    log.meet("ann").await;
    log.says(&["sign_up done via rest by ann (none) of ann about session"]).await;
    log.post("/auth/register", "", new).await;
    log.says(&["sign_up taken via rest by nobody (none) of nobody"]).await;
    let credentials = |password: &str| json!({"email": "ann@example.com", "password": password});
    log.post("/auth/login", "", credentials(WRONG)).await;
    log.says(&["sign_in wrong_credentials via rest by nobody (none) of ann"]).await;
    log.post("/auth/login", "", json!({"email": PASSWORD, "password": WRONG})).await;
    log.says(&["sign_in wrong_credentials via rest by nobody (none) of nobody"]).await;
    let (_, session) = log.post("/auth/login", "", credentials(PASSWORD)).await;
    log.says(&["sign_in done via rest by ann (password) of ann about session"]).await;

    let refresh = text(&session["refreshToken"]);
    let (status, refreshed) = log.post("/auth/refresh-tokens", "", json!({"refreshToken": refresh})).await;
    assert_eq!(status, StatusCode::OK);
    log.server.clock.advance(Duration::from_secs(1));
    log.post("/auth/refresh-tokens", "", json!({"refreshToken": refresh})).await;
    log.says(&["session.refresh_reused reused via rest by nobody (refresh_token) of ann about session"]).await;
    log.post("/auth/refresh-tokens", "", json!({"refreshToken": refreshed["refreshToken"]})).await;
    log.says(&["session.refreshed bad_token via rest by nobody (none) of nobody about session"]).await;
    log.post("/auth/refresh-tokens", "", json!({"refreshToken": "dwr_forged"})).await;
    log.says(&["session.refreshed bad_token via rest by nobody (none) of nobody"]).await;
    log.post("/auth/logout", "", json!({"refreshToken": ann["refreshToken"]})).await;
    log.says(&["sign_out done via rest by ann (refresh_token) of ann about session"]).await;
    log.post("/auth/logout", "", json!({"refreshToken": ann["refreshToken"]})).await;
    log.says(&["sign_out bad_token via rest by nobody (refresh_token) of nobody about session"]).await;

    let (_, session) = log.post("/auth/login", "", credentials(PASSWORD)).await;
    log.says(&["sign_in done via rest by ann (password) of ann about session"]).await;
    let bearer = text(&session["accessToken"]);
    log.post("/auth/send-verification-email", &bearer, json!({})).await;
    log.says(&["email.verification_requested done via rest by ann (session) of ann about user ann"]).await;
    let proof = token_in(&log.server.wait_for_mails(1).await[0]);
    log.post("/auth/verify-email?token=forged", &bearer, json!({})).await;
    log.says(&["email.verified bad_token via rest by ann (session) of ann"]).await;
    log.post(&format!("/auth/verify-email?token={proof}"), &bearer, json!({})).await;
    log.says(&["email.verified done via rest by ann (session) of ann about user ann"]).await;
    log.post("/auth/verify-email?token=x", ADMIN_TOKEN, json!({})).await;
    log.says(&["email.verified forbidden via rest by admin (api_token) of admin"]).await;

    log.server.clock.advance(Duration::from_millis(5));
    log.post("/auth/forgot-password", "", json!({"email": "nobody@example.com"})).await;
    log.says(&["password.reset_requested not_found via rest by nobody (none) of nobody"]).await;
    log.post("/auth/forgot-password", "", json!({"email": "ann@example.com"})).await;
    log.says(&["password.reset_requested done via rest by nobody (none) of ann about user ann"]).await;
    let reset = token_in(&log.server.wait_for_mails(2).await[1]);
    log.post("/auth/reset-password?token=forged", "", json!({"password": OTHER})).await;
    log.says(&["password.reset bad_token via rest by nobody (reset_secret) of nobody"]).await;
    log.post(&format!("/auth/reset-password?token={reset}"), "", json!({"password": OTHER})).await;
    log.says(&["password.reset done via rest by ann (reset_secret) of ann about user ann"]).await;
    log.holds_none_of(&[PASSWORD, WRONG, OTHER, ADMIN_TOKEN, &refresh, &bearer, &proof, &reset, "Ann Smith"]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

/// A user that the administrator made: the id, and the token that came with it.
async fn made_by_the_administrator(log: &mut Log) -> (String, String) {
    let (_, ann) = log.post("/1/users", ADMIN_TOKEN, json!({"email": "ann@example.com", "password": PASSWORD})).await;
    let (id, token) = (text(&ann["user_id"]), text(&ann["tokens"][0]));
    log.meet("ann").await;
    log.says(&[
        "user.created done via iron by admin (api_token) of ann about user ann",
        "token.created done via iron by admin (api_token) of ann about token",
    ])
    .await;
    (id, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_and_refusal_about_tokens_in_the_iron_dialect_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let (_, token) = made_by_the_administrator(&mut log).await;
    log.post("/1/users", &token, json!({"email": "eve@example.com", "password": PASSWORD})).await;
    log.says(&["user.created forbidden via iron by ann (api_token) of ann"]).await;
    log.post("/1/authentication", "", json!({"email": "ann@example.com", "password": WRONG})).await;
    log.says(&["sign_in wrong_credentials via iron by nobody (none) of ann"]).await;
    let (_, session) =
        log.post("/1/authentication", "", json!({"email": "ann@example.com", "password": PASSWORD})).await;
    let session = text(&session["tokens"][0]);
    log.says(&["sign_in done via iron by ann (password) of ann about session"]).await;

    let (_, made) = log.post("/1/tokens", &token, json!({"name": "a name to keep out"})).await;
    log.says(&["token.created done via iron by ann (api_token) of ann about token"]).await;
    log.post("/1/tokens", &token, json!({"admin": true})).await;
    log.says(&["token.created forbidden [admin] via iron by ann (api_token) of ann"]).await;
    let path = format!("/1/tokens/{}", text(&made["token"]["_id"]));
    log.call(Method::DELETE, &path, &session, json!({})).await;
    log.says(&["token.deleted done via iron by ann (session) of ann about token"]).await;
    log.call(Method::DELETE, &path, &session, json!({})).await;
    log.says(&["token.deleted not_found via iron by ann (session) of ann about token"]).await;
    log.holds_none_of(&[PASSWORD, WRONG, ADMIN_TOKEN, &token, &session, "a name to keep out"]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_and_refusal_about_projects_in_the_iron_dialect_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let (_, token) = made_by_the_administrator(&mut log).await;
    let (_, project) = log.post("/1/projects", &token, json!({"name": "queues"})).await;
    log.says(&["project.created done via iron by ann (api_token) of ann about project"]).await;
    let path = format!("/1/projects/{}", text(&project["id"]));
    log.call(Method::PATCH, &path, ADMIN_TOKEN, json!({"name": "rows", "partner": "x", "task_count": 7})).await;
    log.says(&["project.updated done [name,partner,counters] via iron by admin (api_token) of ann about project"])
        .await;
    log.call(Method::PATCH, &format!("{path}/share"), &token, json!({"email": ADMIN_EMAIL})).await;
    log.says(&["project.shared done via iron by ann (api_token) of admin about project"]).await;
    log.call(Method::PATCH, &format!("{path}/share"), &token, json!({"email": "nobody@example.com"})).await;
    log.says(&["project.shared not_found via iron by ann (api_token) of ann about project"]).await;
    log.call(Method::PATCH, &format!("{path}/unshare"), &token, json!({"email": ADMIN_EMAIL})).await;
    log.says(&["project.unshared done via iron by ann (api_token) of admin about project"]).await;
    log.call(Method::DELETE, &path, &token, json!({})).await;
    log.says(&["project.deleted done via iron by ann (api_token) of ann about project"]).await;
    log.call(Method::DELETE, &path, &token, json!({})).await;
    log.says(&["project.deleted not_found via iron by ann (api_token) of ann about project"]).await;
    log.holds_none_of(&[PASSWORD, ADMIN_TOKEN, &token, "queues", "rows"]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_by_a_mailed_link_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let ann = log.server.register("ann@example.com").await;
    log.meet("ann").await;
    log.says(&["sign_up done via rest by ann (none) of ann about session"]).await;
    let (app, origin) = (log.server.app().clone(), Origin::default());
    let bearer = text(&ann["accessToken"]);
    log.post("/auth/send-verification-email", &bearer, json!({})).await;
    log.says(&["email.verification_requested done via rest by ann (session) of ann about user ann"]).await;
    let proof = token_in(&log.server.wait_for_mails(1).await[0]);
    let actor = credentials::verify_actor(&app, &bearer, origin.clone()).await.unwrap();
    recovery::verify_email(&app, &actor, "forged").await.unwrap_err();
    log.says(&["email.verified bad_token via server by ann (session) of ann"]).await;
    recovery::verify_email(&app, &actor, &proof).await.unwrap();
    log.says(&["email.verified done via server by ann (session) of ann about user ann"]).await;

    let email = |email| Email::parse(email).unwrap();
    email_change::request(&app, &actor, email(ADMIN_EMAIL), None).await.unwrap();
    log.says(&["email.change_requested done via server by ann (session) of ann about user ann"]).await;
    log.server.clock.advance(Duration::from_millis(5));
    email_change::request(&app, &actor, email("new@example.com"), None).await.unwrap();
    log.says(&["email.change_requested done via server by ann (session) of ann about user ann"]).await;
    let change = token_in(&log.server.wait_for_mails(2).await[1]);
    email_change::confirm(&app, &actor, "forged").await.unwrap_err();
    log.says(&["user.email_changed bad_token via server by ann (session) of ann"]).await;
    email_change::confirm(&app, &actor, &change).await.unwrap();
    log.says(&["user.email_changed done via server by ann (session) of ann about user ann"]).await;
    log.holds_none_of(&[PASSWORD, &bearer, &proof, &change, "new@example.com"]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_and_refusal_about_accounts_in_the_iron_dialect_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let (id, token) = made_by_the_administrator(&mut log).await;
    let path = format!("/1/users/{id}");
    log.call(Method::PATCH, &path, &token, json!({"password": OTHER})).await;
    log.says(&["user.password_changed reauthentication_required via iron by ann (api_token) of ann about user ann"])
        .await;
    log.call(Method::PATCH, &path, &token, json!({"password": OTHER, "current_password": WRONG})).await;
    log.says(&["user.password_changed wrong_current_password via iron by ann (api_token) of ann about user ann"]).await;
    log.call(Method::PATCH, &path, &token, json!({"email": "anna@example.com", "current_password": PASSWORD})).await;
    log.says(&["user.email_changed done via iron by ann (api_token) of ann about user ann"]).await;
    log.call(Method::PATCH, &path, &token, json!({"password": OTHER, "current_password": PASSWORD})).await;
    log.says(&["user.password_changed done via iron by ann (api_token) of ann about user ann"]).await;
    log.call(Method::PATCH, &path, ADMIN_TOKEN, json!({"flags": {"a": 1}, "status": "disabled"})).await;
    log.says(&[
        "user.disabled done via iron by admin (api_token) of ann about user ann",
        "user.updated done [flags] via iron by admin (api_token) of ann about user ann",
    ])
    .await;
    log.post("/1/authentication", "", json!({"email": "anna@example.com", "password": OTHER})).await;
    log.says(&["sign_in wrong_credentials via iron by nobody (none) of ann"]).await;
    log.call(Method::PATCH, &path, ADMIN_TOKEN, json!({"status": "active"})).await;
    log.says(&["user.enabled done via iron by admin (api_token) of ann about user ann"]).await;
    log.call(Method::DELETE, &path, ADMIN_TOKEN, json!({})).await;
    log.says(&["user.deleted done via iron by admin (api_token) of ann about user ann"]).await;
    log.call(
        Method::DELETE,
        &format!("/1/users/{ADMIN_EMAIL}"),
        ADMIN_TOKEN,
        json!({"current_password": ADMIN_PASSWORD}),
    )
    .await;
    log.says(&["user.deleted last_administrator via iron by admin (api_token) of admin about user admin"]).await;
    log.holds_none_of(&[PASSWORD, WRONG, OTHER, ADMIN_TOKEN, ADMIN_PASSWORD, &token]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_act_and_refusal_in_the_other_dialects_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let ann = |password: &str| json!({"username": "ann", "password": password});
    let (_, registered) = log.post("/api/auth/register", "", ann(PASSWORD)).await;
    let first = text(&registered["token"]);
    log.meet("ann").await;
    log.says(&["sign_up done via argon by ann (none) of ann about session"]).await;
    log.post("/api/auth/login", "", ann(WRONG)).await;
    log.says(&["sign_in wrong_credentials via argon by nobody (none) of ann"]).await;
    log.post("/api/auth/login", "", ann(PASSWORD)).await;
    log.says(&["sign_in done via argon by ann (password) of ann about session"]).await;
    let profile = "/api/auth/profile";
    let change = json!({"newUsername": "anna", "currentPassword": WRONG, "newPassword": OTHER});
    log.call(Method::PUT, profile, &first, change).await;
    log.says(&["user.password_changed wrong_current_password via argon by ann (session) of ann"]).await;
    let change = json!({"newUsername": "anna", "currentPassword": PASSWORD, "newPassword": OTHER});
    let (_, changed) = log.call(Method::PUT, profile, &first, change).await;
    log.says(&[
        "user.username_changed done via argon by ann (session) of ann about user ann",
        "user.password_changed done via argon by ann (session) of ann about user ann",
        "session.began done via argon by ann (session) of ann about session",
    ])
    .await;
    log.call(Method::PUT, profile, ADMIN_TOKEN, json!({"newUsername": "root"})).await;
    log.says(&["user.username_changed forbidden via argon by admin (api_token) of admin"]).await;
    log.post("/api/auth/logout", &text(&changed["token"]), json!({})).await;
    log.says(&["sign_out done via argon by ann (session) of ann about session"]).await;

    log.post("/users/login", "", json!({"email": ADMIN_EMAIL, "password": WRONG})).await;
    log.says(&["sign_in wrong_credentials via x_access_token by nobody (none) of admin"]).await;
    let (_, session) = log.post("/users/login", "", json!({"email": ADMIN_EMAIL, "password": ADMIN_PASSWORD})).await;
    log.says(&["sign_in done via x_access_token by admin (password) of admin about session"]).await;
    let session = text(&session["token"]);
    let request = log.server.post("/users/logout").header("x-access-token", &session).header("user-agent", "an agent");
    answer(request).await;
    log.says(&["sign_out done via x_access_token by admin (session) of admin about session"]).await;
    log.holds_none_of(&[PASSWORD, WRONG, OTHER, ADMIN_TOKEN, ADMIN_PASSWORD, &first, &session, "anna"]);
    assert_eq!(log.is_whole().await, log.read.len() as u64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_tried_with_a_credential_that_is_over_leaves_its_row() {
    let mut log = Log::start(SETTINGS).await;
    let (_, signed_up) = log
        .post(
            "/auth/register",
            "",
            json!({"name": "Ann", "email": "ann@example.com", "password": PASSWORD, "confirm": PASSWORD}),
        )
        .await;
    let token = text(&signed_up["accessToken"]);
    log.meet("ann").await;
    log.says(&["sign_up done via rest by ann (none) of ann about session"]).await;
    assert_eq!(log.post("/auth/send-verification-email", "", json!({})).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(log.post("/auth/send-verification-email", "no token", json!({})).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(log.post("/api/auth/logout", &token, json!({})).await.0, StatusCode::OK);
    log.says(&["sign_out done via argon by ann (session) of ann about session"]).await;
    assert_eq!(log.post("/auth", &token, json!({})).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(log.post("/auth/send-verification-email", &token, json!({})).await.0, StatusCode::UNAUTHORIZED);
    log.says(&["token.shown credential_ended via rest by nobody (none) of nobody"]).await;
    assert_eq!(log.post("/1/tokens", &token, json!({})).await.0, StatusCode::UNAUTHORIZED);
    log.says(&["token.shown credential_ended via iron by nobody (none) of nobody"]).await;
    assert_eq!(log.post("/api/auth/logout", &token, json!({})).await.0, StatusCode::UNAUTHORIZED);
    log.says(&["token.shown credential_ended via argon by nobody (none) of nobody"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_registration_is_recorded_where_it_refuses() {
    let mut log = Log::start("registration = \"closed\"").await;
    log.post("/auth/register", "", json!({})).await;
    log.says(&["sign_up registration_closed via rest by nobody (none) of nobody"]).await;
    log.post("/api/auth/register", "", json!({"username": "ann", "password": PASSWORD})).await;
    log.says(&["sign_up registration_closed via argon by nobody (none) of nobody"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_flood_of_refusals_is_counted_whole_in_few_rows_also_by_a_server_that_stops() {
    let mut log = Log::start(SETTINGS).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let request = log.server.post("/auth/refresh-tokens").json(&json!({"refreshToken": "dwr_forged"}));
        clients.spawn(async move {
            for _ in 0..2_000 / 64 {
                let status = request.try_clone().unwrap().send().await.unwrap().status();
                assert_eq!(status, StatusCode::UNAUTHORIZED);
            }
        });
    }
    clients.join_all().await;
    // What waits now is written at the stop.
    log.server.restart().await;
    let rows = log.rows_behind(2).await;
    assert_eq!(rows.iter().map(|row| row.times).sum::<i64>(), 2_000 / 64 * 64);
    assert!(rows.len() < 200, "{} rows", rows.len());
    assert!(rows.iter().all(|row| row.action == "session.refreshed" && row.reason.as_deref() == Some("bad_token")));
    log.is_whole().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_that_act_at_once_leave_all_their_rows_in_one_chain() {
    let log = Log::start(SETTINGS).await;
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..32 {
        let request = log.server.post("/1/tokens").bearer_auth(ADMIN_TOKEN).json(&json!({}));
        clients.spawn(async move {
            for _ in 0..10 {
                assert_eq!(request.try_clone().unwrap().send().await.unwrap().status(), StatusCode::OK);
            }
        });
    }
    clients.join_all().await;
    assert_eq!(log.is_whole().await, 322);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_after_their_retention_and_the_rest_is_whole() {
    let log = Log::start("[audit]\nretention = \"10d\"\n").await;
    let day = Duration::from_hours(24);
    log.server.clock.advance(9 * day);
    log.post("/1/tokens", ADMIN_TOKEN, json!({})).await;
    log.server.sweep().await;
    assert_eq!(log.is_whole().await, 3);
    log.server.clock.advance(2 * day);
    log.server.sweep().await;
    assert_eq!(log.is_whole().await, 1);
    assert_eq!(log.rows_behind(0).await[0].seq, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_retention_rows_stay_for_ever() {
    let log = Log::start("[audit]\nretention = \"0s\"\n[tokens]\nrotate_after = \"never\"\n").await;
    log.server.clock.advance(Duration::from_hours(24 * 365 * 50));
    log.server.sweep().await;
    assert_eq!(log.is_whole().await, 2);
}

#[test]
fn every_action_and_reason_is_documented() {
    let page = include_str!("../../docs/audit.md");
    let words =
        Action::ALL.iter().map(|action| action.as_str()).chain(Reason::ALL.iter().map(|reason| reason.as_str()));
    let missing: Vec<_> = words.filter(|word| !page.contains(&format!("`{word}`"))).collect();
    assert_eq!(missing, Vec::<&str>::new());
}
