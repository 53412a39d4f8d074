//! Everything that is tested from outside, in one binary: one link, one list of tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod across;
mod argon;
mod audit;
mod cli;
mod crash;
mod faults;
mod feed;
mod harness;
mod house;
mod imports;
mod iron;
mod logs;
mod migrate;
mod nodes;
mod postgres;
mod readme;
mod rest;
mod server;
mod sessions;
mod source;
mod storm;
mod syncs;
mod x_access_token;
