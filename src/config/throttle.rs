//! The section `throttle`: how often somebody may fail.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use crate::domain::limits::{Limits, Rate};
use crate::domain::network::Network;

const COUNT: RangeInclusive<i64> = 1..=1_000_000;
const YEAR: Duration = Duration::from_hours(24 * 366);

/// Whether and how failures are limited.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Whether anything is.
    pub enabled: bool,
    /// How many there may be.
    pub limits: Limits,
    /// How long a network is an account's own after a sign-in from there.
    pub known_network: Duration,
}

impl Throttle {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let mut count = |name| reader.integer(name, COUNT);
        let limits = Limits {
            account_network: Rate::then_per_minute(
                count("throttle.account_network_failures"),
                count("throttle.account_network_per_minute"),
            ),
            network: Rate::then_per_minute(count("throttle.network_failures"), count("throttle.network_per_minute")),
            account: Rate::then_per_minute(count("throttle.account_failures"), count("throttle.account_per_minute")),
            registrations: Rate::hourly(count("throttle.registrations_per_hour")),
            mails: Rate::hourly(count("throttle.mails_per_hour")),
            mail_requests: Rate::hourly(count("throttle.mail_requests_per_hour")),
            exempt: reader.list("throttle.exempt", Network::parse),
        };
        Self {
            enabled: reader.boolean("throttle.enabled"),
            limits,
            known_network: reader.duration("throttle.known_network", Duration::ZERO..=YEAR),
        }
    }
}
