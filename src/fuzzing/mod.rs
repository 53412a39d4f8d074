//! What must hold of each reader of what strangers write, whatever they write. `fuzz/` has a target for each of
//! these and looks for an input for which it does not; the tests here try a few inputs each time, so that the
//! properties keep up with the code. No part of any release.

#![expect(clippy::unwrap_used, reason = "what does not hold stops the run")]

mod bodies;
mod credentials;
mod kept;
mod names;
mod settings;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

/// No input may take longer.
const LONGEST: Duration = Duration::from_millis(100);

macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident = $property:path;)*) => {
        $(
            $(#[$doc])*
            pub fn $name(input: &[u8]) {
                at_once($property, input);
            }
        )*

        /// Each target with its name.
        pub const TARGETS: &[(&str, fn(&[u8]))] = &[$((stringify!($name), $name)),*];
    };
}

targets! {
    /// JWTs, signed or not.
    access_tokens = credentials::access_tokens;
    /// Rows of the feed of changes.
    changes = kept::changes;
    /// Where a request may carry its token.
    credentials = credentials::presented;
    /// Form bodies and queries.
    forms = bodies::forms;
    /// Ids in both spellings.
    identifiers = names::identifiers;
    /// JSON bodies and their fields.
    json = bodies::json;
    /// The text of the keys, and what is sealed.
    keys = kept::keys;
    /// Moments of RFC 3339.
    moments = settings::moments;
    /// Emails, usernames and other names of users.
    names = names::names;
    /// Addresses, networks, and what proxies say of clients.
    origin = credentials::origin;
    /// The place in a list to go on from.
    pages = bodies::pages;
    /// Passwords, and hashes as they are kept or imported.
    passwords = kept::passwords;
    /// Permissions and sets of them.
    permissions = names::permissions;
    /// Durations, URLs and other values of the configuration.
    settings = settings::settings;
    /// API tokens, refresh tokens, secrets of single use.
    tokens = credentials::tokens;
}

/// Runs a property; slow is only what is slow three times in a row, because machines have other work to do too.
fn at_once(property: fn(&[u8]), input: &[u8]) {
    let is_slow = || {
        let begun = Instant::now();
        property(input);
        begun.elapsed() > LONGEST
    };
    assert!(!(is_slow() && is_slow() && is_slow()), "this input takes more than {LONGEST:?}");
}

/// The first byte as one of `count` cases, and the rest as a text, if it is one.
fn case_of(input: &[u8], count: u8) -> Option<(u8, &str)> {
    let (case, rest) = input.split_first()?;
    Some((case % count, str::from_utf8(rest).ok()?))
}
