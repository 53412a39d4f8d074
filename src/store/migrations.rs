//! The schema's history: the same steps for both engines, with their checksums kept. An engine's
//! own file runs them; a schema that this version could not live with is refused.

use aws_lc_rs::digest;

use super::OpenError;
use crate::domain::id::hex;

/// One step, in the words of each engine.
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
    /// The oldest version of the schema whose doorward goes on working once this step is done: a
    /// step first expands what there is, and a later release takes away what nobody uses any more.
    pub(super) runs_with: i64,
}

macro_rules! migrations {
    ($($version:literal $name:literal runs with $runs_with:literal,)*) => {
        /// In order. A released one is never edited: its checksum is in every database.
        pub(super) const ALL: &[Migration] = &[$(Migration {
            version: $version,
            name: $name,
            sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
            postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
            runs_with: $runs_with,
        }),*];
    };
}

migrations! {
    1 "0001_identity" runs with 1,
    2 "0002_partial_indexes" runs with 1,
    3 "0003_side_by_side" runs with 1,
    4 "0004_throttle" runs with 1,
    5 "0005_audit_log" runs with 1,
    6 "0006_mail" runs with 1,
    7 "0007_console" runs with 1,
}

/// A step that a database went through, as its journal has it.
pub(super) struct Applied {
    pub(super) version: i64,
    pub(super) checksum: String,
    /// The oldest version whose doorward may go on working on it.
    pub(super) runs_with: i64,
}

/// What is yet to be done on a database with this history, where the words of a step are `text`.
///
/// # Errors
///
/// That the database is of a version that this one cannot live with, and the mend.
pub(super) fn pending(
    applied: &[Applied],
    text: impl Fn(&Migration) -> &'static str,
) -> Result<&'static [Migration], OpenError> {
    let highest = ALL.last().map_or(0, |ours| ours.version);
    for (position, found) in applied.iter().enumerate() {
        let Some(ours) = ALL.get(position) else {
            if found.version > highest && found.runs_with <= highest {
                continue;
            }
            return Err(newer(found.version));
        };
        if ours.version != found.version {
            return Err(newer(found.version));
        }
        if found.checksum != checksum(text(ours)) {
            return Err(OpenError::new(format!(
                "the database's schema version {} was not made by a released doorward: restore it from a backup",
                found.version
            )));
        }
    }
    if let Some(found) = applied.last().filter(|found| found.version > highest) {
        tracing::info!(
            schema = found.version,
            known = highest,
            "a newer doorward brought the schema up; this one goes on beside it"
        );
    }
    Ok(ALL.get(applied.len()..).unwrap_or_default())
}

fn newer(version: i64) -> OpenError {
    OpenError::new(format!(
        "the database has schema version {version}, and this doorward knows versions up to {}: it was last \
         opened by a newer doorward; start that one, or restore the backup made before the upgrade",
        ALL.last().map_or(0, |ours| ours.version)
    ))
}

/// SHA-256 of a step's words, in hex.
pub(super) fn checksum(text: &str) -> String {
    hex(digest::digest(&digest::SHA256, text.as_bytes()).as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(later: &[(i64, i64)]) -> Vec<Applied> {
        let ours = ALL.iter().map(|step| Applied {
            version: step.version,
            checksum: checksum(step.sqlite),
            runs_with: step.runs_with,
        });
        let later = later.iter().map(|&(version, runs_with)| Applied { version, checksum: "x".to_owned(), runs_with });
        ours.chain(later).collect()
    }

    #[test]
    fn what_is_missing_is_done_in_order() {
        let left = pending(&history(&[])[..1], |step| step.sqlite).unwrap();
        let versions = |steps: &[Migration]| steps.iter().map(|step| step.version).collect::<Vec<_>>();
        assert_eq!(versions(left), versions(&ALL[1..]));
        assert!(pending(&history(&[]), |step| step.sqlite).unwrap().is_empty());
    }

    #[test]
    fn a_newer_schema_is_lived_with_where_it_says_so_and_refused_where_not() {
        let highest = ALL.last().unwrap().version;
        for (runs_with, is_fine) in [(1, true), (highest, true), (highest + 1, false)] {
            let found = pending(&history(&[(highest + 1, runs_with)]), |step| step.sqlite);
            assert_eq!(found.is_ok(), is_fine, "{runs_with}");
        }
        let then_not = history(&[(highest + 1, 1), (highest + 2, highest + 1)]);
        assert!(pending(&then_not, |step| step.sqlite).is_err());
    }

    #[test]
    fn a_step_in_other_words_is_refused() {
        let mut edited = history(&[]);
        edited[1].checksum = checksum("drop table users");
        assert!(pending(&edited, |step| step.sqlite).err().unwrap().to_string().contains("not made by a released"));
    }
}
