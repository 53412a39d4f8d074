//! Doorward: one identity store, four wire dialects, one binary.

pub mod clock;
pub mod domain;
pub mod guard;
pub mod secret;
pub mod store;
