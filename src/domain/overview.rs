//! How much there is of everything, and what happened lately: what an administrator looks at first.

use crate::clock::Timestamp;

/// How many hours back an overview looks.
pub const HOURS: usize = 24;

/// How much there was at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// When it was counted.
    pub at: Timestamp,
    /// All users.
    pub users: u64,
    /// Those who hold `admin`.
    pub administrators: u64,
    /// Those who may not sign in.
    pub disabled: u64,
    /// Sessions that can be used.
    pub live_sessions: u64,
    /// API tokens, those that are over and not yet swept away included.
    pub api_tokens: u64,
    /// Projects.
    pub projects: u64,
    /// The last [`HOURS`], the oldest first; the last one is the present hour.
    pub hours: Vec<Hour>,
}

/// What happened in one hour, by the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hour {
    /// When it began: a full hour in UTC.
    pub from: Timestamp,
    /// How often somebody signed in or up.
    pub sign_ins: u64,
    /// How often something was refused, whatever it was.
    pub refused: u64,
}
