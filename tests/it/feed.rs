//! What another process on the same data directory changes, a running server knows within a
//! second, however hot its caches are.

use std::time::{Duration, Instant};

use doorward::actions::projects::{self, Sharing};
use doorward::actions::users::{self, Grant};
use doorward::actions::{sessions, tokens};
use doorward::app::{App, Presence};
use doorward::config::{Settings, Sources};
use doorward::domain::caller::{Actor, Caller};
use doorward::domain::id::{ProjectId, TokenId};
use doorward::domain::password::Password;
use doorward::domain::permission::Permission;
use doorward::domain::user::{Status, UserRef};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::harness::{ADMIN_TOKEN, Server, answer};

/// How long a running server may believe what is no longer so.
const KNOWN_WITHIN: Duration = Duration::from_secs(1);

const ANN: &str = "ann@example.com";

/// Another process on the server's data directory, as far as the database can tell: it has a
/// writer, connections and caches of its own.
async fn other_process(server: &Server) -> App {
    let file = server.directory.path().join("test.toml");
    let settings = Settings::load(&Sources { file: Some(file), ..Sources::default() }).unwrap();
    let public_url = settings.effective_public_url();
    App::open(settings, public_url, server.clock.clone(), Presence::Required).await.unwrap().0
}

fn ann() -> UserRef {
    UserRef::parse(ANN)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text")).to_owned()
}

/// Sends an administrator's request; its answer.
async fn ask_as_admin(request: RequestBuilder, body: Value) -> Value {
    let (status, body) = answer(request.bearer_auth(ADMIN_TOKEN).json(&body)).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    body
}

/// What a credential may do, as the question that asks for it.
struct Question<'a> {
    server: &'a Server,
    path: String,
    token: String,
}

impl<'a> Question<'a> {
    fn authentication(server: &'a Server, token: &str) -> Self {
        Self { server, path: "/1/authentication".to_owned(), token: token.to_owned() }
    }

    async fn is_admitted(&self) -> bool {
        let (status, body) = answer(self.server.get(&self.path).bearer_auth(&self.token)).await;
        let expected = [StatusCode::OK, StatusCode::FORBIDDEN, StatusCode::UNAUTHORIZED];
        assert!(expected.contains(&status), "{status} {body}");
        status == StatusCode::OK
    }

    /// Asks until the answer is in memory.
    async fn heat(&self) {
        for _ in 0..3 {
            assert!(self.is_admitted().await);
        }
    }

