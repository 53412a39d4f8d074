//! Counts what the audit log has of the last hours, some rows at a time, so that no statement takes long.

use super::question::{CLOCKS_DIFFER, WINDOW, first_at};
use super::{head, tail};
use crate::clock::Timestamp;
use crate::domain::error::Result;
use crate::store::Reads;
use crate::store::sql::statements;

statements! {
    /// Each hour since 1970 with how often somebody signed in or up, and how often something was refused.
    COUNT_HOURS: (i64, i64, Timestamp) -> (i64, i64, i64) = "select at / 3600000000,
            cast(sum(case when result = 'done' and (action = 'sign_in' or action = 'sign_up') then times else 0 end)
                as bigint),
            cast(sum(case when result = 'refused' then times else 0 end) as bigint)
        from audit_log where seq > $1 and seq <= $2 and at >= $3 group by at / 3600000000";
}

/// What was counted of an hour since 1970.
pub(crate) struct HourCount {
    /// Which.
    pub(crate) hour: i64,
    /// How often somebody signed in or up.
    pub(crate) sign_ins: i64,
    /// How often something was refused.
    pub(crate) refused: i64,
}

/// Counts the rows that are not before `since`: several counts may be of one hour.
pub(crate) async fn count_hours(reads: &Reads<'_>, since: Timestamp) -> Result<Vec<HourCount>> {
    let all = (tail(reads).await?.seq, head(reads).await?.seq);
    let (mut low, high) = (first_at(reads, all, since.minus(CLOCKS_DIFFER)).await?, all.1);
    let mut counts = Vec::new();
    while low < high {
        let to = high.min(low.saturating_add(WINDOW));
        let counted = reads.all(&COUNT_HOURS, (low, to, since)).await?;
        counts.extend(counted.into_iter().map(|(hour, sign_ins, refused)| HourCount { hour, sign_ins, refused }));
        low = to;
    }
    Ok(counts)
}
