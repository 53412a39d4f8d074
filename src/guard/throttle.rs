//! How often somebody may fail. Decides in memory, before any password is hashed: for an account from one
//! network, for a network, and for an account from everywhere. What is in flight counts as failed until
//! it is known better, so that nobody gets more guesses by asking at once. One set of counters serves all
//! dialects.

mod attempt;
mod shared;
mod table;

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::hmac;

pub(crate) use self::attempt::Attempt;
use self::shared::Tally;
pub(crate) use self::shared::{SharedKey, Untold};
use self::table::Table;
use crate::clock::{Clock, Timestamp};
use crate::domain::error::{Error, Result};
use crate::domain::id::UserId;
use crate::domain::limits::{Limits, Rate};
use crate::domain::network::Network;
use crate::domain::user::{Email, LoginName};
use crate::secret::random;

/// How many keys of a kind are known at a time: 1 MiB at 16 bytes each, taken as it is used.
const CELLS: usize = 65_536;
/// The tables' time begins here, so that none of its moments is zero.
const BEGINNING: Duration = Duration::from_hours(24);
/// A site is so many networks.
const SITE_FACTOR: u32 = 10;
/// A token that is not known counts once in this time, however often a client that was not told of its end
/// shows it.
const SAME_TOKEN: Duration = Duration::from_mins(10);

/// What is counted. Its number is part of keys in the database: never renumbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Failed sign-ins for an account from a network.
    AccountNetwork = 0,
    /// Failures from a network.
    Network = 1,
    /// Failures from an IPv6 site.
    Site = 2,
    /// Failed sign-ins for an account from everywhere.
    Account = 3,
    /// Registrations from a network.
    Registration = 4,
    /// Mails to an address.
    Mail = 5,
    /// Requests for mails from a network.
    MailRequest = 6,
    /// Registrations from an IPv6 site.
    SiteRegistration = 7,
    /// Requests for mails from an IPv6 site.
    SiteMailRequest = 8,
}

/// What is counted for a network, and the same for its site.
type OfNetwork = (Kind, Kind);

const FAILURES: OfNetwork = (Kind::Network, Kind::Site);

/// Limits failures; one for the whole process.
pub(crate) struct Throttle(Option<Box<Counters>>);

struct Counters {
    clock: Clock,
    key: hmac::Key,
    exempt: Vec<Network>,
    account_networks: Table,
    networks: Table,
    sites: Table,
    accounts: Table,
    registrations: Table,
    mails: Table,
    mail_requests: Table,
    site_registrations: Table,
    site_mail_requests: Table,
    unknown_tokens: Table,
    tally: Option<Tally>,
}

/// Whose password is guessed.
#[derive(Clone, Copy)]
pub(crate) enum Account<'a> {
    /// A user, by whatever name.
    User(UserId),
    /// Nobody; under this name.
    Unknown(&'a LoginName),
}

/// Whether an account is known on the network that a guess comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Familiarity {
    /// It has not been asked.
    Unasked,
    /// It signed in there lately: what strangers elsewhere do is no matter.
    Known,
}

/// Why a guess is not to be made.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Too many failed for this account, all over: a network that it is known on would be let through.
    OfAccount(Duration),
    /// Too many failed from here.
    OfNetwork(Duration),
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::OfAccount(wait) | Refusal::OfNetwork(wait) => Self::TooMany(wait),
        }
    }
}

impl Throttle {
    /// With these limits.
    pub(crate) fn new(limits: Limits, clock: Clock, shared: Option<SharedKey>) -> Self {
        let tally = shared.is_some().then(Tally::default);
        let key = shared.map_or_else(random::<32>, SharedKey::into_bytes);
        let small = CELLS / 4;
        Self(Some(Box::new(Counters {
            clock,
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            account_networks: Table::new(limits.account_network, CELLS),
            networks: Table::new(limits.network, CELLS),
            sites: Table::new(limits.network.times(SITE_FACTOR), small),
            accounts: Table::new(limits.account, CELLS),
            registrations: Table::new(limits.registrations, small),
            mails: Table::new(limits.mails, small),
            mail_requests: Table::new(limits.mail_requests, small),
            site_registrations: Table::new(limits.registrations.times(SITE_FACTOR), small),
            site_mail_requests: Table::new(limits.mail_requests.times(SITE_FACTOR), small),
            unknown_tokens: Table::new(Rate::once_in(SAME_TOKEN), small),
            exempt: limits.exempt,
            tally,
        })))
    }

