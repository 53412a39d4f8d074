//! Everything that lives as long as the process: store, keys, guard, gate, mailer, clock and
//! settings, in one handle that is cheap to clone. Decides nothing.

mod data_dir;
mod errand;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::mpsc;

pub use self::data_dir::Presence;
pub use self::errand::{Errand, Errands};
use crate::clock::{Clock, Timestamp};
use crate::config::Settings;
pub use crate::config::{Registration, SuperUser};
use crate::domain::error::{Error, Result};
use crate::domain::password::Cost;
use crate::domain::session::Dialect;
use crate::guard::Guard;
use crate::guard::caches::Caches;
use crate::guard::hash_gate::{GateSettings, HashGate};
use crate::guard::jwt::Realm;
use crate::guard::keyring::Keyring;
use crate::mail::Mailer;
use crate::secret::random;
use crate::store::{self, CommitHook, Commits, Store};

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
    store: Store,
    keyring: Keyring,
    guard: Guard,
    gate: HashGate,
    mailer: Mailer,
    errands: mpsc::Sender<Errand>,
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
        let _alone = data_dir::prepare(&settings.data_dir, presence)?;
        let caches = Arc::new(OnceLock::<Arc<Caches>>::new());
        let commits = Commits { clock: clock.clone(), on_commit: tell(&caches), group: settings.commit_group };
        let store = Store::open(settings.database_path(), commits).map_err(OpenError::new)?;
        let keys = data_dir::keys(&settings, &store, presence, clock.now()).await?;
        let realm = Realm {
            issuer: settings.issuer(&public_url).to_owned(),
            audience: settings.audience(&public_url).to_owned(),
        };
        let keyring = Keyring::from_material(&keys, realm).map_err(OpenError::new)?;
        let longest = longest_lifetime(&settings, &store).await.map_err(|error| OpenError::of_store(&error))?;
        let caches = caches.get_or_init(|| {
            Arc::new(Caches::new(settings.cache.memory_mib << 20, settings.feed.max_staleness, clock.clone(), longest))
        });
        let guard = Guard::new(store.clone(), keyring.clone(), Arc::clone(caches));
        guard.follow().await.map_err(|error| OpenError::of_store(&error))?;
        let mailbox = settings.mail.from.to_string();
        let mailer =
            Mailer::outbox(settings.data_dir.join("outbox"), &mailbox, clock.clone()).map_err(OpenError::new)?;
        let gate = gate(&settings)?;
        let (errands, waiting) = mpsc::channel(ERRANDS);
        let inner = Inner { settings, public_url, clock, store, keyring, guard, gate, mailer, errands };
        Ok((Self(Arc::new(inner)), Errands(waiting)))
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
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

    /// Where everything is kept.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The keys that make and check credentials.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.0.keyring
    }

    pub(crate) fn guard(&self) -> &Guard {
        &self.0.guard
    }

    pub(crate) fn gate(&self) -> &HashGate {
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

/// The longest lifetime that an access token was ever given, in this configuration or an earlier
/// one: ended sessions are remembered that long.
async fn longest_lifetime(settings: &Settings, store: &Store) -> Result<Duration> {
    let configured =
        Dialect::ALL.map(|dialect| settings.lifetimes(dialect).access).into_iter().max().unwrap_or_default();
    let known = store::meta::find(&store.reads(), store::meta::LONGEST_LIFETIME).await?;
    let known = Duration::from_secs(known.and_then(|seconds| seconds.parse().ok()).unwrap_or_default());
    if configured > known {
        let seconds = (configured.as_secs() + 1).to_string();
        store
            .write(async move |tx: &store::Tx<'_>| store::meta::set(tx, store::meta::LONGEST_LIFETIME, &seconds).await)
            .await?;
    }
    Ok(configured.max(known))
}
