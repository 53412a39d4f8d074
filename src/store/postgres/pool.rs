//! The connections that transactions take turns on. Belongs to the one thread that runs them.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::connect::Connector;
use super::failure::{Failure, Meaning};
use super::link::Link;

/// How long a transaction waits for its turn.
const MAX_WAIT: Duration = Duration::from_secs(2);

pub(super) struct Pool {
    connector: Arc<Connector>,
    idle: RefCell<Vec<Link>>,
    turns: Arc<Semaphore>,
}

/// A connection for one transaction. It goes back by [`Lease::give_back`]; else it is closed, and
/// the server undoes what was begun on it.
pub(super) struct Lease {
    pub(super) link: Link,
    pool: Rc<Pool>,
    _turn: OwnedSemaphorePermit,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>) -> Self {
        let turns = Arc::new(Semaphore::new(connector.target().connections));
        Self { connector, idle: RefCell::default(), turns }
    }

    /// A connection, once it is one's turn.
    pub(super) async fn take(self: &Rc<Self>) -> Result<Lease, Failure> {
        let turn = timeout(MAX_WAIT, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Failure::new(Meaning::Busy, "all connections to PostgreSQL are taken"));
        };
        let link = match self.idle() {
            Some(link) => link,
            None => Link::open(&self.connector).await?,
        };
        Ok(Lease { link, pool: Rc::clone(self), _turn: turn })
    }

    /// The one that was used last: the others may grow old and be closed.
    fn idle(&self) -> Option<Link> {
        let mut idle = self.idle.borrow_mut();
        idle.retain(Link::is_open);
        idle.pop()
    }
}

impl Lease {
    /// What is done on it is not answered: the turn is kept until that is over.
    pub(super) async fn give_up(self) {
        self.link.give_up(&self.pool.connector).await;
    }

    /// Nothing is begun on it any more.
    pub(super) fn give_back(self) {
        if self.link.is_open() {
            self.pool.idle.borrow_mut().push(self.link);
        }
    }
}
