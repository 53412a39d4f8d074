//! The pages, by a browser without scripts: every form and what it does, and what nobody may do by them.

mod account;
mod console;
mod forms;
mod gate;
mod looks;
mod recovery;
pub(crate) mod rights;
mod sessions;

/// A later moment than the one at which a password counts as proven just now.
pub(super) const NO_LONGER_FRESH: std::time::Duration = std::time::Duration::from_mins(11);
