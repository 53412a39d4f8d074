//! One user's life under a server that is killed again and again: what was acknowledged, and the one
//! act whose answer never came. Nobody else acts on what is this user's.

mod check;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward::secret::random;
use reqwest::Method;
use serde_json::{Value, json};

use super::asker::{Asker, Unanswered};
use super::session::Session;
use super::text;
use crate::harness::{ADMIN_TOKEN, PASSWORD};

/// What a user may have at a time; more is not begun.
const MOST: usize = 5;

pub(super) struct Life {
    email: String,
    /// Another user, whom nothing ever happens to, to share with.
    mate: Mate,
    standing: Standing,
    password: String,
    former_password: Option<String>,
    /// How many passwords there were.
    passwords: usize,
    /// The first reset by mail proves the address, and deletes all tokens that were made before.
    is_proven: bool,
    sessions: Vec<Session>,
    tokens: Vec<ApiToken>,
    /// Secrets that were mailed and not used.
    resets: Vec<String>,
    projects: Vec<Project>,
    over: Over,
    /// How many tokens may be there that nobody was told of.
    untold_tokens: usize,
    pending: Option<Act>,
    pub(super) acknowledged: usize,
    /// How many acts had been done and nobody was told, and how many had not.
    pub(super) untold_acts: [usize; 2],
}

struct Mate {
    email: String,
    token: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Nobody,
    Active,
    Disabled,
}

#[derive(Clone)]
struct ApiToken {
    id: String,
    secret: String,
}

#[derive(Clone)]
struct Project {
    id: String,
    is_shared: bool,
}

/// What must never work again.
#[derive(Default)]
struct Over {
    sessions: Vec<Session>,
    tokens: Vec<ApiToken>,
    resets: Vec<String>,
    projects: Vec<Project>,
    /// How much of each has been looked at once.
    checked: [usize; 4],
}

/// One change; numbers are places in the user's lists.
#[derive(Clone, Debug)]
enum Act {
    Register,
    SignIn,
    Refresh(usize),
    SignOut(usize),
    MakeToken,
    DeleteToken(usize),
    ChangePassword(String),
    Forget,
    Reset(String, String),
    Disable,
    Enable,
    Delete,
    MakeProject,
    Share(usize),
    Unshare(usize),
    DeleteProject(usize),
}

/// A number below `below`.
fn any(below: usize) -> usize {
    usize::from(u16::from_ne_bytes(random())) % below
}

impl Life {
    pub(super) async fn begin(asker: &Asker, number: usize) -> Self {
        let friend = format!("mate-{number}@example.com");
        let body = json!({"email": friend, "password": PASSWORD});
        let made = asker.iron(Method::POST, "/1/users", ADMIN_TOKEN, body).await.unwrap();
        Self {
            email: format!("user-{number}@example.com"),
            mate: Mate { email: friend, token: made["tokens"][0].as_str().unwrap().to_owned() },
            standing: Standing::Nobody,
            password: PASSWORD.to_owned(),
            former_password: None,
            passwords: 0,
            is_proven: false,
            sessions: Vec::new(),
            tokens: Vec::new(),
            resets: Vec::new(),
            projects: Vec::new(),
            over: Over::default(),
            untold_tokens: 0,
            pending: None,
            acknowledged: 0,
            untold_acts: [0; 2],
        }
    }

