//! How a project is printed. The names of the fields are a promise to programs.

use serde::Serialize;

use crate::actions::projects::{Member, SharedProject};
use crate::domain::id::UserId;
use crate::domain::project::{Project, ProjectFlags};

/// Somebody who may use a project.
#[derive(Serialize)]
struct MemberShape {
    id: String,
    login: String,
}

/// One project with the people who may use it.
#[derive(Serialize)]
pub(super) struct ProjectShape {
    id: String,
    name: String,
    owner: Option<MemberShape>,
    shared_with: Vec<MemberShape>,
    r#type: String,
    partner: String,
    status: String,
    total_duration: i64,
    max_schedules: i64,
    schedules_count: i64,
    task_count: i64,
    hourly_task_count: i64,
    hourly_time: String,
    flags: ProjectFlags,
    created_at: String,
}

impl ProjectShape {
    pub(super) fn new(project: Project, members: Vec<Member>) -> Self {
        let shape = |member: Member| MemberShape { id: member.user_id.to_string(), login: member.login };
        let (owners, others): (Vec<_>, Vec<_>) = members.into_iter().partition(|member| member.owner);
        Self {
            id: project.id.to_string(),
            name: project.name,
            owner: owners.into_iter().next().map(shape),
            shared_with: others.into_iter().map(shape).collect(),
            r#type: project.kind,
            partner: project.partner,
            status: project.status,
            total_duration: project.counters.total_duration,
            max_schedules: project.counters.max_schedules,
            schedules_count: project.counters.schedules_count,
            task_count: project.counters.task_count,
            hourly_task_count: project.counters.hourly_task_count,
            hourly_time: project.hourly_time.rfc3339(),
            flags: project.flags,
            created_at: project.created_at.rfc3339(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The logins of those it is shared with, or `nobody`.
    pub(super) fn shared_with(&self) -> String {
        let logins: Vec<_> = self.shared_with.iter().map(|member| member.login.as_str()).collect();
        if logins.is_empty() { "nobody".to_owned() } else { logins.join(", ") }
    }

    pub(super) fn fields(&self) -> [(&'static str, String); 13] {
        let flags: Vec<_> = self.flags.iter().map(|(name, on)| format!("{name}={on}")).collect();
        [
            ("id", self.id.clone()),
            ("name", self.name.clone()),
            ("owner", self.owner.as_ref().map(|owner| owner.login.clone()).unwrap_or_default()),
            ("shared with", self.shared_with()),
            ("type", self.r#type.clone()),
            ("partner", self.partner.clone()),
            ("status", self.status.clone()),
            ("total duration", format!("{} s", self.total_duration)),
            ("schedules", format!("{} of {}", self.schedules_count, self.max_schedules)),
            ("tasks", self.task_count.to_string()),
            ("tasks in the hour", format!("{} since {}", self.hourly_task_count, self.hourly_time)),
            ("flags", flags.join(",")),
            ("created", self.created_at.clone()),
        ]
    }
}

/// A project in the list of a user's projects.
#[derive(Serialize)]
pub(super) struct ProjectRow {
    id: String,
    name: String,
    owner_id: String,
    /// `owner`, or `shared` where it is shared with the user.
    role: &'static str,
    /// The ids of those it is shared with.
    shared_with: Vec<String>,
    status: String,
    created_at: String,
}

impl ProjectRow {
    pub(super) fn new(found: &SharedProject, user: UserId) -> Self {
        let project = &found.project;
        Self {
            id: project.id.to_string(),
            name: project.name.clone(),
            owner_id: project.user_id.to_string(),
            role: if project.user_id == user { "owner" } else { "shared" },
            shared_with: found.shared_with.iter().map(ToString::to_string).collect(),
            status: project.status.clone(),
            created_at: project.created_at.rfc3339(),
        }
    }

    /// A row of a table: id, name, role, shared with how many, status, created.
    pub(super) fn row(&self) -> [String; 6] {
        [
            self.id.clone(),
            self.name.clone(),
            self.role.to_owned(),
            self.shared_with.len().to_string(),
            self.status.clone(),
            self.created_at.clone(),
        ]
    }
}
