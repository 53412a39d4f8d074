//! How often something may be tried.

use std::time::Duration;

use super::network::Network;

/// So many at once, and then one more each time that a period has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    period: Duration,
}

impl Rate {
    /// `burst` at once, then `per_minute` a minute; both are 1 at least.
    #[must_use]
    pub fn then_per_minute(burst: u32, per_minute: u32) -> Self {
        Self { burst: burst.max(1), period: Duration::from_mins(1) / per_minute.max(1) }
    }

    /// `count` within an hour; 1 at least.
    #[must_use]
    pub fn hourly(count: u32) -> Self {
        let burst = count.max(1);
        Self { burst, period: Duration::from_hours(1) / burst }
    }

    /// Once in each `period`.
    #[must_use]
    pub const fn once_in(period: Duration) -> Self {
        Self { burst: 1, period }
    }

    /// The same for `factor` (1 at least) times as many.
    #[must_use]
    pub fn times(self, factor: u32) -> Self {
        Self { burst: self.burst.saturating_mul(factor), period: self.period / factor.max(1) }
    }

    /// After how long one more is allowed.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }

    /// After how long everything is allowed again.
    #[must_use]
    pub fn window(self) -> Duration {
        self.period.saturating_mul(self.burst)
    }
}

/// How often somebody may fail, or have something done.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Failed sign-ins for one account from one network.
    pub account_network: Rate,
    /// Failures from one network; from a site of many networks ten times as many.
    pub network: Rate,
    /// Failed sign-ins for one account from all networks together.
    pub account: Rate,
    /// Registrations from one network.
    pub registrations: Rate,
    /// Mails to one address.
    pub mails: Rate,
    /// Requests for mails from one network.
    pub mail_requests: Rate,
    /// Networks whose own limits do not hold.
    pub exempt: Vec<Network>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_says_how_many_at_once_and_how_many_after_that() {
        let rate = Rate::then_per_minute(100, 10);
        assert_eq!((rate.period(), rate.window()), (Duration::from_secs(6), Duration::from_mins(10)));
        let site = rate.times(10);
        assert_eq!((site.period(), site.window()), (Duration::from_millis(600), Duration::from_mins(10)));
        assert_eq!(Rate::hourly(30).period(), Duration::from_mins(2));
        assert_eq!(Rate::hourly(3).window(), Duration::from_hours(1));
    }
}
