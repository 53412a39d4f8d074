//! What keeps it fast and safe: keys, and the checks that need them.

pub mod jwt;
pub mod keyring;
mod signer;
