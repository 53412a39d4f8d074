//! What may be typed after `doorward migrate`.

use clap::Args;

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli) struct MigrateArguments {
    /// Where to: an empty database, as `postgres://USER@HOST/DATABASE` or `sqlite:DIR/doorward.db`
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) to: Option<String>,
    /// Go on with a store that was moved away, without what has changed at its new place since
    #[arg(long)]
    pub(in crate::cli) stay: bool,
}
