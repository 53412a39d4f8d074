//! Everything that is tested from outside, in one binary: one link, one list of tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod across;
mod argon;
mod cli;
mod harness;
mod house;
mod imports;
mod iron;
mod readme;
mod rest;
mod sessions;
mod source;
mod x_access_token;
