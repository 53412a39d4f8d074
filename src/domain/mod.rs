//! What things are. No I/O, no framework: values, their rules and the names of what can go wrong.

pub mod audit;
pub mod caller;
pub mod common_passwords;
pub mod error;
pub mod id;
pub mod limits;
pub mod network;
pub mod overview;
pub mod password;
pub mod permission;
pub mod project;
pub mod session;
pub mod token;
pub mod user;