    /// Limits nothing.
    pub(crate) const fn off() -> Self {
        Self(None)
    }

    /// Begins a guess of an account's password.
    ///
    /// # Errors
    ///
    /// [`Refusal`], where nothing is counted.
    pub(crate) fn guess(
        &self,
        account: Account<'_>,
        familiarity: Familiarity,
        address: Option<IpAddr>,
    ) -> Result<Attempt<'_>, Refusal> {
        let Some(counters) = self.0.as_deref() else { return Ok(Attempt::uncounted()) };
        let mut attempt = Attempt { counters: Some(counters), taken: Vec::with_capacity(4) };
        for (kind, key) in counters.network_keys(FAILURES, address) {
            attempt.take(kind, key).map_err(Refusal::OfNetwork)?;
        }
        let Some(name) = account.name() else { return Ok(attempt) };
        if let Some(address) = address {
            let network = Network::of_client(address).to_bytes();
            let key = counters.hash(Kind::AccountNetwork, &[&name, &network]);
            attempt.take(Kind::AccountNetwork, key).map_err(Refusal::OfNetwork)?;
        }
        if familiarity == Familiarity::Unasked {
            let key = counters.hash(Kind::Account, &[&name]);
            attempt.take(Kind::Account, key).map_err(Refusal::OfAccount)?;
        }
        Ok(attempt)
    }

    /// Whether anything at all may be tried from an address.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<()> {
        let Some(counters) = self.0.as_deref() else { return Ok(()) };
        for (kind, key) in counters.network_keys(FAILURES, address) {
            let wait = counters.table(kind).wait(key, counters.now());
            if !wait.is_zero() {
                return Err(Error::TooMany(wait));
            }
        }
        Ok(())
    }

    /// Something failed that was tried from an address.
    pub(crate) fn failed(&self, address: Option<IpAddr>) {
        let Some(counters) = self.0.as_deref() else { return };
        for (kind, key) in counters.network_keys(FAILURES, address) {
            counters.table(kind).add(key, counters.now());
            counters.note(kind, key);
        }
    }

    /// A token was looked up, by its hash, and is not known. The same one from the same network counts once
    /// in a while.
    pub(crate) fn failed_to_find(&self, token: &[u8; 32], address: Option<IpAddr>) {
        let (Some(counters), Some(client)) = (self.0.as_deref(), address) else { return };
        let network = Network::of_client(client).to_bytes();
        if counters.unknown_tokens.take(counters.hash(Kind::Network, &[token, &network]), counters.now()).is_ok() {
            self.failed(address);
        }
    }

    /// Counts a registration.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn register(&self, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        self.count_network((Kind::Registration, Kind::SiteRegistration), address)
    }

    /// Counts a request for a mail, from a network and to an address.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`], where neither is counted.
    pub(crate) fn mail(&self, to: &Email, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let mut attempt = self.count_network((Kind::MailRequest, Kind::SiteMailRequest), address)?;
        if let Some(counters) = attempt.counters {
            let key = counters.hash(Kind::Mail, &[to.canonical().as_bytes()]);
            attempt.take(Kind::Mail, key).map_err(Error::TooMany)?;
        }
        Ok(attempt)
    }

    /// Begins to ask who or what there is; to be withdrawn where it is found.
    ///
    /// # Errors
    ///
    /// [`Error::TooMany`].
    pub(crate) fn look_up(&self, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let nobody = Account::Unknown(&LoginName::Nobody);
        self.guess(nobody, Familiarity::Unasked, address).map_err(Error::from)
    }

    /// Counts something from a network.
    fn count_network(&self, kinds: OfNetwork, address: Option<IpAddr>) -> Result<Attempt<'_>> {
        let Some(counters) = self.0.as_deref() else { return Ok(Attempt::uncounted()) };
        let mut attempt = Attempt { counters: Some(counters), taken: Vec::new() };
        for (kind, key) in counters.network_keys(kinds, address) {
            attempt.take(kind, key).map_err(Error::TooMany)?;
        }
        Ok(attempt)
    }

    /// What other nodes have to be told of; empty where there are none.
    pub(crate) fn untold(&self) -> Vec<Untold> {
        self.tally().map(Tally::take).unwrap_or_default()
    }

    /// Keeps what other nodes could not be told of.
    pub(crate) fn put_back(&self, untold: &[Untold]) {
        if let Some(tally) = self.tally() {
            tally.put_back(untold);
        }
    }

    fn tally(&self) -> Option<&Tally> {
        self.0.as_deref().and_then(|counters| counters.tally.as_ref())
    }

    /// How much later one more failure of a kind is forgotten, and within what time all are.
    pub(crate) fn rate(&self, kind: Kind) -> Option<Rate> {
        self.0.as_deref().map(|counters| counters.table(kind).rate())
    }

    /// Learns how long it takes until what all nodes counted under a key is forgotten.
    pub(crate) fn learn(&self, kind: Kind, key: u64, due: Duration) {
        let Some(counters) = self.0.as_deref() else { return };
        let learn = || counters.table(kind).raise(key, due, counters.now());
        if let Some(tally) = &counters.tally {
            tally.unless_cleared(kind, key, learn);
        }
    }
}

