//! Everything that lives as long as the process: store, keys, guard, gate, mailer, clock and
//! settings, in one handle that is cheap to clone. Decides nothing.

mod audit;
mod data_dir;
mod database;
mod errand;
mod keys;
mod lifetimes;
mod mailer;
mod overview;
mod throttle;
pub mod transfer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};

pub use self::audit::Refusals;
pub use self::data_dir::Presence;
pub use self::errand::{EmailWish, Errand, Errands};
use self::keys::{KeySafe, Stamp};
use self::overview::Census;
use crate::clock::watch::{Verdict, Watch};
use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
pub use crate::config::{ClusterSecret, Registration, SuperUser};
use crate::domain::audit::Event;
use crate::domain::error::{Error, Result};
use crate::domain::password::Cost;
use crate::domain::session::Lifetimes;
use crate::guard::Guard;
use crate::guard::caches::Caches;
use crate::guard::hash_gate::{GateSettings, HashGate};
use crate::guard::jwk;
use crate::guard::jwt::Realm;
use crate::guard::keyring::{Keyring, Purpose, Settling};
use crate::guard::throttle::Throttle;
use crate::mail::Mailer;
use crate::secret::random;
use crate::store::key_material::KeyMaterial;
use crate::store::{CommitHook, Commits, Store};

/// How many copies of what is kept of a user are made at once: each may take many statements and much memory.
const EXPORTS: usize = 2;

/// How many errands may wait.
const ERRANDS: usize = 1_024;

/// Why the data directory cannot be put to work; the text says how to mend it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct OpenError(String);

impl OpenError {
    fn new(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    /// Of a store that could be opened, and cannot be used.
    pub(crate) fn of_store(error: &Error) -> Self {
        match error {
            Error::Unavailable(cause) => Self(format!(
                "{cause}: if another process holds it, wait for that to end; if the disk is full, free some space; if the \
                 database is damaged, stop every doorward on it, keep a copy, and restore it from a backup"
            )),
            other => Self::new(other),
        }
    }
}

/// The running application.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    settings: Settings,
    public_url: String,
    clock: Clock,
    watch: Watch,
    store: Store,
    safe: KeySafe,
    keyring: Keyring,
    purpose: Purpose,
    longest: ArcSwap<Lifetimes>,
    guard: Guard,
    throttle: Arc<Throttle>,
    gate: HashGate,
    mailer: Mailer,
    errands: mpsc::Sender<Errand>,
    refusals: Refusals,
    census: Census,
    exports: Semaphore,
}

