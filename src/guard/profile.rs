//! A user in memory, with what the dialects show of one: written once, and given out until the user
//! changes. Knows no wire format.

use std::ops::Deref;
use std::sync::OnceLock;

use bytes::Bytes;
use serde_json::Value;

use super::cache::HeapSize;
use crate::domain::session::Dialect;
use crate::domain::user::{JsonObject, User};

/// What the answers about a user take beside what is the user's own, roughly.
const SHOWN: usize = 256;
/// How often what is the user's own is kept: with the user, and in the answers of two dialects.
const TIMES: usize = 3;

/// A user, and the answers about them.
pub struct Profile {
    user: User,
    shown: [OnceLock<Bytes>; Dialect::WIRE],
}

impl Profile {
    pub(super) fn new(user: User) -> Self {
        Self { user, shown: Default::default() }
    }

    /// What a wire dialect answers to the question who is asking, once it has.
    #[must_use]
    pub fn shown(&self, dialect: Dialect) -> &OnceLock<Bytes> {
        &self.shown[dialect as usize]
    }
}

impl Deref for Profile {
    type Target = User;

    fn deref(&self) -> &User {
        &self.user
    }
}

impl HeapSize for std::sync::Arc<Profile> {
    fn heap_size(&self) -> usize {
        let texts = [&self.email, &self.username, &self.name, &self.bio];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        let permissions: usize = self.permissions.iter().map(|text| text.len() + 48).sum();
        let objects = object_size(&self.flags) + object_size(&self.plan_worker);
        size_of::<Profile>() + SHOWN + TIMES * (texts + permissions) + objects
    }
}

fn object_size(object: &JsonObject) -> usize {
    object.iter().map(|(name, value)| name.len() + 64 + value_size(value)).sum()
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(|item| 32 + value_size(item)).sum(),
        Value::Object(object) => object_size(object),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
