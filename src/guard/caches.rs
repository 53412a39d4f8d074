//! All caches of the verify path, how they share their memory, and what each change makes them
//! forget.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use super::cache::{Cache, HeapSize};
use super::fingerprint::{Fingerprint, Fingerprints};
use super::freshness::Freshness;
use super::jwt::{AccessClaims, LEEWAY};
use super::profile::Profile;
use super::tokens::{TokenHash, Tokens};
use crate::clock::{Clock, Timestamp};
use crate::domain::id::{ProjectId, SessionId, UserId};
use crate::domain::project::ProjectAccess;
use crate::store::Change;

/// What is kept in memory.
pub(crate) struct Caches {
    pub(crate) tokens: Tokens,
    pub(crate) users: Cache<UserId, Arc<Profile>>,
    pub(crate) projects: Cache<ProjectId, ProjectAccess>,
    /// By the fingerprints of their texts.
    pub(crate) access_tokens: Cache<Fingerprint, AccessClaims>,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) foreign_tokens: Cache<(), Arc<HashSet<TokenHash>>>,
    pub(crate) ended_sessions: EndedSessions,
    /// Told when the keys may not be the ones in memory any more.
    pub(crate) keys_changed: Notify,
    /// Whether they were rotated, as far as is known, and could not be read since.
    pub(crate) keys_are_doubtful: AtomicBool,
    freshness: Arc<Freshness>,
    clock: Clock,
}

impl Caches {
    /// Caches of at most about `bytes` bytes together.
    pub(crate) fn new(bytes: u64, max_staleness: Duration, clock: Clock, remember: Duration) -> Self {
        let freshness = Arc::new(Freshness::new(max_staleness));
        let share = |percent: u64| bytes / 100 * percent;
        Self {
            tokens: Tokens::new(share(64), Arc::clone(&freshness)),
            users: Cache::new(share(13), 900, Arc::clone(&freshness)),
            projects: Cache::new(share(16), 0, Arc::clone(&freshness)),
            access_tokens: Cache::new(share(6), 0, Arc::clone(&freshness)),
            fingerprints: Fingerprints::new(),
            foreign_tokens: Cache::new(share(1), 1_024, Arc::clone(&freshness)),
            ended_sessions: EndedSessions::new(remember, clock.clone()),
            keys_changed: Notify::new(),
            keys_are_doubtful: AtomicBool::new(false),
            freshness,
            clock,
        }
    }

    pub(crate) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    /// Forgets what these changes made untrue.
    pub(crate) fn apply(&self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::User(id) => {
                    self.users.forget(id);
                    self.tokens.forget_holder(*id);
                }
                Change::Token(hash) => self.tokens.forget(hash),
                Change::ForeignTokens => self.foreign_tokens.forget(&()),
                Change::Session(id) => self.ended_sessions.insert(*id),
                Change::Project(id) => self.projects.forget(id),
                Change::Keys => self.keys_changed.notify_one(),
            }
        }
    }

    /// Sessions that are kept as ended before this moment need not be known any more.
    pub(crate) fn remember_sessions_since(&self) -> Timestamp {
        // Either clock may have been wrong: the present one, and the one that they ended by.
        self.clock.now().minus(self.ended_sessions.remember() + CLOCK_ERROR)
    }

    /// Keeps nothing but what cannot have become untrue, and these ended sessions.
    pub(crate) fn forget_everything(&self, ended: &[(SessionId, Timestamp)]) {
        for (id, _) in ended {
            self.ended_sessions.insert(*id);
        }
        self.tokens.forget_all();
        self.users.forget_all();
        self.projects.forget_all();
        self.foreign_tokens.forget_all();
        self.keys_changed.notify_one();
    }
}

/// How wrong a clock may be for a while without any harm to what ended: a day ahead or a day back.
const CLOCK_ERROR: Duration = Duration::from_hours(24);

