//! Doorward: one identity store, four wire dialects, one binary.

pub mod clock;
pub mod domain;
pub mod mail;
pub mod secret;
pub mod telemetry;
