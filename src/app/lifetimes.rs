//! The longest lifetimes that credentials were ever given, in this configuration or an earlier one:
//! that long, what ended is remembered, and keys are kept.

use std::time::Duration;

use crate::config::Settings;
use crate::domain::error::Result;
use crate::domain::session::{Dialect, Lifetimes};
use crate::store::{self, Reads, Store, Tx};

/// The longest ones, with those of `settings` among them from now on.
pub(super) async fn remember(settings: &Settings, store: &Store) -> Result<Lifetimes> {
    let all = Dialect::ALL.map(|dialect| settings.lifetimes(dialect));
    let longest = |of: fn(&Lifetimes) -> Duration| all.iter().map(of).max().unwrap_or_default();
    Ok(Lifetimes {
        access: at_least(store, store::meta::LONGEST_LIFETIME, longest(|it| it.access)).await?,
        session: at_least(store, store::meta::LONGEST_SESSION, longest(|it| it.session)).await?,
    })
}

/// The longest ones as all processes on this database know them by now.
pub(super) async fn read(store: &Store) -> Result<Lifetimes> {
    Ok(Lifetimes {
        access: find(&store.reads(), store::meta::LONGEST_LIFETIME).await?,
        session: find(&store.reads(), store::meta::LONGEST_SESSION).await?,
    })
}

async fn find(reads: &Reads<'_>, name: &str) -> Result<Duration> {
    let known = store::meta::find(reads, name).await?;
    Ok(Duration::from_secs(known.and_then(|seconds| seconds.parse().ok()).unwrap_or_default()))
}

async fn at_least(store: &Store, name: &'static str, configured: Duration) -> Result<Duration> {
    let known = find(&store.reads(), name).await?;
    if configured <= known {
        return Ok(known);
    }
    let raised = async move |tx: &Tx<'_>| {
        // A row to be held: another node may have a longer one to say at this moment.
        store::meta::insert(tx, name, "0").await?;
        let known = find(tx, name).await?;
        if configured > known {
            store::meta::set(tx, name, &(configured.as_secs() + 1).to_string()).await?;
        }
        Ok(configured.max(known))
    };
    store.write(raised).await
}
