//! What may be done: one function a verb, shared by all dialects, the pages and the command line.
//! Each takes the application, who asks and one input of parsed values, opens at most one
//! transaction, and knows no wire format.

pub mod account;
pub mod audit;
pub mod credentials;
pub mod delivery;
pub mod email_change;
pub mod errands;
pub mod export;
pub mod failures;
pub mod first_admin;
mod guess;
pub mod housekeeping;
mod issue;
pub mod keys;
pub mod mails;
pub mod overview;
pub mod page_sessions;
pub mod policy;
mod post;
pub mod profile;
pub mod projects;
pub mod recovery;
pub mod search;
pub mod sessions;
pub mod sign_in;
pub mod sign_up;
pub mod tokens;
pub mod users;

pub use issue::{Issued, Token, Tokens};