impl Account<'_> {
    /// What it is counted under; none where nobody can have the name.
    fn name(self) -> Option<Vec<u8>> {
        let named = |kind: u8, name: &[u8]| [&[kind], name].concat();
        Some(match self {
            Self::User(id) => named(0, id.as_bytes()),
            Self::Unknown(LoginName::Email(email)) => named(1, email.canonical().as_bytes()),
            Self::Unknown(LoginName::Username(username)) => named(2, username.canonical().as_bytes()),
            Self::Unknown(LoginName::Nobody) => return None,
        })
    }
}

impl Counters {
    /// By the time that passes: whatever the clock is set to, nobody waits longer, nor is anybody forgiven
    /// sooner.
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(0).plus(BEGINNING + self.clock.passed())
    }

    const fn table(&self, kind: Kind) -> &Table {
        match kind {
            Kind::AccountNetwork => &self.account_networks,
            Kind::Network => &self.networks,
            Kind::Site => &self.sites,
            Kind::Account => &self.accounts,
            Kind::Registration => &self.registrations,
            Kind::Mail => &self.mails,
            Kind::MailRequest => &self.mail_requests,
            Kind::SiteRegistration => &self.site_registrations,
            Kind::SiteMailRequest => &self.site_mail_requests,
        }
    }

    /// A key that nobody outside can choose.
    fn hash(&self, kind: Kind, parts: &[&[u8]]) -> u64 {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&[kind as u8]);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let tag = context.sign();
        let mut first = [0; 8];
        first.copy_from_slice(&tag.as_ref()[..8]);
        u64::from_be_bytes(first).max(1)
    }

    fn limited_network(&self, address: Option<IpAddr>) -> Option<Network> {
        let address = address.filter(|address| !self.exempt.iter().any(|network| network.contains(*address)))?;
        Some(Network::of_client(address))
    }

    fn network_keys(&self, kinds: OfNetwork, address: Option<IpAddr>) -> impl Iterator<Item = (Kind, u64)> {
        let network = self.limited_network(address);
        let site = network.and(address).and_then(Network::of_site);
        let key = |kind: Kind, network: Network| (kind, self.hash(kind, &[&network.to_bytes()]));
        network.map(|network| key(kinds.0, network)).into_iter().chain(site.map(|site| key(kinds.1, site)))
    }

    fn note(&self, kind: Kind, key: u64) {
        if let Some(tally) = &self.tally {
            tally.failed(kind, key);
        }
    }
}

#[cfg(test)]
mod tests;
