//! What may be typed after `doorward project`.

use clap::{Args, Subcommand};

use super::{Limit, id};
use crate::domain::id::ProjectId;
use crate::domain::project::ProjectName;

#[derive(Subcommand)]
pub(in crate::cli) enum ProjectCommand {
    /// Make a project
    Add {
        /// Its name
        #[arg(value_parser = ProjectName::parse)]
        name: ProjectName,
        /// Whose it is
        #[arg(long, value_name = "LOGIN")]
        owner: String,
    },
    /// List the projects that a user owns or shares
    List {
        /// Whose projects
        #[arg(long, value_name = "LOGIN")]
        user: String,
        #[command(flatten)]
        limit: Limit,
        /// Begin behind the project with this id
        #[arg(long, value_name = "ID", value_parser = id(ProjectId::parse))]
        after: Option<ProjectId>,
    },
    /// Show one project
    Show(Which),
    /// Share a project with users
    Share(ShareWith),
    /// Share a project with these users no more
    Unshare(ShareWith),
    /// Delete a project
    Delete {
        #[command(flatten)]
        which: Which,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Args)]
pub(in crate::cli) struct Which {
    /// The project's id
    #[arg(value_parser = id(ProjectId::parse))]
    pub(in crate::cli) id: ProjectId,
}

#[derive(Args)]
pub(in crate::cli) struct ShareWith {
    #[command(flatten)]
    pub(in crate::cli) which: Which,
    /// Emails, usernames or ids
    #[arg(required = true, value_name = "LOGIN")]
    pub(in crate::cli) logins: Vec<String>,
}
