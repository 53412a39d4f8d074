//! The section `throttle`: how often somebody may fail.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::reader::Reader;
use crate::domain::network::Network;

const COUNT: RangeInclusive<i64> = 1..=1_000_000;
const YEAR: Duration = Duration::from_hours(24 * 366);

/// So many at once, and then one each time that a period has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many at once.
    pub burst: u32,
    /// After how long one more.
    pub period: Duration,
}

impl Rate {
    fn read(reader: &mut Reader, burst: &str, per_minute: &str) -> Self {
        let burst = reader.integer(burst, COUNT);
        let per_minute: u32 = reader.integer(per_minute, COUNT);
        Self { burst, period: Duration::from_mins(1) / per_minute }
    }

    fn hourly(reader: &mut Reader, name: &str) -> Self {
        let burst: u32 = reader.integer(name, COUNT);
        Self { burst, period: Duration::from_hours(1) / burst }
    }

    /// The same for so many times as many.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self { burst: self.burst.saturating_mul(factor), period: self.period / factor }
    }
}

/// How often somebody may fail.
#[derive(Clone, Debug)]
pub struct Throttle {
    /// Whether anything is limited at all.
    pub enabled: bool,
    /// Failed sign-ins for one account from one network.
    pub account_network: Rate,
    /// Failures from one network.
    pub network: Rate,
    /// Failed sign-ins for one account.
    pub account: Rate,
    /// How long a network is the account's own after a sign-in from there.
    pub known_network: Duration,
    /// Registrations from one network.
    pub registrations: Rate,
    /// Mails to one address.
    pub mails: Rate,
    /// Requests for mails from one network.
    pub mail_requests: Rate,
    /// Networks that are not limited.
    pub exempt: Vec<Network>,
}

impl Throttle {
    pub(super) fn read(reader: &mut Reader) -> Self {
        Self {
            enabled: reader.boolean("throttle.enabled"),
            account_network: Rate::read(
                reader,
                "throttle.account_network_failures",
                "throttle.account_network_per_minute",
            ),
            network: Rate::read(reader, "throttle.network_failures", "throttle.network_per_minute"),
            account: Rate::read(reader, "throttle.account_failures", "throttle.account_per_minute"),
            known_network: reader.duration("throttle.known_network", Duration::ZERO..=YEAR),
            registrations: Rate::hourly(reader, "throttle.registrations_per_hour"),
            mails: Rate::hourly(reader, "throttle.mails_per_hour"),
            mail_requests: Rate::hourly(reader, "throttle.mail_requests_per_hour"),
            exempt: reader.list("throttle.exempt", Network::parse),
        }
    }
}
