//! What may be typed after `doorward mail`.

use clap::Subcommand;

use super::{Limit, id};
use crate::domain::id::MailId;
use crate::domain::user::Email;

#[derive(Subcommand)]
pub(in crate::cli) enum MailCommand {
    /// Send a mail by the configured server, and tell what it says
    Test {
        /// Where to
        #[arg(value_name = "ADDRESS", value_parser = Email::parse)]
        address: Email,
    },
    /// List the mails that wait to be sent, the next one first
    List {
        #[command(flatten)]
        limit: Limit,
    },
    /// Have the server try mails at once that it would try later
    Retry {
        /// One mail alone
        #[arg(value_name = "ID", value_parser = id(MailId::parse))]
        id: Option<MailId>,
    },
}