    /// Asks until it is refused, which must be soon.
    #[expect(clippy::print_stdout, reason = "how soon is worth reading with --nocapture")]
    async fn is_soon_refused(&self, what: &str) {
        let changed = Instant::now();
        while self.is_admitted().await {
            assert!(changed.elapsed() < KNOWN_WITHIN, "{what} is not known after {:?}", changed.elapsed());
            sleep(Duration::from_millis(5)).await;
        }
        println!("{what} was known after {:?}", changed.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_user_is_refused_in_every_dialect() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let session = text(&server.register(ANN).await["accessToken"]);
    let question = Question::authentication(&server, &session);
    question.heat().await;
    users::set_status(&other, &Actor::operator(), &ann(), Status::Disabled).await.unwrap();
    question.is_soon_refused("a disabled user").await;
    assert_eq!(answer(server.post("/auth").bearer_auth(&session)).await.0, 401);
    assert_eq!(answer(server.get("/users/me").header("x-access-token", &session)).await.0, 401);
    assert_eq!(answer(server.get("/api/auth/state").bearer_auth(&session)).await.0, 401);

    users::set_status(&other, &Actor::operator(), &ann(), Status::Active).await.unwrap();
    sleep(KNOWN_WITHIN).await;
    assert!(!question.is_admitted().await, "disabling ends sessions for good");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_token_is_refused() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let made = ask_as_admin(server.post("/1/tokens"), json!({"name": "spare"})).await;
    let question = Question::authentication(&server, &text(&made["token"]["token"]));
    question.heat().await;
    let id = TokenId::parse(&text(&made["token"]["_id"])).unwrap();
    tokens::delete(&other, &Actor::operator(), id).await.unwrap();
    question.is_soon_refused("a deleted token").await;
    assert!(Question::authentication(&server, ADMIN_TOKEN).is_admitted().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ended_session_is_refused_and_no_other() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let first = text(&server.register(ANN).await["accessToken"]);
    let living = sessions::list(&other, &Caller::operator(), &ann()).await.unwrap();
    assert_eq!(living.len(), 1);
    let login = json!({"email": ANN, "password": crate::harness::PASSWORD});
    let second = text(&server.post_json("/auth/login", &login).await.1["accessToken"]);
    let (first, second) = (Question::authentication(&server, &first), Question::authentication(&server, &second));
    first.heat().await;
    second.heat().await;
    sessions::revoke(&other, &Actor::operator(), living[0].id).await.unwrap();
    first.is_soon_refused("an ended session").await;
    assert!(second.is_admitted().await);
    sessions::revoke_all(&other, &Actor::operator(), &ann()).await.unwrap();
    second.is_soon_refused("the end of all sessions").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_project_that_is_no_longer_shared_is_refused() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let session = text(&server.register(ANN).await["accessToken"]);
    let project = text(&ask_as_admin(server.post("/1/projects"), json!({"name": "x"})).await["id"]);
    ask_as_admin(server.request(reqwest::Method::PATCH, &format!("/1/projects/{project}/share")), json!([ANN])).await;
    let path = format!("/1/authentication?project_id={project}");
    let question = Question { server: &server, path, token: session };
    question.heat().await;
    let id = ProjectId::parse(&project).unwrap();
    projects::set_sharing(&other, &Actor::operator(), id, vec![ann()], Sharing::Unshare).await.unwrap();
    question.is_soon_refused("a project taken back").await;

    projects::set_sharing(&other, &Actor::operator(), id, vec![ann()], Sharing::Share).await.unwrap();
    let shared = Instant::now();
    while !question.is_admitted().await {
        assert!(shared.elapsed() < KNOWN_WITHIN, "a project shared again is not known");
        sleep(Duration::from_millis(5)).await;
    }
    projects::delete(&other, &Actor::operator(), id).await.unwrap();
    question.is_soon_refused("a deleted project").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_password_ends_what_the_old_one_began() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let question = Question::authentication(&server, &text(&server.register(ANN).await["accessToken"]));
    question.heat().await;
    let password = Password::parse("another horse battery").unwrap();
    users::set_password(&other, &Actor::operator(), &ann(), password).await.unwrap();
    question.is_soon_refused("a new password").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permission_that_was_taken_is_gone() {
    let server = Server::start().await;
    let other = other_process(&server).await;
    let session = text(&server.register(ANN).await["accessToken"]);
    let admin = Permission::parse("admin").unwrap();
    users::set_permission(&other, &Actor::operator(), &ann(), admin.clone(), Grant::Give).await.unwrap();
    let question = Question { server: &server, path: "/1/users".to_owned(), token: session };
    let given = Instant::now();
    while !question.is_admitted().await {
        assert!(given.elapsed() < KNOWN_WITHIN, "a new administrator is not known");
        sleep(Duration::from_millis(5)).await;
    }
    question.heat().await;
    users::set_permission(&other, &Actor::operator(), &ann(), admin, Grant::Take).await.unwrap();
    question.is_soon_refused("a permission taken away").await;
}

/// Changes a user without a word in the feed.
fn disable_in_silence(server: &Server) {
    let statement = format!("update users set status = 'disabled' where email = '{ANN}'");
    let changed = server.database().execute(&statement);
    assert_eq!(changed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_feed_says_nothing_the_store_is_not_asked() {
    let server = Server::start().await;
    let question = Question::authentication(&server, &text(&server.register(ANN).await["accessToken"]));
    question.heat().await;
    disable_in_silence(&server);
    sleep(Duration::from_millis(500)).await;
    assert!(question.is_admitted().await, "the answer did not come from memory");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_the_feed_stops_trusting_its_memory() {
    let server = Server::start_with("[feed]\nmax_staleness = \"3s\"\n").await;
    let question = Question::authentication(&server, &text(&server.register(ANN).await["accessToken"]));
    question.heat().await;
    // On SQLite the rows are looked at whenever anything was written, on PostgreSQL the counter alone as
    // long as it stands still.
    for table in ["changes", "counters"] {
        server.database().execute(&format!("alter table {table} rename to {table}_lost"));
    }
    disable_in_silence(&server);
    let lost = Instant::now();
    while question.is_admitted().await {
        assert!(lost.elapsed() < Duration::from_secs(10), "it still trusts its memory");
        sleep(Duration::from_millis(50)).await;
    }
    assert!(lost.elapsed() > Duration::from_millis(500), "it was not in memory at all");
}
