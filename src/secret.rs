//! Secrets in memory, randomness and comparison. A [`Secret`] is wiped when dropped and shows
//! nothing of itself in logs; [`random`] is the only door to the operating system's randomness.

pub use secrecy::{ExposeSecret, SecretString as Secret};
use subtle::ConstantTimeEq;

/// `N` bytes of the operating system's randomness.
///
/// # Panics
///
/// Ends the process where the operating system has no randomness to give: nothing that this
/// server hands out would be safe then.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads randomness")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}
