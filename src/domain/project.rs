//! Projects: what IronMQ asks about, and whom they are shared with.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::id::{ProjectId, UserId};

const NAME_MAX_CHARACTERS: usize = 255;
const TEXT_MAX_CHARACTERS: usize = 255;

/// A project's name, 1 to 255 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectName(String);

impl ProjectName {
    /// Reads a project's name.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let characters = text.chars().count();
        if characters == 0 || characters > NAME_MAX_CHARACTERS || text.trim().is_empty() {
            return Err(format!("must be 1 to {NAME_MAX_CHARACTERS} characters"));
        }
        if text.chars().any(char::is_control) {
            return Err("must not contain control characters".to_owned());
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as typed.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A short free text of a project or token (`type`, `partner`, `status`), up to 255 characters.
///
/// # Errors
///
/// A sentence that says what is wrong with it.
pub fn parse_label(text: &str) -> Result<String, String> {
    if text.chars().count() > TEXT_MAX_CHARACTERS || text.chars().any(char::is_control) {
        return Err(format!("must be at most {TEXT_MAX_CHARACTERS} characters, none of them a control character"));
    }
    Ok(text.to_owned())
}

/// The project's boolean switches.
pub type ProjectFlags = BTreeMap<String, bool>;

/// A project with its iron fields.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// The owner.
    pub user_id: UserId,
    /// Its name.
    pub name: String,
    /// A free text, `type` on the wire.
    pub kind: String,
    /// A free text.
    pub partner: String,
    /// A free text, `active` from the start.
    pub status: String,
    /// The counters that iron clients keep.
    pub counters: Counters,
    /// When the hour of `hourly_task_count` began.
    pub hourly_time: Timestamp,
    /// Boolean switches.
    pub flags: ProjectFlags,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Project {
    /// The names of the fields in which it differs from another state of its own, separated by commas.
    #[must_use]
    pub fn fields_that_differ(&self, before: &Self) -> String {
        let fields = [
            ("name", self.name != before.name),
            ("type", self.kind != before.kind),
            ("partner", self.partner != before.partner),
            ("status", self.status != before.status),
            ("counters", self.counters != before.counters || self.hourly_time != before.hourly_time),
            ("flags", self.flags != before.flags),
        ];
        let differing = fields.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name);
        differing.collect::<Vec<_>>().join(",")
    }
}

/// The numbers that iron clients keep with a project. None is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Seconds of work done.
    pub total_duration: i64,
    /// How many schedules are allowed.
    pub max_schedules: i64,
    /// How many schedules there are.
    pub schedules_count: i64,
    /// How many tasks there were.
    pub task_count: i64,
    /// How many tasks there were in the hour of `hourly_time`.
    pub hourly_task_count: i64,
}

/// Who may use a project. Small, and cheap to clone: it is kept in memory and asked all the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectAccess {
    owner: UserId,
    /// Sorted; none for the many projects that are shared with nobody.
    shared_with: Option<Arc<[UserId]>>,
}

impl ProjectAccess {
    /// The access of an owner and those the project is shared with.
    #[must_use]
    pub fn new(owner: UserId, mut shared_with: Vec<UserId>) -> Self {
        shared_with.sort_unstable();
        Self { owner, shared_with: (!shared_with.is_empty()).then(|| shared_with.into()) }
    }

    /// With how many users it is shared.
    #[must_use]
    pub fn shares(&self) -> usize {
        self.shared_with.as_ref().map_or(0, |users| users.len())
    }

    /// Whether `user` owns the project or it is shared with them.
    #[must_use]
    pub fn admits(&self, user: UserId) -> bool {
        self.owner == user || self.shared_with.as_ref().is_some_and(|users| users.binary_search(&user).is_ok())
    }
}
