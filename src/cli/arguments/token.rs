//! What may be typed after `doorward token`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Who, id};
use crate::clock::Timestamp;
use crate::config::duration;
use crate::domain::id::TokenId;
use crate::domain::project::parse_label;

#[derive(Subcommand)]
pub(in crate::cli) enum TokenCommand {
    /// Make an API token and print its secret, this one time
    Add(AddToken),
    /// List a user's API tokens, without their secrets
    List(Who),
    /// Delete an API token
    Delete {
        /// The token's id
        #[arg(value_parser = id(TokenId::parse))]
        id: TokenId,
    },
}

#[derive(Args)]
pub(in crate::cli) struct AddToken {
    #[command(flatten)]
    pub(in crate::cli) who: Who,
    /// A text that tells what it is for
    #[arg(long, default_value = "", hide_default_value = true, value_parser = parse_label)]
    pub(in crate::cli) name: String,
    /// A text that iron clients read as its `type`
    #[arg(long = "type", value_name = "TYPE", default_value = "", hide_default_value = true, value_parser = parse_label)]
    pub(in crate::cli) kind: String,
    /// Let it carry its user's administrator power
    #[arg(long)]
    pub(in crate::cli) admin: bool,
    /// How long it lives, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(in crate::cli) expires_in: Option<Duration>,
    /// Until when it lives, such as 2030-01-31T00:00:00Z
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "expires_in")]
    pub(in crate::cli) expires_at: Option<Timestamp>,
}

fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text).ok_or_else(|| "must be a moment such as 2030-01-31T00:00:00Z".to_owned())
}
