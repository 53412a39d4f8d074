//! A session, with all tokens that it ever had.

use serde_json::Value;

use super::text;

/// Its tokens, oldest first.
#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) access: Vec<String>,
    pub(super) refresh: Vec<String>,
}

impl Session {
    /// One that begins with this answer.
    pub(super) fn of(body: &Value) -> Self {
        let mut session = Self::default();
        session.take(body);
        session
    }

    /// Goes on with the tokens of an answer.
    pub(super) fn take(&mut self, body: &Value) {
        self.access.push(text(body, "accessToken"));
        self.refresh.push(text(body, "refreshToken"));
    }

    pub(super) fn newest(&self) -> &str {
        self.refresh.last().unwrap()
    }
}
