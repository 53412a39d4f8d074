//! What may be typed after `doorward keys`.

use clap::Subcommand;

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
}
