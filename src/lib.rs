//! Doorward: one identity store, four wire dialects, one binary.

pub mod actions;
pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod domain;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
pub mod guard;
pub mod http;
pub mod mail;
pub mod secret;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod web;
