//! What may be typed after `doorward user`.

use clap::{Args, Subcommand};

use super::{Limit, Who, id};
use crate::domain::id::UserId;
use crate::domain::permission::Permission;
use crate::domain::user::{DisplayName, Email, Username};

#[derive(Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// Make a user; the password is asked for unless a flag says where it comes from
    Add(Box<AddUser>),
    /// List users, the oldest first
    List {
        #[command(flatten)]
        limit: Limit,
        /// Begin behind the user with this id
        #[arg(long, value_name = "ID", value_parser = id(UserId::parse))]
        after: Option<UserId>,
    },
    /// Show one user
    Show(Who),
    /// Set a user's password; all sessions of the user end
    Passwd {
        #[command(flatten)]
        who: Who,
        /// Read the password from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// Let a user sign in again
    Enable(Who),
    /// Let a user sign in no more; sessions end for good, API tokens rest
    Disable(Who),
    /// Delete a user with everything that is theirs, projects too
    Delete {
        #[command(flatten)]
        who: Who,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Give a user a permission
    Grant(Permit),
    /// Take a permission from a user
    Revoke(Permit),
    /// Print a link with which the user sets a new password
    ResetLink(Who),
}

#[derive(Args)]
pub(in crate::cli) struct Permit {
    #[command(flatten)]
    pub(in crate::cli) who: Who,
    /// A name such as admin, servers.start or servers.*
    #[arg(value_parser = Permission::parse)]
    pub(in crate::cli) permission: Permission,
}

#[derive(Args)]
pub(in crate::cli) struct AddUser {
    /// An email where it holds an @, else a username
    #[arg(required_unless_present_any = ["email", "username"])]
    pub(in crate::cli) login: Option<String>,
    /// The email, beside a username
    #[arg(long, value_parser = Email::parse)]
    pub(in crate::cli) email: Option<Email>,
    /// The username, beside an email
    #[arg(long, value_parser = Username::parse)]
    pub(in crate::cli) username: Option<Username>,
    /// The display name
    #[arg(long, value_parser = DisplayName::parse)]
    pub(in crate::cli) name: Option<DisplayName>,
    /// Make an administrator
    #[arg(long)]
    pub(in crate::cli) admin: bool,
    /// A permission beside `user`; may be repeated
    #[arg(long = "permission", value_name = "PERMISSION", value_parser = Permission::parse)]
    pub(in crate::cli) permissions: Vec<Permission>,
    #[command(flatten)]
    pub(in crate::cli) password: PasswordFlags,
}

/// Where the new user's password comes from; at most one of them.
#[derive(Args)]
#[group(multiple = false)]
pub(in crate::cli) struct PasswordFlags {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub(in crate::cli) password_stdin: bool,
    /// Set none: the user cannot sign in until there is one
    #[arg(long)]
    pub(in crate::cli) no_password: bool,
    /// Read a password hash of another system from the first line of standard input: Argon2,
    /// bcrypt, scrypt or PBKDF2
    #[arg(long)]
    pub(in crate::cli) hash_stdin: bool,
}
