//! What may be typed after `doorward session`.

use clap::{ArgGroup, Subcommand};

use super::{Who, id};
use crate::domain::id::SessionId;

#[derive(Subcommand)]
pub(in crate::cli) enum SessionCommand {
    /// List a user's live sessions
    List(Who),
    /// End one session, or all of a user
    #[command(group = ArgGroup::new("which").args(["id", "user"]).required(true))]
    Revoke {
        /// The session's id
        #[arg(value_parser = id(SessionId::parse))]
        id: Option<SessionId>,
        /// End all sessions of this user
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
}
