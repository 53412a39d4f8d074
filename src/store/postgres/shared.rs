//! The connections that all reads share: a statement is sent as soon as it is asked, whatever is
//! still on its way back on the same connection. They never carry a transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use futures_util::FutureExt as _;
use tokio::time::sleep;
use tokio_postgres::Row;

use super::connect::Connector;
use super::failure::{Failure, Meaning};
use super::link::{Bound, Link};

/// Where the way is open and what lies behind it fails, the next try comes after this.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// How many connections there are.
const COUNT: usize = 2;

/// The shared connections.
pub(in crate::store) struct Shared {
    slots: [ArcSwapOption<Link>; COUNT],
    next: AtomicUsize,
}

impl Shared {
    /// Both connections; they are kept up by [`Shared::keep`].
    pub(super) async fn open(connector: &Connector) -> Result<Self, Failure> {
        let (one, other) = (Self::link(connector).await?, Self::link(connector).await?);
        let slots = [one, other].map(ArcSwapOption::from_pointee);
        Ok(Self { slots, next: AtomicUsize::new(0) })
    }

    async fn link(connector: &Connector) -> Result<Link, Failure> {
        let link = Link::open(connector).await?;
        // The only thing ever committed here is an announcement, which nobody waits for.
        match link.command("set synchronous_commit = off").await {
            Err(failure) if failure.meaning == Meaning::Lost => Err(failure),
            _ => Ok(link),
        }
    }

    /// Replaces connections that end, for as long as it is polled.
    pub(super) async fn keep(self: Arc<Self>, connector: Arc<Connector>) {
        let keeping = self.slots.iter().map(|slot| keep_one(slot, &connector).boxed());
        futures_util::future::join_all(keeping).await;
    }

    /// The rows of a statement that changes nothing. It is asked again where the connection ends
    /// meanwhile.
    pub(super) async fn rows(&self, bound: Bound<'_>) -> Result<Vec<Row>, Failure> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let mut failure = Failure::new(Meaning::Lost, "there is no connection to PostgreSQL");
        for slot in [first, first + 1].map(|number| &self.slots[number % COUNT]) {
            let Some(link) = slot.load_full().filter(|link| link.is_open()) else { continue };
            match link.rows(bound).await {
                Err(lost) if lost.meaning == Meaning::Lost && !lost.is_silence() => failure = lost,
                done => return done,
            }
        }
        Err(failure)
    }

    /// One of the connections, for what is not awaited.
    pub(super) fn any(&self) -> Option<Arc<Link>> {
        self.slots.iter().find_map(|slot| slot.load_full().filter(|link| link.is_open()))
    }
}

async fn keep_one(slot: &ArcSwapOption<Link>, connector: &Connector) {
    loop {
        if let Some(link) = slot.load_full().filter(|link| link.is_open()) {
            link.notice().await;
            continue;
        }
        slot.store(None);
        match Shared::link(connector).await {
            Ok(link) => {
                tracing::info!("a connection to PostgreSQL is back");
                slot.store(Some(Arc::new(link)));
            }
            Err(_) => sleep(connector.pause().max(SHORTEST_PAUSE)).await,
        }
    }
}
