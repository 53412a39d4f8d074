//! What a whole store consists of: each table with its key and columns, once, in an order that
//! foreign keys allow. What is read, inserted and compared is derived from it, for both engines; a
//! test holds it to the real schema.

use crate::store::meta;
use crate::store::sql::Kind::{self, Boolean, Bytes, Integer, Text};

/// One table.
pub(in crate::store) struct Table {
    pub(in crate::store) name: &'static str,
    /// How many of the columns, from the first, are the key.
    pub(in crate::store) key: usize,
    pub(in crate::store) columns: &'static [(&'static str, Kind)],
    /// The rows, by their first column, that belong to a place and not to what is kept there.
    pub(in crate::store) stays: &'static [&'static str],
}

macro_rules! tables {
    ($($name:ident key $key:literal stays $stays:expr; { $($column:ident $kind:expr,)* })*) => {
        /// All of them, but for what an engine's own history is kept in.
        pub(in crate::store) const ALL: &[Table] = &[$(Table {
            name: stringify!($name),
            key: $key,
            columns: &[$((stringify!($column), $kind)),*],
            stays: $stays,
        }),*];
    };
}

tables! {
    users key 1 stays &[]; {
        id Bytes,
        email Text,
        email_key Text,
        username Text,
        username_key Text,
        name Text,
        bio Text,
        password Text,
        status Text,
        permissions Text,
        admin Boolean,
        flags Text,
        plan_worker Text,
        credential_version Integer,
        email_verified_at Integer,
        created_at Integer,
        updated_at Integer,
    }
    tokens key 1 stays &[]; {
        id Bytes,
        user_id Bytes,
        secret_hash Bytes,
        foreign_form Boolean,
        kind Text,
        name Text,
        admin Boolean,
        head Text,
        tail Text,
        sealed Bytes,
        expires_at Integer,
        created_at Integer,
    }
    sessions key 1 stays &[]; {
        id Bytes,
        user_id Bytes,
        dialect Text,
        created_at Integer,
        last_used_at Integer,
        expires_at Integer,
        generation Integer,
        key_id Integer,
        rotated_at Integer,
        ended_at Integer,
        address Text,
        user_agent Text,
    }
    mail_secrets key 1 stays &[]; {
        secret_hash Bytes,
        user_id Bytes,
        purpose Text,
        email_key Text,
        created_at Integer,
        expires_at Integer,
        email Text,
        credential_version Integer,
    }
    mails key 1 stays &[]; {
        id Bytes,
        sealed Bytes,
        created_at Integer,
        due_at Integer,
        expires_at Integer,
        attempts Integer,
        sending Boolean,
        failure Text,
    }
    projects key 1 stays &[]; {
        id Bytes,
        user_id Bytes,
        name Text,
        kind Text,
        partner Text,
        status Text,
        total_duration Integer,
        max_schedules Integer,
        schedules_count Integer,
        task_count Integer,
        hourly_task_count Integer,
        hourly_time Integer,
        flags Text,
        created_at Integer,
    }
    project_shares key 2 stays &[]; {
        project_id Bytes,
        user_id Bytes,
    }
    known_networks key 2 stays &[]; {
        user_id Bytes,
        network Bytes,
        at Integer,
    }
    failures key 1 stays &[]; {
        key Bytes,
        due Integer,
    }
    audit_events key 1 stays &[]; {
        id Integer,
        at Integer,
        action Text,
        user_id Bytes,
        subject Text,
        address Text,
    }
    audit_log key 1 stays &[]; {
        seq Integer,
        at Integer,
        action Text,
        result Text,
        reason Text,
        actor Bytes,
        credential Text,
        credential_id Bytes,
        subject Text,
        subject_id Bytes,
        user_id Bytes,
        detail Text,
        address Text,
        user_agent Text,
        via Text,
        times Integer,
        hash Bytes,
    }
    audit_chain key 1 stays &[]; {
        name Text,
        seq Integer,
        hash Bytes,
    }
    changes key 1 stays &[]; {
        seq Integer,
        kind Text,
        id Bytes,
        at Integer,
    }
    counters key 1 stays &[]; {
        name Text,
        value Integer,
    }
    meta key 1 stays &[meta::KEY_FILE, meta::KEYS, meta::MOVED_TO]; {
        name Text,
        value Text,
    }
}

/// How many rows are read and inserted at once. Fewer are enough to test that there are several pages.
pub(in crate::store) const PAGE: usize = if cfg!(test) { 50 } else { 2_000 };

impl Table {
    /// Reads the next rows in the order of the key, which is given from the second page on.
    /// `text_order` is what makes the engine compare texts byte by byte.
    pub(in crate::store) fn select(&self, is_first: bool, text_order: &str) -> String {
        let key = |(name, kind): &(&str, Kind)| match kind {
            Text => format!("{name}{text_order}"),
            _ => (*name).to_owned(),
        };
        let key = self.columns[..self.key].iter().map(key).collect::<Vec<_>>().join(", ");
        let mut conditions = self.condition();
        if !is_first {
            let values = (1..=self.key).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
            conditions.push(format!("({key}) > ({values})"));
        }
        let (columns, name) = (self.names(), self.name);
        format!("select {columns} from {name}{} order by {key} limit {PAGE}", filter(&conditions))
    }

    /// How many rows there are.
    pub(in crate::store) fn count(&self) -> String {
        format!("select count(*) from {}{}", self.name, filter(&self.condition()))
    }

    /// Inserts one row.
    pub(in crate::store) fn insert(&self) -> String {
        let values = (1..=self.columns.len()).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ");
        format!("insert into {} ({}) values ({values})", self.name, self.names())
    }

    /// Takes many rows in PostgreSQL's binary format.
    pub(in crate::store) fn copy(&self) -> String {
        format!("copy {} ({}) from stdin (format binary)", self.name, self.names())
    }

    /// The kinds of the columns.
    pub(in crate::store) fn kinds(&self) -> impl ExactSizeIterator<Item = Kind> {
        self.columns.iter().map(|(_, kind)| *kind)
    }

    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }

    fn condition(&self) -> Vec<String> {
        let names = self.stays.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ");
        let left_out = (!names.is_empty()).then(|| format!("{} not in ({names})", self.columns[0].0));
        left_out.into_iter().collect()
    }
}

fn filter(conditions: &[String]) -> String {
    if conditions.is_empty() { String::new() } else { format!(" where {}", conditions.join(" and ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> &'static Table {
        ALL.iter().find(|table| table.name == name).unwrap()
    }

    #[test]
    fn texts_are_ordered_alike_and_pages_begin_behind_the_last_key() {
        assert_eq!(
            table("project_shares").select(false, " collate \"C\""),
            format!(
                "select project_id, user_id from project_shares where (project_id, user_id) > ($1, $2) \
                 order by project_id, user_id limit {PAGE}"
            )
        );
        assert_eq!(
            table("counters").select(false, " collate \"C\""),
            format!(
                "select name, value from counters where (name collate \"C\") > ($1) order by name collate \"C\" limit {PAGE}"
            )
        );
        assert!(table("meta").select(true, "").contains("where name not in ('key_file', 'keys', 'moved_to') order by"));
        assert!(table("meta").count().ends_with("where name not in ('key_file', 'keys', 'moved_to')"));
    }
}
