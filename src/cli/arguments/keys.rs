//! What may be typed after `doorward keys`.

use clap::Subcommand;

use crate::config::ClusterSecret;

#[derive(Subcommand)]
pub(in crate::cli) enum KeysCommand {
    /// List the keys, newest first; never the secrets themselves
    List,
    /// Make new keys on every server; what the old ones vouched for stays good until it is over
    Rotate {
        /// The old keys are in wrong hands: they go at once, and every access and refresh token with them
        #[arg(long)]
        compromised: bool,
    },
    /// Seal the keys in the database under another secret; then restart every node with it
    Reseal {
        /// A file with the new secret, at least 32 bytes
        #[arg(long, value_name = "FILE", value_parser = ClusterSecret::read)]
        secret_file: ClusterSecret,
    },
}
