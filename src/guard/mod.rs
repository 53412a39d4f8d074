//! What keeps the server fast and safe: who a credential names, and how much work a stranger may
//! cause.

mod cache;
pub(crate) mod caches;
mod feed;
mod fingerprint;
mod freshness;
pub mod hash_gate;
pub mod jwk;
pub mod jwt;
pub mod keyring;
mod profile;
mod signer;
pub(crate) mod throttle;
mod tokens;
mod verify;

pub use profile::Profile;
pub use verify::Guard;
