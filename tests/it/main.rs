//! Everything that is tested from outside, in one binary: one link, one list of tests.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on stops there")]

mod across;
mod argon;
mod attacks;
mod audit;
mod browser;
mod cli;
mod console;
mod crash;
mod faults;
mod feed;
mod harness;
mod house;
mod imports;
mod iron;
mod keys;
mod logs;
mod mail;
mod memory;
mod migrate;
mod nodes;
mod pages;
mod postgres;
mod readme;
mod refresh_model;
mod rest;
mod server;
mod sessions;
mod source;
mod storm;
mod syncs;
mod throttle;
mod x_access_token;
