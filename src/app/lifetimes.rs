//! The longest lifetimes that credentials were ever given, in this configuration or an earlier one:
//! that long, what ended is remembered, and keys are kept.

use std::time::Duration;

use crate::config::Settings;
use crate::domain::error::Result;
use crate::domain::session::{Dialect, Lifetimes};
use crate::store::{self, Store, Tx};

/// The longest ones, with those of `settings` among them from now on.
pub(super) async fn remember(settings: &Settings, store: &Store) -> Result<Lifetimes> {
    let all = Dialect::ALL.map(|dialect| settings.lifetimes(dialect));
    let longest = |of: fn(&Lifetimes) -> Duration| all.iter().map(of).max().unwrap_or_default();
    Ok(Lifetimes {
        access: at_least(store, store::meta::LONGEST_LIFETIME, longest(|it| it.access)).await?,
        session: at_least(store, store::meta::LONGEST_SESSION, longest(|it| it.session)).await?,
    })
}

async fn at_least(store: &Store, name: &'static str, configured: Duration) -> Result<Duration> {
    let known = store::meta::find(&store.reads(), name).await?;
    let known = Duration::from_secs(known.and_then(|seconds| seconds.parse().ok()).unwrap_or_default());
    if configured > known {
        let seconds = (configured.as_secs() + 1).to_string();
        store.write(async move |tx: &Tx<'_>| store::meta::set(tx, name, &seconds).await).await?;
    }
    Ok(configured.max(known))
}
