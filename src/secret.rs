//! Secrets in memory, randomness and comparison. A [`Secret`] is wiped when dropped and shows
//! nothing of itself in logs; [`random`] is the only door to the operating system's randomness.

use std::cell::RefCell;

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

/// `N` bytes that are given once and cannot be foreseen, for what is no secret itself. Asked of the
/// operating system in stocks, so that few requests wait for it.
///
/// # Panics
///
/// As [`random`] does.
#[must_use]
pub fn unique<const N: usize>() -> [u8; N] {
    const STOCK: usize = 1_024;
    thread_local! {
        static LEFT: RefCell<([u8; STOCK], usize)> = const { RefCell::new(([0; STOCK], 0)) };
    }
    const { assert!(N <= STOCK, "more than a stock") };
    LEFT.with_borrow_mut(|(stock, left)| {
        if *left < N {
            (*stock, *left) = (random(), STOCK);
        }
        let mut bytes = [0; N];
        bytes.copy_from_slice(&stock[*left - N..*left]);
        *left -= N;
        bytes
    })
}

/// Whether two byte strings are equal, in time that depends on their lengths alone.
#[must_use]
pub fn same(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn what_is_unique_is_given_once_on_every_thread() {
        let threads = (0..4).map(|_| std::thread::spawn(|| (0..1_000).map(|_| unique::<12>()).collect::<Vec<_>>()));
        let given: HashSet<_> =
            threads.collect::<Vec<_>>().into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(given.len(), 4_000);
    }
}
