//! Permissions: dotted names, compared without regard to case. `admin` grants everything.

use std::collections::BTreeSet;

use serde::Serialize;

const MAX_LENGTH: usize = 128;
const ADMIN: &str = "admin";
const USER: &str = "user";

/// One permission or grant, in lower case: `user`, `servers.start`, `servers.*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Permission(String);

impl Permission {
    /// Reads a permission: letters, digits, `_`, `-` and `:` between dots; `*` only as the last part.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let named =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "_-:".contains(c));
        let (last, before) = match text.rsplit_once('.') {
            Some((before, last)) => (last, Some(before)),
            None => (text, None),
        };
        let begins_well = before.is_none_or(|before| before.split('.').all(named));
        let ends_well = named(last) || (last == "*" && before.is_some());
        if text.len() > MAX_LENGTH || !begins_well || !ends_well {
            return Err("must be a name such as admin, servers.start or servers.*".to_owned());
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The permission that grants everything.
    #[must_use]
    pub fn admin() -> Self {
        Self(ADMIN.to_owned())
    }

    /// Whether this is `admin`.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0 == ADMIN
    }

    /// Its text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn covers(&self, wanted: &Self) -> bool {
        match self.0.strip_suffix('*') {
            Some(stem) => wanted.0.starts_with(stem) && wanted.0.len() > stem.len(),
            None => self.0 == wanted.0,
        }
    }
}

/// A set of permissions; on the wire an array of their texts, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Permissions(BTreeSet<Permission>);

impl Permissions {
    /// What a new user holds: `user`.
    #[must_use]
    pub fn of_new_user() -> Self {
        Self(BTreeSet::from([Permission(USER.to_owned())]))
    }

    /// What the first administrator holds: `admin` and `user`.
    #[must_use]
    pub fn of_administrator() -> Self {
        Self(BTreeSet::from([Permission::admin(), Permission(USER.to_owned())]))
    }

    /// Whether the set grants everything.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.0.iter().any(Permission::is_admin)
    }

    /// Whether the set grants `wanted`: by `admin`, by name, or by a `*` at a dot boundary.
    #[must_use]
    pub fn grant(&self, wanted: &Permission) -> bool {
        self.is_admin() || self.0.iter().any(|held| held.covers(wanted))
    }

    /// Adds one; false where it was there.
    pub fn insert(&mut self, permission: Permission) -> bool {
        self.0.insert(permission)
    }

    /// Takes one away; false where it was not there.
    pub fn remove(&mut self, permission: &Permission) -> bool {
        self.0.remove(permission)
    }

    /// Their texts, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(Permission::as_str)
    }

    /// A JSON array of the texts, as the store keeps it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::Value::from(self.iter().collect::<Vec<_>>()).to_string()
    }

    /// Reads what [`Permissions::to_json`] wrote; `None` where it is something else.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let texts: Vec<String> = serde_json::from_str(text).ok()?;
        texts.iter().map(|text| Permission::parse(text).ok()).collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permission(text: &str) -> Permission {
        Permission::parse(text).unwrap()
    }

    #[test]
    fn a_star_covers_what_lies_below_the_dot_only() {
        let mut set = Permissions::default();
        set.insert(permission("Servers.Files.*"));
        assert!(set.grant(&permission("servers.files.read")));
        assert!(set.grant(&permission("SERVERS.files.read.all")));
        for outside in ["servers.files", "servers.filesystem", "servers", "servers.filesx.read"] {
            assert!(!set.grant(&permission(outside)), "{outside}");
        }
    }

    #[test]
    fn admin_grants_everything_and_survives_the_store() {
        let set = Permissions::of_administrator();
        assert!(set.grant(&permission("anything.at.all")));
        assert_eq!(Permissions::from_json(&set.to_json()), Some(set));
    }

    #[test]
    fn a_malformed_permission_is_refused() {
        for text in ["", "*", ".", "a.", ".a", "a..b", "a.*.b", "a b", "ä", "a*"] {
            assert!(Permission::parse(text).is_err(), "{text:?}");
        }
    }
}
