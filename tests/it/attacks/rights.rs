//! Row 23: who may do what: every route of the server, asked by everybody, held against the table
//! of `docs/access.md`. A route that is served and has no line there fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use super::{Dialect, Member, iron_done, start};
use crate::harness::{ADMIN_EMAIL, ADMIN_PASSWORD, ADMIN_TOKEN, PASSWORD, Server};
use crate::pages::rights::is_page;
use crate::rest::{reset_token, set_status, verification_token};
use crate::source::root;

/// Who asks, in the order of the table's columns.
const CALLERS: [Caller; 8] = [
    Caller::Nobody,
    Caller::User,
    Caller::Owner,
    Caller::Shared,
    Caller::ApiToken,
    Caller::AdminToken,
    Caller::Administrator,
    Caller::Disabled,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    /// Without a credential.
    Nobody,
    /// With a session, and nothing to do with what is asked about.
    User,
    /// With a session: the user that the path names, or whose the named thing is.
    Owner,
    /// With a session: a user with whom the project is shared.
    Shared,
    /// The owner's API token.
    ApiToken,
    /// An administrator's API token with `admin: true`.
    AdminToken,
    /// An administrator's session.
    Administrator,
    /// The owner, once disabled, by session and by API token.
    Disabled,
}

/// A user with one of everything that a path can name.
pub(super) struct Holder {
    pub(super) member: Member,
    pub(super) api_token: String,
    token_id: String,
    project: String,
    mailed: Option<Mailed>,
}

/// Secrets that were mailed to somebody.
struct Mailed {
    reset: String,
    verification: String,
}

