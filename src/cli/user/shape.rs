//! How a user is printed. The names of the fields are a promise to programs.

use serde::Serialize;

use crate::clock::Timestamp;
use crate::domain::user::{JsonObject, User};

/// A user, without anything secret.
#[derive(Serialize)]
pub(super) struct UserShape<'u> {
    id: String,
    email: Option<&'u str>,
    username: Option<&'u str>,
    name: Option<&'u str>,
    bio: Option<&'u str>,
    status: &'static str,
    permissions: Vec<&'u str>,
    flags: &'u JsonObject,
    plan_worker: &'u JsonObject,
    email_verified_at: Option<String>,
    created_at: String,
    updated_at: String,
}

impl<'u> UserShape<'u> {
    pub(super) fn new(user: &'u User) -> Self {
        Self {
            id: user.id.to_string(),
            email: user.email.as_deref(),
            username: user.username.as_deref(),
            name: user.name.as_deref(),
            bio: user.bio.as_deref(),
            status: user.status.as_str(),
            permissions: user.permissions.iter().collect(),
            flags: &user.flags,
            plan_worker: &user.plan_worker,
            email_verified_at: user.email_verified_at.map(Timestamp::rfc3339),
            created_at: user.created_at.rfc3339(),
            updated_at: user.updated_at.rfc3339(),
        }
    }

    /// A row of a table: id, email, username, status, permissions, created.
    pub(super) fn row(&self) -> [String; 6] {
        [
            self.id.clone(),
            text(self.email),
            text(self.username),
            self.status.to_owned(),
            self.permissions.join(","),
            self.created_at.clone(),
        ]
    }
}

/// A user with the number of credentials.
#[derive(Serialize)]
pub(super) struct UserSummary<'u> {
    #[serde(flatten)]
    pub(super) user: UserShape<'u>,
    pub(super) sessions: usize,
    pub(super) tokens: usize,
}

impl UserSummary<'_> {
    pub(super) fn fields(&self) -> [(&'static str, String); 12] {
        let user = &self.user;
        [
            ("id", user.id.clone()),
            ("email", text(user.email)),
            ("email verified", user.email_verified_at.clone().unwrap_or_default()),
            ("username", text(user.username)),
            ("name", text(user.name)),
            ("bio", text(user.bio)),
            ("status", user.status.to_owned()),
            ("permissions", user.permissions.join(",")),
            ("sessions", self.sessions.to_string()),
            ("tokens", self.tokens.to_string()),
            ("created", user.created_at.clone()),
            ("updated", user.updated_at.clone()),
        ]
    }
}

fn text(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}
