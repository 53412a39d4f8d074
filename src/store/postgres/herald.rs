//! Wakes the followers of the feed on other nodes. They look by themselves now and then: what is lost
//! here costs a moment, so nobody waits for it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use super::failure::Meaning;
use super::link::Link;
use super::shared::Shared;

/// The channel that followers listen on.
pub(super) const LISTEN: &str = "listen doorward_changes";
const NOTIFY: &str = "notify doorward_changes";

/// Belongs to the thread that commits.
pub(super) struct Herald {
    shared: Arc<Shared>,
    state: Rc<Cell<State>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Idle,
    /// One announcement is on its way.
    Announcing,
    /// One is on its way, and there is news since.
    Behind,
    /// This engine has no such thing.
    Mute,
}

impl Herald {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, state: Rc::new(Cell::new(State::Idle)) }
    }

    /// Says that there is news. However much there is, one announcement is on its way at a time.
    pub(super) fn announce(&self) {
        match self.state.get() {
            State::Idle => {
                let Some(link) = self.shared.any() else { return };
                self.state.set(State::Announcing);
                tokio::task::spawn_local(announce(link, Rc::clone(&self.state)));
            }
            State::Announcing => self.state.set(State::Behind),
            State::Behind | State::Mute => {}
        }
    }
}

async fn announce(link: Arc<Link>, state: Rc<Cell<State>>) {
    loop {
        let announced = link.command(NOTIFY).await;
        if matches!(&announced, Err(failure) if failure.meaning == Meaning::Refused) {
            return state.set(State::Mute);
        }
        if announced.is_err() || state.replace(State::Announcing) != State::Behind {
            return state.set(State::Idle);
        }
    }
}
