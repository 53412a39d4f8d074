//! What iron looks like on the wire. Objects stand in their envelope and their fields beside it:
//! the document can be read both ways, and clients do.

use axum::http::StatusCode;
use axum::response::Response;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::actions::projects::{Member, SharedProject};
use crate::actions::tokens::Created;
use crate::clock::Timestamp;
use crate::domain::project::ProjectFlags;
use crate::domain::token::ApiToken;
use crate::domain::user::{JsonObject, User};
use crate::http::answer;
use crate::secret::{ExposeSecret, Secret};

/// `{}`, written once and for all.
pub(super) fn nothing() -> Response {
    answer::written("{}")
}

/// `{"msg":"success"}`: a deletion that is done.
pub(super) fn success() -> Response {
    answer::json(StatusCode::OK, &json!({ "msg": "success" }))
}

/// A user as this dialect shows one.
#[derive(Serialize)]
struct UserView<'a> {
    user_id: String,
    email: &'a str,
    #[serde(serialize_with = "in_clear")]
    tokens: &'a [Secret],
    status: &'static str,
    plan_worker: &'a JsonObject,
    flags: &'a JsonObject,
}

impl<'a> UserView<'a> {
    fn of(user: &'a User, tokens: &'a [Secret]) -> Self {
        Self {
            user_id: user.id.to_string(),
            email: user.email.as_deref().unwrap_or_default(),
            tokens,
            status: user.status.as_str(),
            plan_worker: &user.plan_worker,
            flags: &user.flags,
        }
    }
}

fn in_clear<S: Serializer>(secrets: &&[Secret], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(ExposeSecret::expose_secret))
}

#[derive(Serialize)]
struct UserReply<'a> {
    user: &'a UserView<'a>,
    #[serde(flatten)]
    flat: &'a UserView<'a>,
}

/// The answer with a user.
pub(super) fn user(user: &User, tokens: &[Secret]) -> Response {
    let view = UserView::of(user, tokens);
    answer::json(StatusCode::OK, &UserReply { user: &view, flat: &view })
}

/// `{"users":[…],"msg":"…"}`
#[derive(Serialize)]
pub(super) struct UserList<'a> {
    users: Vec<UserView<'a>>,
    msg: &'static str,
}

impl<'a> UserList<'a> {
    pub(super) fn of(users: &'a [(User, Vec<Secret>)]) -> Self {
        Self { users: users.iter().map(|(user, tokens)| UserView::of(user, tokens)).collect(), msg: "success" }
    }
}

#[derive(Serialize)]
struct NewToken<'a> {
    _id: String,
    user_id: String,
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    token: &'a str,
    admin: bool,
    expires_at: Option<String>,
}

/// `{"token":{…}}`, without its fields beside it: `token` would be both.
#[derive(Serialize)]
pub(super) struct TokenReply<'a> {
    token: NewToken<'a>,
}

impl<'a> TokenReply<'a> {
    pub(super) fn of(created: &'a Created) -> Self {
        let token = &created.token;
        Self {
            token: NewToken {
                _id: token.id.to_string(),
                user_id: token.user_id.to_string(),
                kind: &token.kind,
                name: &token.name,
                token: created.secret.expose_secret(),
                admin: token.admin,
                expires_at: token.expires_at.map(Timestamp::rfc3339),
            },
        }
    }
}

#[derive(Serialize)]
struct TokenView<'a> {
    _id: String,
    user_id: String,
    #[serde(rename = "type")]
    kind: &'a str,
    name: &'a str,
    admin: bool,
}

/// `{"tokens":[…],"msg":"…"}`
#[derive(Serialize)]
pub(super) struct TokenList<'a> {
    tokens: Vec<TokenView<'a>>,
    msg: &'static str,
}

impl<'a> TokenList<'a> {
    pub(super) fn of(tokens: &'a [ApiToken]) -> Self {
        let view = |token: &'a ApiToken| TokenView {
            _id: token.id.to_string(),
            user_id: token.user_id.to_string(),
            kind: &token.kind,
            name: &token.name,
            admin: token.admin,
        };
        Self { tokens: tokens.iter().map(view).collect(), msg: "success" }
    }
}

/// A project as this dialect shows one: every field of the document, none of them null.
#[derive(Serialize)]
struct ProjectView<'a> {
    id: String,
    user_id: String,
    name: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    partner: &'a str,
    status: &'a str,
    total_duration: i64,
    max_schedules: i64,
    schedules_count: i64,
    task_count: i64,
    hourly_task_count: i64,
    hourly_time: String,
    flags: &'a ProjectFlags,
    shared_with: Vec<String>,
}

impl<'a> ProjectView<'a> {
    fn of(shared: &'a SharedProject) -> Self {
        let project = &shared.project;
        Self {
            id: project.id.to_string(),
            user_id: project.user_id.to_string(),
            name: &project.name,
            kind: &project.kind,
            partner: &project.partner,
            status: &project.status,
            total_duration: project.counters.total_duration,
            max_schedules: project.counters.max_schedules,
            schedules_count: project.counters.schedules_count,
            task_count: project.counters.task_count,
            hourly_task_count: project.counters.hourly_task_count,
            hourly_time: project.hourly_time.rfc3339(),
            flags: &project.flags,
            shared_with: shared.shared_with.iter().map(ToString::to_string).collect(),
        }
    }
}

#[derive(Serialize)]
struct ProjectReply<'a> {
    project: &'a ProjectView<'a>,
    #[serde(flatten)]
    flat: &'a ProjectView<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    msg: Option<&'static str>,
}

/// The answer with a project, and a word on what was done where the document has one.
pub(super) fn project(shared: &SharedProject, msg: Option<&'static str>) -> Response {
    let view = ProjectView::of(shared);
    answer::json(StatusCode::OK, &ProjectReply { project: &view, flat: &view, msg })
}

/// `{"projects":[…],"msg":"…"}`
#[derive(Serialize)]
pub(super) struct ProjectList<'a> {
    projects: Vec<ProjectView<'a>>,
    msg: &'static str,
}

impl<'a> ProjectList<'a> {
    pub(super) fn of(projects: &'a [SharedProject]) -> Self {
        Self { projects: projects.iter().map(ProjectView::of).collect(), msg: "success" }
    }
}

#[derive(Serialize)]
struct MemberView<'a> {
    user_id: String,
    email: &'a str,
    owner: bool,
}

/// `{"users":[…],"msg":"…"}`: who may use a project.
#[derive(Serialize)]
pub(super) struct MemberList<'a> {
    users: Vec<MemberView<'a>>,
    msg: &'static str,
}

impl<'a> MemberList<'a> {
    pub(super) fn of(members: &'a [Member]) -> Self {
        let view = |member: &'a Member| MemberView {
            user_id: member.user_id.to_string(),
            email: &member.login,
            owner: member.owner,
        };
        Self { users: members.iter().map(view).collect(), msg: "success" }
    }
}
