//! Looks for rows of the audit log. By number, user and actor an index leads to them; what else is asked for is
//! looked for among those, some at a time, so that no statement takes long however many rows there are.

use std::net::IpAddr;
use std::time::Duration;

use super::{Record, columns, head, tail};
use crate::clock::Timestamp;
use crate::domain::audit::Action;
use crate::domain::error::Result;
use crate::domain::id::UserId;
use crate::store::Reads;
use crate::store::sql::{Statement, statements};

/// How many rows one statement looks through where no index leads to those asked for.
pub(super) const WINDOW: i64 = 50_000;
/// By how much clocks may have been wrong, or have disagreed, where rows of a time are looked for.
pub(super) const CLOCKS_DIFFER: Duration = Duration::from_hours(24);
const ALWAYS: (Timestamp, Timestamp) = (Timestamp::from_micros(i64::MIN), Timestamp::from_micros(i64::MAX));

macro_rules! asked {
    ($rest:literal) => {
        concat!(
            "select ",
            columns!(),
            " from audit_log where seq > $1 and seq <= $2 and at >= $3 and at <= $4
            and ($5 = '' or action = $5) and ($6 = '' or result = $6) and ($7 = '' or address = $7) ",
            $rest
        )
    };
}

statements! {
    NEWEST: (i64, i64, Timestamp, Timestamp, String, String, String, i64) -> Record =
        asked!("order by seq desc limit $8");
    FIRST: (i64, i64, Timestamp, Timestamp, String, String, String, i64) -> Record = asked!("order by seq limit $8");
    NEWEST_OF_USER: (i64, i64, Timestamp, Timestamp, String, String, String, UserId, i64) -> Record =
        asked!("and user_id = $8 order by seq desc limit $9");
    FIRST_OF_USER: (i64, i64, Timestamp, Timestamp, String, String, String, UserId, i64) -> Record =
        asked!("and user_id = $8 order by seq limit $9");
    NEWEST_BY_ACTOR: (i64, i64, Timestamp, Timestamp, String, String, String, UserId, i64) -> Record =
        asked!("and actor = $8 order by seq desc limit $9");
    FIRST_BY_ACTOR: (i64, i64, Timestamp, Timestamp, String, String, String, UserId, i64) -> Record =
        asked!("and actor = $8 order by seq limit $9");
    TIME_AFTER: (i64) -> (Timestamp,) = "select at from audit_log where seq > $1 order by seq limit 1";
}

type OfAUser = Statement<(i64, i64, Timestamp, Timestamp, String, String, String, UserId, i64), Record>;

/// Whose rows are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Whose {
    /// Everybody's.
    #[default]
    Everybodys,
    /// Those that concern this user.
    Concerning(UserId),
    /// What this user did.
    DoneBy(UserId),
}

/// What rows are asked for: those that fit all of it.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Whose.
    pub whose: Whose,
    /// Of this action.
    pub action: Option<Action>,
    /// What was refused, or what was done.
    pub is_refused: Option<bool>,
    /// From this address.
    pub address: Option<IpAddr>,
    /// Not before this.
    pub since: Option<Timestamp>,
    /// Not after this.
    pub until: Option<Timestamp>,
}

/// Which rows come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The newest ones.
    NewestFirst,
    /// The oldest ones.
    OldestFirst,
}

/// At most `limit` rows that fit, behind the row `after` in the order that is asked for.
pub(crate) async fn list(
    reads: &Reads<'_>,
    filter: &Filter,
    (order, after): (Order, Option<i64>),
    limit: usize,
) -> Result<Vec<Record>> {
    let (mut low, mut high) = bounds(reads, filter).await?;
    match (order, after) {
        (Order::NewestFirst, Some(after)) => high = high.min(after.saturating_sub(1)),
        (Order::OldestFirst, Some(after)) => low = low.max(after),
        (_, None) => {}
    }
    let window = if filter.whose == Whose::Everybodys { WINDOW } else { i64::MAX };
    let mut found = Vec::new();
    while low < high && found.len() < limit {
        let (from, to) = match order {
            Order::NewestFirst => (low.max(high.saturating_sub(window)), high),
            Order::OldestFirst => (low, high.min(low.saturating_add(window))),
        };
        found.extend(ask(reads, filter, order, (from, to), limit - found.len()).await?);
        match order {
            Order::NewestFirst => high = from,
            Order::OldestFirst => low = to,
        }
    }
    Ok(found)
}

/// The rows that can fit lie behind the first number and not behind the second.
async fn bounds(reads: &Reads<'_>, filter: &Filter) -> Result<(i64, i64)> {
    let (mut low, mut high) = (tail(reads).await?.seq, head(reads).await?.seq);
    let all = (low, high);
    if let Some(since) = filter.since {
        low = first_at(reads, all, since.minus(CLOCKS_DIFFER)).await?;
    }
    if let Some(until) = filter.until {
        high = first_at(reads, all, until.plus(CLOCKS_DIFFER)).await?;
    }
    Ok((low, high))
}

/// The number before that of the first row that is not before `moment`. Numbers go with the time but for what
/// clocks do.
pub(super) async fn first_at(reads: &Reads<'_>, (mut low, mut high): (i64, i64), moment: Timestamp) -> Result<i64> {
    while low < high {
        let middle = low.midpoint(high);
        match reads.first(&TIME_AFTER, (middle,)).await? {
            Some((at,)) if at < moment => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

async fn ask(
    reads: &Reads<'_>,
    filter: &Filter,
    order: Order,
    (low, high): (i64, i64),
    limit: usize,
) -> Result<Vec<Record>> {
    let (since, until) = (filter.since.unwrap_or(ALWAYS.0), filter.until.unwrap_or(ALWAYS.1));
    let action = filter.action.map(Action::as_str).unwrap_or_default();
    let result = filter.is_refused.map(super::result).unwrap_or_default();
    let address = filter.address.map(|address| address.to_string()).unwrap_or_default();
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let of_a_user: (&OfAUser, UserId) = match (filter.whose, order) {
        (Whose::Concerning(user), Order::NewestFirst) => (&NEWEST_OF_USER, user),
        (Whose::Concerning(user), Order::OldestFirst) => (&FIRST_OF_USER, user),
        (Whose::DoneBy(user), Order::NewestFirst) => (&NEWEST_BY_ACTOR, user),
        (Whose::DoneBy(user), Order::OldestFirst) => (&FIRST_BY_ACTOR, user),
        (Whose::Everybodys, order) => {
            let statement = if order == Order::NewestFirst { &NEWEST } else { &FIRST };
            return reads.all(statement, (low, high, since, until, action, result, &address, limit)).await;
        }
    };
    let (statement, user) = of_a_user;
    reads.all(statement, (low, high, since, until, action, result, &address, user, limit)).await
}
