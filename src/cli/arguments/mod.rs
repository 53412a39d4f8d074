//! What may be typed: commands, arguments and flags, with the help that is shown for them. A
//! password or token is never an argument: other users of a machine can read those.

mod audit;
mod keys;
mod mail;
mod migrate;
mod project;
mod session;
mod token;
mod user;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

pub(super) use self::audit::{AuditCommand, ListAudit, Outcome};
pub(super) use self::keys::KeysCommand;
pub(super) use self::mail::MailCommand;
pub(super) use self::migrate::MigrateArguments;
pub(super) use self::project::{ProjectCommand, ShareWith};
pub(super) use self::session::SessionCommand;
pub(super) use self::token::{AddToken, TokenCommand};
pub(super) use self::user::{AddUser, Permit, UserCommand};
use crate::config::Overrides;

/// One identity store, four wire dialects, one binary.
#[derive(Parser)]
#[command(name = "doorward", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 could not be done, 2 wrong usage or a faulty configuration.";

/// The flags that may stand anywhere.
#[derive(Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// The folder of the database, the keys and the mail outbox
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// A configuration file
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// The IP address and port to listen on
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The URL that clients and mails reach the server by
    #[arg(long, global = true, value_name = "URL")]
    public_url: Option<String>,
    /// Where the database is, as `sqlite:PATH` or `postgres://USER@HOST/DATABASE`
    #[arg(long, global = true, value_name = "URL")]
    database_url: Option<String>,
    /// text for people, json for collectors
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Print one JSON document, for programs
    #[arg(long, global = true)]
    pub(super) json: bool,
}

impl Global {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            data_dir: self.data_dir.clone(),
            listen: self.listen.clone(),
            public_url: self.public_url.clone(),
            database_url: self.database_url.clone(),
            log_format: self.log_format.clone(),
            to: None,
        }
    }
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Start the server
    Serve(ServeArguments),
    /// Users, their passwords and permissions
    User {
        #[command(subcommand)]
        command: UserCommand,
    },
    /// API tokens
    Token {
        #[command(subcommand)]
        command: TokenCommand,
    },
    /// Sessions: who is signed in
    Session {
        #[command(subcommand)]
        command: SessionCommand,
    },
    /// Projects and whom they are shared with
    Project {
        #[command(subcommand)]
        command: ProjectCommand,
    },
    /// The keys that vouch for tokens
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Mails: whether they can be sent, and which ones wait
    Mail {
        #[command(subcommand)]
        command: MailCommand,
    },
    /// What was done and refused
    Audit {
        #[command(subcommand)]
        command: AuditCommand,
    },
    /// Move the store to another database; the server has to be stopped
    Migrate(MigrateArguments),
    /// The configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a script that completes commands in a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Args)]
pub(super) struct ServeArguments {
    /// Go on with new keys where the database's own are lost; every token and session is void then
    #[arg(long)]
    pub(super) new_keys: bool,
}

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Read the configuration as the server would, and print the values that hold
    Check,
}

#[derive(Args)]
pub(super) struct Who {
    /// An email, a username or an id
    #[arg(value_name = "LOGIN")]
    pub(super) login: String,
}

#[derive(Args)]
pub(super) struct Limit {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
}

impl Limit {
    /// One more than is shown, so that it is known whether there are more.
    pub(super) fn to_ask_for(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Cuts a list to what is shown; true where something was cut off.
    pub(super) fn cut<T>(&self, list: &mut Vec<T>) -> bool {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = list.len() > limit;
        list.truncate(limit);
        more
    }
}

/// Reads an id in either spelling.
fn id<T: 'static>(parse: fn(&str) -> Option<T>) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| parse(text).ok_or_else(|| "must be an id: 24 hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    #[test]
    fn the_commands_and_flags_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }
}
