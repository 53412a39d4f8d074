//! What may be typed after `doorward audit`.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};

use super::Limit;
use crate::actions::audit::Position;
use crate::clock::Timestamp;
use crate::config::duration;
use crate::domain::audit::Action;

#[derive(Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// List what was done and refused, the newest first
    List(ListAudit),
    /// Check that every row is as it was written and none is missing
    Verify {
        /// A head that was noted at another time: the log has to have that row
        #[arg(long, value_name = "SEQ:HASH", value_parser = position)]
        expect: Option<Position>,
    },
}

#[derive(Args)]
pub(in crate::cli) struct ListAudit {
    /// What concerns this user: an email, a username or an id, also of a user who was deleted
    #[arg(long, value_name = "LOGIN")]
    pub(in crate::cli) user: Option<String>,
    /// What this user did
    #[arg(long, value_name = "LOGIN", conflicts_with = "user")]
    pub(in crate::cli) actor: Option<String>,
    /// One kind of action, such as `sign_in` or `token.created`
    #[arg(long, value_parser = action)]
    pub(in crate::cli) action: Option<Action>,
    /// What was done, or what was refused
    #[arg(long)]
    pub(in crate::cli) result: Option<Outcome>,
    /// What came from this address
    #[arg(long)]
    pub(in crate::cli) address: Option<IpAddr>,
    /// Not before this moment, such as 2030-01-31T00:00:00Z, or this long ago, such as 2h
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(in crate::cli) since: Option<Moment>,
    /// Not after this
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(in crate::cli) until: Option<Moment>,
    /// Begin behind the row of this number
    #[arg(long, value_name = "SEQ")]
    pub(in crate::cli) after: Option<i64>,
    /// The oldest first
    #[arg(long)]
    pub(in crate::cli) oldest: bool,
    #[command(flatten)]
    pub(in crate::cli) limit: Limit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Outcome {
    /// It was done
    Done,
    /// It was refused
    Refused,
}

/// A moment, or how long ago one was.
#[derive(Clone, Copy)]
pub(in crate::cli) enum Moment {
    At(Timestamp),
    Ago(std::time::Duration),
}

impl Moment {
    pub(in crate::cli) fn seen_from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(span) => now.minus(span),
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Ok(Moment::At(at));
    }
    let mend = |_| "must be a moment such as 2030-01-31T00:00:00Z, or how long ago, such as 2h or 7d".to_owned();
    duration(text).map(Moment::Ago).map_err(mend)
}

fn action(text: &str) -> Result<Action, String> {
    Action::parse(text).ok_or_else(|| {
        let known: Vec<_> = Action::ALL.iter().map(|action| action.as_str()).collect();
        format!("is not one of {}", known.join(", "))
    })
}

fn position(text: &str) -> Result<Position, String> {
    Position::parse(text).ok_or_else(|| "must be a number, a colon and 64 hexadecimal digits".to_owned())
}