    /// Acts until told to stop, or until no answer comes.
    pub(super) async fn act(mut self, asker: Asker, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) {
            let act = self.choose();
            let Ok(answer) = self.send(&asker, &act).await else {
                self.pending = Some(act);
                break;
            };
            self.acknowledged += 1;
            self.has_done(&act);
            self.take(&act, &answer);
            if matches!(act, Act::Forget) {
                self.resets.extend(asker.mailed_token(&self.email).await);
            }
        }
        self
    }

    fn choose(&mut self) -> Act {
        match self.standing {
            Standing::Nobody => return Act::Register,
            Standing::Disabled => return if any(8) == 0 { Act::Delete } else { Act::Enable },
            Standing::Active => {}
        }
        if self.sessions.is_empty() {
            return Act::SignIn;
        }
        let session = any(self.sessions.len());
        let token = (!self.tokens.is_empty()).then(|| any(self.tokens.len()));
        let project = (!self.projects.is_empty()).then(|| any(self.projects.len()));
        match (any(100), token, project) {
            (30..45, ..) if self.tokens.len() < MOST => Act::MakeToken,
            (45..58, Some(token), _) => Act::DeleteToken(token),
            (58..60, ..) if self.sessions.len() < MOST => Act::SignIn,
            (60..63, ..) => Act::SignOut(session),
            (63..65, ..) => Act::ChangePassword(self.new_password()),
            (65..68, ..) if self.resets.len() < MOST => Act::Forget,
            (68..70, ..) if !self.resets.is_empty() => {
                Act::Reset(self.resets[any(self.resets.len())].clone(), self.new_password())
            }
            (70, ..) => Act::Disable,
            (71, ..) => Act::Delete,
            (72..79, ..) if self.projects.len() < MOST => Act::MakeProject,
            (79..87, _, Some(project)) => Act::Share(project),
            (87..95, _, Some(project)) => Act::Unshare(project),
            (95.., _, Some(project)) => Act::DeleteProject(project),
            // As often as everything else together, nearly.
            _ => Act::Refresh(session),
        }
    }

    fn new_password(&mut self) -> String {
        self.passwords += 1;
        format!("pass phrase number {}", self.passwords)
    }

    fn bearer(&self) -> &str {
        self.sessions[0].access.last().unwrap()
    }

    fn path(&self) -> String {
        format!("/1/users/{}", self.email)
    }

    async fn send(&self, asker: &Asker, act: &Act) -> Result<Value, Unanswered> {
        let (email, password) = (self.email.as_str(), self.password.as_str());
        let project = |at: &usize, end: &str| format!("/1/projects/{}{end}", self.projects[*at].id);
        let administer =
            async |status: &str| asker.iron(Method::PATCH, &self.path(), ADMIN_TOKEN, json!({"status": status})).await;
        match act {
            Act::Register => {
                let body = json!({"name": "Ann", "email": email, "password": password, "confirm": password});
                asker.post("/auth/register", body).await
            }
            Act::SignIn => asker.post("/auth/login", json!({"email": email, "password": password})).await,
            Act::Refresh(at) => {
                asker.post("/auth/refresh-tokens", json!({"refreshToken": self.sessions[*at].newest()})).await
            }
            Act::SignOut(at) => asker.post("/auth/logout", json!({"refreshToken": self.sessions[*at].newest()})).await,
            Act::MakeToken => asker.iron(Method::POST, "/1/tokens", self.bearer(), json!({"name": "crash"})).await,
            Act::DeleteToken(at) => {
                let path = format!("/1/tokens/{}", self.tokens[*at].id);
                asker.iron(Method::DELETE, &path, self.bearer(), json!({})).await
            }
            Act::ChangePassword(new) => {
                let body = json!({"password": new, "current_password": password});
                asker.iron(Method::PATCH, &self.path(), self.bearer(), body).await
            }
            Act::Forget => asker.post("/auth/forgot-password", json!({"email": email})).await,
            Act::Reset(secret, new) => {
                asker.post(&format!("/auth/reset-password?token={secret}"), json!({"password": new})).await
            }
            Act::Disable => administer("disabled").await,
            Act::Enable => administer("active").await,
            Act::Delete => asker.iron(Method::DELETE, &self.path(), ADMIN_TOKEN, json!({})).await,
            Act::MakeProject => asker.iron(Method::POST, "/1/projects", self.bearer(), json!({"name": "crash"})).await,
            Act::Share(at) => {
                asker.iron(Method::PATCH, &project(at, "/share"), self.bearer(), json!([self.mate.email])).await
            }
            Act::Unshare(at) => {
                asker.iron(Method::PATCH, &project(at, "/unshare"), self.bearer(), json!([self.mate.email])).await
            }
            Act::DeleteProject(at) => asker.iron(Method::DELETE, &project(at, ""), self.bearer(), json!({})).await,
        }
    }

    /// What follows from an act that was done, whether or not anybody was told.
    fn has_done(&mut self, act: &Act) {
        match act {
            Act::SignIn | Act::Refresh(_) | Act::MakeToken | Act::MakeProject | Act::Forget => {}
            Act::Register | Act::Enable => self.standing = Standing::Active,
            Act::SignOut(at) => self.over.sessions.push(self.sessions.remove(*at)),
            Act::DeleteToken(at) => self.over.tokens.push(self.tokens.remove(*at)),
            Act::ChangePassword(new) => self.has_new_password(new),
            Act::Reset(_, new) => {
                if !mem::replace(&mut self.is_proven, true) {
                    self.over.tokens.append(&mut self.tokens);
                }
                self.has_new_password(new);
            }
            Act::Disable => {
                self.standing = Standing::Disabled;
                self.sessions_are_over();
            }
            Act::Delete => {
                self.standing = Standing::Nobody;
                self.is_proven = false;
                self.former_password = None;
                self.sessions_are_over();
                self.over.tokens.append(&mut self.tokens);
                self.over.projects.append(&mut self.projects);
            }
            Act::Share(at) => self.projects[*at].is_shared = true,
            Act::Unshare(at) => self.projects[*at].is_shared = false,
            Act::DeleteProject(at) => self.over.projects.push(self.projects.remove(*at)),
        }
    }

    fn has_new_password(&mut self, new: &str) {
        self.former_password = Some(mem::replace(&mut self.password, new.to_owned()));
        self.sessions_are_over();
    }

    fn sessions_are_over(&mut self) {
        self.over.sessions.append(&mut self.sessions);
        self.over.resets.append(&mut self.resets);
    }

    /// What an answer tells that nobody else knows.
    fn take(&mut self, act: &Act, answer: &Value) {
        match act {
            Act::Register | Act::SignIn => self.sessions.push(Session::of(answer)),
            Act::Refresh(at) => self.sessions[*at].take(answer),
            Act::MakeToken => {
                let token = &answer["token"];
                self.tokens.push(ApiToken { id: text(token, "_id"), secret: text(token, "token") });
            }
            Act::MakeProject => {
                self.projects.push(Project { id: text(answer, "id"), is_shared: false });
            }
            _ => {}
        }
    }
}