/// The sessions that ended while access tokens of theirs may still look valid. The same cost
/// with ten and with a million.
pub(crate) struct EndedSessions {
    /// With the time that had passed when that was heard of: a clock may be set.
    heard_at: papaya::HashMap<SessionId, u64>,
    remember_millis: AtomicU64,
    clock: Clock,
}

impl EndedSessions {
    fn new(longest_lifetime: Duration, clock: Clock) -> Self {
        let ended = Self { heard_at: papaya::HashMap::new(), remember_millis: AtomicU64::new(0), clock };
        ended.remember_for(longest_lifetime);
        ended
    }

    /// From now on an ended session is remembered for as long as access tokens of this lifetime need it,
    /// also one that was issued while the clock was wrong.
    pub(crate) fn remember_for(&self, longest_lifetime: Duration) {
        self.remember_millis.store(millis(longest_lifetime + LEEWAY + CLOCK_ERROR), Ordering::Release);
    }

    /// How long an ended session has to be remembered.
    pub(crate) fn remember(&self) -> Duration {
        Duration::from_millis(self.remember_millis.load(Ordering::Acquire))
    }

    pub(crate) fn insert(&self, id: SessionId) {
        self.heard_at.pin().insert(id, millis(self.clock.passed()));
    }

    pub(crate) fn contains(&self, id: SessionId) -> bool {
        self.heard_at.pin().contains_key(&id)
    }

    /// Drops those whose last access token is over.
    pub(crate) fn sweep(&self) {
        let oldest = millis(self.clock.passed().saturating_sub(self.remember()));
        self.heard_at.pin().retain(|_, heard_at| *heard_at >= oldest);
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

impl HeapSize for AccessClaims {
    fn heap_size(&self) -> usize {
        0
    }
}

impl HeapSize for ProjectAccess {
    fn heap_size(&self) -> usize {
        self.shares() * size_of::<UserId>()
    }
}

impl HeapSize for Arc<HashSet<TokenHash>> {
    fn heap_size(&self) -> usize {
        // A handful; never pushed out by its own weight.
        0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;
    use crate::domain::caller::Principal;
    use crate::domain::error::Result;
    use crate::domain::id::TokenId;
    use crate::secret::unique;
    use crate::store::TokenHit;

    fn hit() -> TokenHit {
        let holder = Principal { id: UserId::from_bytes(unique()), is_admin: false };
        let id = TokenId::from_bytes(unique());
        TokenHit { id, admin: false, expires_at: None, holder, holder_is_active: true }
    }

    fn access() -> ProjectAccess {
        let [owner, others @ ..] = [(); 10].map(|()| UserId::from_bytes(unique()));
        ProjectAccess::new(owner, others.into())
    }

    /// A tenth of the default memory, and a tenth of a million tokens and of a hundred thousand
    /// projects that ten people share each.
    #[tokio::test]
    async fn a_million_tokens_and_the_projects_of_their_users_stay_in_memory() -> Result<()> {
        let caches = Caches::new((128 << 20) / 10, Duration::from_mins(1), Clock::System, Duration::from_mins(1));
        let tokens: Vec<TokenHash> = (0..100_000).map(|_| unique()).collect();
        let projects: Vec<ProjectId> = (0..10_000).map(|_| ProjectId::from_bytes(unique())).collect();
        for token in &tokens {
            caches.tokens.get_or_load(*token, async || Ok(Some(hit()))).await?;
        }
        for project in &projects {
            caches.projects.get_or_load(*project, async || Ok(Some(access()))).await?;
        }
        let missed = AtomicUsize::new(0);
        for token in tokens {
            let load = async || Ok(missed.fetch_add(1, Ordering::Relaxed)).map(|_| None);
            caches.tokens.get_or_load(token, load).await?;
        }
        for project in projects {
            let load = async || Ok(missed.fetch_add(1, Ordering::Relaxed)).map(|_| None);
            caches.projects.get_or_load(project, load).await?;
        }
        // With many cores a cache has many parts, of which some get more than their share.
        assert!(missed.load(Ordering::Relaxed) < 5_000, "{missed:?} of 110,000 were read again");
        Ok(())
    }
}