/// A name that nobody has yet.
pub(super) fn fresh_name(of: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    format!("{of}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

impl Holder {
    /// A new one.
    pub(super) async fn new(server: &Server) -> Self {
        let member = Member::register(server, &fresh_name("holder")).await;
        let (token_id, api_token) = member.api_token(server).await;
        let project = member.project(server).await;
        Self { member, api_token, token_id, project, mailed: None }
    }

    /// With links in mails, too.
    async fn mailed(server: &Server) -> Self {
        let mut holder = Self::new(server).await;
        let reset = reset_token(server, &holder.member.email).await;
        let verification = verification_token(server, &holder.member.access).await;
        holder.mailed = Some(Mailed { reset, verification });
        holder
    }

    /// A good request by a route, about what this holder has, with no credential yet. Bodies that
    /// carry a credential of their own carry this holder's.
    pub(super) fn request(&self, server: &Server, method: &Method, template: &str) -> RequestBuilder {
        let path = template
            .replace("{user}", &self.member.id)
            .replace("{token}", &self.token_id)
            .replace("{project}", &self.project);
        assert!(!path.contains('{'), "{template}: say what stands in its path");
        let (query, body) = self.rest_of(method, template);
        let request = server.request(method.clone(), &format!("{path}{query}"));
        if body.is_null() { request } else { request.json(&body) }
    }

    /// What a request holds besides its path.
    fn rest_of(&self, method: &Method, template: &str) -> (String, Value) {
        let (reset, verification) =
            self.mailed.as_ref().map_or(("x", "x"), |mailed| (&mailed.reset, &mailed.verification));
        let address = || format!("{}@example.com", fresh_name("new"));
        let pair = json!({"email": self.member.email, "password": PASSWORD});
        let session = json!({"refreshToken": self.member.refresh});
        let nothing = (String::new(), Value::Null);
        let body = |body: Value| (String::new(), body);
        match (method.as_str(), template) {
            ("GET", "/1/authentication") => (format!("?project_id={}", self.project), Value::Null),
            ("POST", "/1/authentication" | "/auth/login" | "/users/login" | "/user/login") => body(pair),
            ("POST", "/api/auth/login") => body(json!({"username": self.member.email, "password": PASSWORD})),
            ("POST", "/auth/register") => {
                body(json!({"name": "Eve", "email": address(), "password": PASSWORD, "confirm": PASSWORD}))
            }
            ("POST", "/api/auth/register") => body(json!({"username": fresh_name("new"), "password": PASSWORD})),
            ("POST", "/auth/logout" | "/auth/refresh-tokens") => body(session),
            ("POST", "/auth/forgot-password") => body(json!({"email": self.member.email})),
            ("POST", "/auth/reset-password") => (format!("?token={reset}"), json!({"password": "another pass phrase"})),
            ("POST", "/auth/verify-email") => (format!("?token={verification}"), Value::Null),
            ("PUT", "/api/auth/profile") => body(json!({"newUsername": fresh_name("new")})),
            ("POST", "/1/users") => body(json!({"email": address(), "password": PASSWORD})),
            ("PATCH", "/1/users/{user}") => body(json!({"email": address()})),
            ("POST", "/1/projects") | ("PATCH", "/1/projects/{project}") => body(json!({"name": "another name"})),
            ("PATCH", "/1/projects/{project}/share" | "/1/projects/{project}/unshare") => {
                body(json!({"email": ADMIN_EMAIL}))
            }
            (
                "POST",
                "/auth" | "/auth/send-verification-email" | "/users/logout" | "/api/auth/logout" | "/1/tokens",
            )
            | ("GET" | "DELETE", _) => nothing,
            _ => panic!("{method} {template} is new: say here what a good request of it holds"),
        }
    }
}

/// Whether a request by a route brings a secret from a mail.
fn is_mailed(template: &str) -> bool {
    ["/auth/reset-password", "/auth/verify-email"].contains(&template)
}

/// Whether a request by a route takes something away that the next one needs.
fn uses_up(method: &Method, template: &str) -> bool {
    let renames = *method == Method::PATCH && template == "/1/users/{user}";
    *method == Method::DELETE || renames || template.ends_with("/logout") || is_mailed(template)
}

/// Everybody who asks.
struct World {
    owner: Holder,
    disabled: Holder,
    user: Member,
    shared: Member,
    administrator: String,
}

impl World {
    /// With links in mails where a route asks for one.
    async fn new(server: &Server, template: &str) -> Self {
        let [owner, disabled] = if is_mailed(template) {
            [Holder::mailed(server).await, Holder::mailed(server).await]
        } else {
            [Holder::new(server).await, Holder::new(server).await]
        };
        let user = Member::register(server, &fresh_name("user")).await;
        let shared = Member::register(server, &fresh_name("shared")).await;
        let path = format!("/1/projects/{}/share", owner.project);
        iron_done(server, "PATCH", &path, &owner.member.access, json!({"user_id": shared.id})).await;
        let administrator = Dialect::Rest.session(server, ADMIN_EMAIL, ADMIN_PASSWORD).await;
        set_status(server, &disabled.member.email, "disabled").await;
        Self { owner, disabled, user, shared, administrator }
    }

    /// The credentials that a caller shows.
    fn credentials(&self, caller: Caller) -> Vec<&str> {
        match caller {
            Caller::Nobody => vec![],
            Caller::User => vec![&self.user.access],
            Caller::Owner => vec![&self.owner.member.access],
            Caller::Shared => vec![&self.shared.access],
            Caller::ApiToken => vec![&self.owner.api_token],
            Caller::AdminToken => vec![ADMIN_TOKEN],
            Caller::Administrator => vec![&self.administrator],
            Caller::Disabled => vec![&self.disabled.member.access, &self.disabled.api_token],
        }
    }

    /// The statuses that a caller gets, one a credential.
    async fn ask(&self, server: &Server, caller: Caller, method: &Method, template: &str) -> BTreeSet<StatusCode> {
        let holder = if caller == Caller::Disabled { &self.disabled } else { &self.owner };
        let mut requests = vec![holder.request(server, method, template)];
        let credentials = self.credentials(caller);
        if !credentials.is_empty() {
            // Every dialect takes every kind of credential in this header.
            let request = |token: &&str| holder.request(server, method, template).bearer_auth(token);
            requests = credentials.iter().map(request).collect();
        }
        let mut statuses = BTreeSet::new();
        for request in requests {
            statuses.insert(request.send().await.unwrap().status());
        }
        statuses
    }
}

/// The table's line of a route.
async fn line(server: &Server, kept: &mut Option<World>, method: &Method, template: &str) -> String {
    let mut world = match kept.take().filter(|_| !is_mailed(template)) {
        Some(world) => world,
        None => World::new(server, template).await,
    };
    let mut line = format!("| `{method} {template}` |");
    for caller in CALLERS {
        let statuses = world.ask(server, caller, method, template).await;
        assert_eq!(statuses.len(), 1, "{caller:?} {method} {template}: one status whatever is shown: {statuses:?}");
        let status = statuses.first().unwrap();
        assert!(!status.is_server_error(), "{caller:?} {method} {template}: {status}");
        write!(line, " {} |", status.as_u16()).unwrap();
        if status.is_success() && uses_up(method, template) {
            world = World::new(server, template).await;
        }
    }
    *kept = Some(world);
    line
}

/// The lines of the page, by their routes.
fn page() -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(root().join("docs/access.md")).unwrap();
    let mut lines = BTreeMap::new();
    let text = text.split("\n## The pages\n").next().unwrap();
    for line in text.lines().filter(|line| line.starts_with("| `")) {
        let route = line.split('`').nth(1).unwrap().to_owned();
        assert!(lines.insert(route.clone(), line.to_owned()).is_none(), "docs/access.md has two lines of {route}");
    }
    lines
}

/// The routes that need a credential in their head: nobody's requests are refused there.
pub(super) fn protected(server: &Server) -> Vec<(Method, String)> {
    let page = page();
    let needs_one = |(method, path): &(Method, String)| {
        let line = &page[&format!("{method} {path}")];
        ["401", "403"].contains(&line.split('|').nth(2).unwrap().trim())
    };
    server.routes().into_iter().filter(|(_, path)| !is_page(path)).filter(needs_one).collect()
}

/// Row 23 (Kanidm 1.10.2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_everybody_as_the_table_of_the_documentation_says() {
    let server = start().await;
    let mut kept = None;
    let mut answered = BTreeMap::new();
    for (method, template) in server.routes().into_iter().filter(|(_, path)| !is_page(path)) {
        let line = line(&server, &mut kept, &method, &template).await;
        assert!(answered.insert(format!("{method} {template}"), line).is_none(), "{method} {template} twice");
    }
    assert!(answered.len() > 40, "{answered:?}");
    let page = page();
    let wrong = |(route, line): &(&String, &String)| page.get(*route) != Some(*line);
    let wrong: Vec<_> = answered.iter().filter(wrong).map(|(_, line)| line.as_str()).collect();
    assert!(wrong.is_empty(), "docs/access.md has to say:\n{}", wrong.join("\n"));
    let gone: Vec<_> = page.keys().filter(|route| !answered.contains_key(*route)).collect();
    assert!(gone.is_empty(), "docs/access.md has lines of what is not served: {gone:?}");
}

/// Row 23: what is served is listed: a path takes the methods that the table has, and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_path_takes_a_method_that_the_table_lacks() {
    let server = start().await;
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for route in page().into_keys() {
        let (method, path) = route.split_once(' ').unwrap();
        methods.entry(path.to_owned()).or_default().insert(method.to_owned());
    }
    for (path, listed) in methods {
        let path = path.replace("{user}", "x").replace("{token}", "x").replace("{project}", "x");
        let brew = Method::from_bytes(b"BREW").unwrap();
        let answer = server.request(brew, &path).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        let allowed = answer.headers()["allow"].to_str().unwrap();
        let allowed = allowed.split(',').map(|method| method.trim().to_owned());
        assert_eq!(allowed.filter(|method| method != "HEAD").collect::<BTreeSet<_>>(), listed, "{path}");
    }
}