impl App {
    /// Opens the data directory and everything in it. The errands come with it: whoever opens
    /// the application runs them, or drops them where none will be given.
    ///
    /// # Errors
    ///
    /// [`OpenError`], with what is wrong and how to mend it.
    pub async fn open(
        settings: Settings,
        public_url: String,
        clock: Clock,
        presence: Presence,
    ) -> Result<(Self, Errands), OpenError> {
        let safe = KeySafe::of(&settings)?;
        // Where the database has a clock that several nodes judge by, it is theirs.
        let clock = match clock {
            Clock::System if safe.is_shared() => Clock::following(),
            clock => clock,
        };
        let _alone = data_dir::prepare(&settings.data_dir, presence, !safe.is_shared())?;
        let caches = Arc::new(OnceLock::<Arc<Caches>>::new());
        let commits = Commits { clock: clock.clone(), on_commit: tell(&caches), group: settings.commit_group };
        let store =
            Store::open(database::location(&settings)?, presence.schema(), commits).await.map_err(OpenError::new)?;
        transfer::refuse_moved(&store).await?;
        let keys = safe.open(&store, settings.tokens.algorithm, presence, clock.now()).await?;
        let purpose = purpose(&settings, &public_url, &keys, &safe);
        let keyring = Keyring::from_material(&keys, &purpose).map_err(OpenError::new)?;
        let longest = lifetimes::remember(&settings, &store).await.map_err(|error| OpenError::of_store(&error))?;
        let caches = caches.get_or_init(|| {
            Arc::new(Caches::new(
                settings.cache.memory_mib << 20,
                settings.feed.max_staleness,
                clock.clone(),
                longest.access,
            ))
        });
        let throttle = Arc::new(throttle::open(&settings, &store, clock.clone(), safe.is_shared()).await?);
        let guard = Guard::new(store.clone(), keyring.clone(), Arc::clone(caches), Arc::clone(&throttle));
        guard.follow().await.map_err(|error| OpenError::of_store(&error))?;
        // What was rotated before the feed was followed was told to nobody here.
        let keys = safe.read(&store).await.map_err(|error| OpenError::of_store(&error))?;
        keyring.replace(&keys, &purpose).map_err(OpenError::new)?;
        let mailer = mailer::open(&settings, &public_url, clock.clone())?;
        let gate = gate(&settings)?;
        let (errands, waiting) = mpsc::channel(ERRANDS);
        let refusals = Refusals::new(clock.clone());
        let inner = Inner {
            settings,
            public_url,
            watch: Watch::over(clock.clone()),
            clock,
            store,
            safe,
            keyring,
            purpose,
            longest: ArcSwap::from_pointee(longest),
            guard,
            throttle,
            gate,
            mailer,
            errands,
            refusals,
            census: Census::default(),
            exports: Semaphore::new(EXPORTS),
        };
        Ok((Self(Arc::new(inner)), Errands(waiting)))
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Every key of the configuration with the value that holds where none is set.
    #[must_use]
    pub fn default_settings() -> Vec<(String, String)> {
        Settings::default().describe()
    }

    /// What clients call this server, without a trailing slash.
    #[must_use]
    pub fn public_url(&self) -> &str {
        &self.0.public_url
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    /// Whether the clock may be believed by what cannot be undone.
    pub(crate) fn look_at_clock(&self) -> Verdict {
        self.0.watch.look()
    }

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Leave to make a copy of what is kept of a user, for as long as it is held.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where as many are being made as may be.
    pub(crate) fn export(&self) -> Result<SemaphorePermit<'_>> {
        self.0.exports.try_acquire().map_err(|_| Error::Busy(Duration::from_secs(5)))
    }

    /// The keys that make and check credentials.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    /// The longest lifetimes that credentials of this store were ever given.
    pub(crate) fn longest_lifetimes(&self) -> Lifetimes {
        **self.0.longest.load()
    }

    /// Learns what longer lifetimes another process has given since.
    ///
    /// # Errors
    ///
    /// That the store cannot be read.
    pub(crate) async fn learn_lifetimes(&self) -> Result<()> {
        let longest = lifetimes::read(&self.0.store).await?;
        self.0.guard.remember_ended_for(longest.access);
        self.0.longest.store(Arc::new(longest));
        Ok(())
    }

    /// How old a new key is before it is used.
    pub(crate) fn settling(&self) -> Settling {
        self.0.purpose.settling
    }

    /// The keys as they are kept.
    ///
    /// # Errors
    ///
    /// That they cannot be read.
    pub(crate) async fn keys(&self) -> Result<KeyMaterial> {
        self.0.safe.read(&self.0.store).await
    }

    /// What tells the keys as they are kept from those before; `None` where one would have to read them.
    pub(crate) fn keys_stamp(&self) -> Option<Stamp> {
        self.0.safe.stamp()
    }

    /// Goes on with the keys as they are kept now.
    ///
    /// # Errors
    ///
    /// That they cannot be read or used; then the old ones stay.
    pub async fn reload_keys(&self) -> Result<()> {
        self.use_keys(&self.keys().await?)
    }

    /// Replaces the keys by what `change` makes of them, on every server.
    ///
    /// # Errors
    ///
    /// What `change` returns, or that the keys cannot be kept.
    pub(crate) async fn replace_keys(
        &self,
        change: impl FnOnce(KeyMaterial) -> Result<(KeyMaterial, Option<Event>)> + Clone + Send + 'static,
    ) -> Result<KeyMaterial> {
        let _alone = self.0.safe.lock()?;
        let keys = self.0.safe.replace(&self.0.store, change).await?;
        self.use_keys(&keys)?;
        Ok(keys)
    }

    /// Seals the keys in the database under another secret.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] where they are in no database, or that they cannot be kept.
    pub(crate) async fn reseal_keys(&self, event: Event, secret: ClusterSecret) -> Result<()> {
        self.0.safe.reseal(&self.0.store, event, secret).await
    }

    fn use_keys(&self, keys: &KeyMaterial) -> Result<()> {
        let used = self.0.keyring.replace(keys, &self.0.purpose);
        used.map_err(|error| Error::Internal(format!("the keys cannot be used: {error}")))?;
        self.0.guard.trust_keys();
        Ok(())
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    /// Where passwords are hashed.
    #[must_use]
    pub fn gate(&self) -> &HashGate {
        &self.0.gate
    }

    pub(crate) fn mailer(&self) -> &Mailer {
        &self.0.mailer
    }

    /// Leaves work to be done after the answer.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where too much of it waits already.
    pub(crate) fn leave(&self, errand: Errand) -> Result<()> {
        self.0.errands.try_send(errand).map_err(|_| Error::Busy(Duration::from_secs(1)))
    }

    /// Where refusals are noted, for the audit log.
    #[must_use]
    pub fn audit(&self) -> &Refusals {
        &self.0.refusals
    }

    /// The last count of everything.
    pub(crate) fn census(&self) -> &Census {
        &self.0.census
    }

    /// Whether the store answers and its schema is up.
    ///
    /// # Errors
    ///
    /// That it does not.
    pub async fn is_ready(&self) -> Result<()> {
        self.store().ping().await
    }

    /// Eight random bytes for an identifier.
    pub(crate) fn entropy() -> [u8; 8] {
        random()
    }
}

/// The writer's way to caches that are made after the store is open.
fn tell(caches: &Arc<OnceLock<Arc<Caches>>>) -> CommitHook {
    let caches = Arc::clone(caches);
    Arc::new(move |changes| {
        if let Some(caches) = caches.get() {
            caches.apply(changes);
        }
    })
}

fn gate(settings: &Settings) -> Result<HashGate, OpenError> {
    let passwords = &settings.passwords;
    let cost = Cost::new(passwords.memory_kib, passwords.iterations, passwords.parallelism).map_err(OpenError::new)?;
    let threads = (passwords.threads > 0).then_some(passwords.threads);
    HashGate::start(GateSettings { cost, threads, max_wait: passwords.max_wait }).map_err(OpenError::new)
}

/// What the keys are used for. Nodes that have no name in common go by that of their keys.
fn purpose(settings: &Settings, public_url: &str, keys: &KeyMaterial, safe: &KeySafe) -> Purpose {
    let name = match &settings.public_url {
        None if safe.is_shared() => format!("urn:doorward:{}", keys.file_id),
        _ => public_url.to_owned(),
    };
    let realm = Realm { issuer: settings.issuer(&name).to_owned(), audience: settings.audience(&name).to_owned() };
    // A server that has not heard of changes for longer than half of this believes nothing in memory.
    let heard = 2 * settings.feed.max_staleness;
    let root = if safe.is_shared() { heard } else { Duration::ZERO };
    // Who verifies elsewhere may have read what is published just before the last server heard.
    Purpose { realm, settling: Settling { root, signing: heard + jwk::MAX_AGE } }
}
