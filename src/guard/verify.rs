//! Who is this? The only place that turns a credential into a [`Caller`]. Checksums, MACs and
//! signatures come first, memory second, the store last.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::caches::Caches;
use super::feed;
use super::jwt::AccessClaims;
use super::keyring::Keyring;
use super::profile::Profile;
use super::throttle::Throttle;
use super::tokens::TokenHash;
use crate::clock::Timestamp;
use crate::domain::caller::{Caller, Credential, Principal};
use crate::domain::error::{Error, Result, Unauthenticated};
use crate::domain::id::{ProjectId, UserId};
use crate::domain::project::ProjectAccess;
use crate::domain::token::ApiTokenSecret;
use crate::store::{self, Store};

/// Verifies credentials against the keys, the caches and the store.
#[derive(Clone)]
pub struct Guard {
    store: Store,
    keyring: Keyring,
    caches: Arc<Caches>,
    throttle: Arc<Throttle>,
}

impl Guard {
    /// A guard whose caches `store` already tells of its commits.
    pub(crate) const fn new(store: Store, keyring: Keyring, caches: Arc<Caches>, throttle: Arc<Throttle>) -> Self {
        Self { store, keyring, caches, throttle }
    }

    /// Learns which sessions ended lately, and begins to follow what other processes change.
    ///
    /// # Errors
    ///
    /// That the store cannot be read.
    pub async fn follow(&self) -> Result<()> {
        // The feed's position first: what ends while the list is read is heard twice, not missed.
        let tail = self.store.tail().await?;
        let since = self.remember_sessions_since();
        for (id, _) in store::sessions::list_ended(&self.store.reads(), since).await? {
            self.caches.ended_sessions.insert(id);
        }
        feed::follow(tail, &self.caches)
    }

    /// Waits until the keys may have been replaced by another process.
    pub async fn keys_changed(&self) {
        self.caches.keys_changed.notified().await;
    }

    /// Whether the feed of changes is heard, and so what is in memory may be believed.
    #[must_use]
    pub fn is_up_to_date(&self) -> bool {
        self.caches.freshness().is_trusted()
    }

    /// Verifies anew the signature of each access token, with the keys as they are now.
    pub fn trust_keys(&self) {
        self.caches.access_tokens.forget_all();
        self.caches.keys_are_doubtful.store(false, Ordering::Release);
    }

    /// Believes no access token until the keys could be read again.
    pub fn distrust_keys(&self) {
        if !self.caches.keys_are_doubtful.swap(true, Ordering::AcqRel) {
            tracing::error!("the keys could not be read for too long: no access token is believed until they are");
        }
    }

    /// Whether the keys in memory are believed to be the ones that are kept.
    #[must_use]
    pub fn trusts_keys(&self) -> bool {
        !self.caches.keys_are_doubtful.load(Ordering::Acquire)
    }

    /// Forgets what no access token can name any more.
    pub fn sweep(&self) {
        self.caches.ended_sessions.sweep();
    }

    /// Remembers ended sessions for as long as access tokens of this lifetime may look valid.
    pub fn remember_ended_for(&self, longest_lifetime: std::time::Duration) {
        self.caches.ended_sessions.remember_for(longest_lifetime);
    }

    /// Sessions that are kept as ended before this moment need not be known any more.
    #[must_use]
    pub fn remember_sessions_since(&self) -> Timestamp {
        self.caches.remember_sessions_since()
    }

    /// The caller that `token` identifies: an API token or an access token.
    ///
    /// # Errors
    ///
    /// [`Error::Unauthenticated`] with the reason, or that the store cannot answer.
    pub async fn verify(&self, token: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Caller> {
        Ok(self.verify_any(token, address, now).await?.0)
    }

    /// The user whose token this is, whole.
    ///
    /// # Errors
    ///
    /// As [`Guard::verify`].
    pub async fn verify_user(&self, token: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Arc<Profile>> {
        match self.verify_any(token, address, now).await? {
            (_, Some(user)) => Ok(user),
            (caller, None) => self.existing_user(caller.require_user()?).await,
        }
    }

    /// The caller, and the user where that had to be looked at.
    async fn verify_any(
        &self,
        token: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(Caller, Option<Arc<Profile>>)> {
        if ApiTokenSecret::is_well_formed(token) {
            return Ok((self.api_token(self.keyring.api_token_hash(token), address, now).await?, None));
        }
        if !self.trusts_keys() {
            return Err(Error::Unavailable("the keys that were rotated cannot be read".to_owned()));
        }
        match self.access_token(token, now) {
            Ok(claims) => self.session(&claims).await.map(|(caller, user)| (caller, Some(user))),
            Err(Unauthenticated::Malformed) => Ok((self.foreign_token(token, address, now).await?, None)),
            Err(reason) => Err(Error::Unauthenticated(reason)),
        }
    }

    async fn api_token(&self, hash: TokenHash, address: Option<IpAddr>, now: Timestamp) -> Result<Caller> {
        let load = || async {
            // Only what is not in memory can be a guess.
            self.throttle.admit(address)?;
            let found = store::tokens::find_by_hash(&self.store.reads(), hash).await?;
            if found.is_none() {
                self.throttle.failed_to_find(&hash, address);
            }
            Ok(found)
        };
        let hit = self.caches.tokens.get_or_load(hash, load).await?;
        let hit = hit.ok_or(Error::Unauthenticated(Unauthenticated::Ended))?;
        if hit.expires_at.is_some_and(|expires_at| now >= expires_at) {
            return Err(Error::Unauthenticated(Unauthenticated::Expired));
        }
        if !hit.holder_is_active {
            return Err(Error::Unauthenticated(Unauthenticated::Disabled));
        }
        Ok(Caller::user(hit.holder, Credential::ApiToken { id: hit.id, admin: hit.admin }))
    }

    /// A token that is none of this server's forms: configured or imported. Few are known.
    async fn foreign_token(&self, token: &str, address: Option<IpAddr>, now: Timestamp) -> Result<Caller> {
        let known = self
            .caches
            .foreign_tokens
            .get_or_load((), || async {
                let hashes = store::tokens::list_foreign(&self.store.reads()).await?;
                Ok(Some(Arc::new(hashes.into_iter().collect::<HashSet<_>>())))
            })
            .await?
            .unwrap_or_default();
        if known.is_empty() {
            return Err(Error::Unauthenticated(Unauthenticated::Malformed));
        }
        let hash = self.keyring.api_token_hash(token);
        if !known.contains(&hash) {
            // People chose these, and somebody may guess them; what is of this server's forms is mistyped.
            if !is_of_our_forms(token) {
                self.throttle.failed_to_find(&hash, address);
            }
            return Err(Error::Unauthenticated(Unauthenticated::Malformed));
        }
        self.api_token(hash, address, now).await
    }

    /// The claims of an access token whose signature holds, now or at an earlier request.
    fn access_token(&self, token: &str, now: Timestamp) -> Result<AccessClaims, Unauthenticated> {
        let Ok(key) = self.caches.fingerprints.of(token) else { return self.keyring.verify(token, now) };
        if let Some(claims) = self.caches.access_tokens.get(&key) {
            return claims.in_time(now);
        }
        let number = self.keyring.number();
        let claims = self.keyring.verify(token, now)?;
        self.caches.access_tokens.insert(key, claims);
        if self.keyring.number() != number {
            // What the old keys vouched for must not outlive them here.
            self.caches.access_tokens.forget(&key);
        }
        Ok(claims)
    }

    async fn session(&self, claims: &AccessClaims) -> Result<(Caller, Arc<Profile>)> {
        if self.caches.ended_sessions.contains(claims.session_id) {
            return Err(Error::Unauthenticated(Unauthenticated::Ended));
        }
        if !self.caches.freshness().is_trusted() {
            self.read_session_through(claims).await?;
        }
        let user = self.existing_user(claims.user_id).await?;
        if !user.is_active() {
            return Err(Error::Unauthenticated(Unauthenticated::Disabled));
        }
        let version = claims.credential_version;
        if user.credential_version != version {
            return Err(Error::Unauthenticated(Unauthenticated::Ended));
        }
        let principal = Principal { id: user.id, is_admin: user.is_admin() };
        let credential = Credential::Session { id: claims.session_id, began: claims.auth_time, version };
        Ok((Caller::user(principal, credential), user))
    }

    /// While the feed is late, the set of ended sessions may lack some.
    async fn read_session_through(&self, claims: &AccessClaims) -> Result<()> {
        let session = store::sessions::find(&self.store.reads(), claims.session_id).await?;
        if session.is_some_and(|session| session.ended_at.is_some()) {
            return Err(Error::Unauthenticated(Unauthenticated::Ended));
        }
        Ok(())
    }

    /// A user; `None` where there is none.
    ///
    /// # Errors
    ///
    /// That the store cannot answer.
    pub async fn user(&self, id: UserId) -> Result<Option<Arc<Profile>>> {
        let load = || async {
            let user = store::users::find(&self.store.reads(), id).await?;
            Ok(user.map(|user| Arc::new(Profile::new(user))))
        };
        self.caches.users.get_or_load(id, load).await
    }

    async fn existing_user(&self, id: UserId) -> Result<Arc<Profile>> {
        self.user(id).await?.ok_or(Error::Unauthenticated(Unauthenticated::UserGone))
    }

    /// Who may use a project; `None` where there is none.
    ///
    /// # Errors
    ///
    /// That the store cannot answer.
    pub async fn project_access(&self, id: ProjectId) -> Result<Option<ProjectAccess>> {
        let load = || async { store::projects::find_access(&self.store.reads(), id).await };
        self.caches.projects.get_or_load(id, load).await
    }
}

/// An API or refresh token, or an access token by other keys or for other servers.
fn is_of_our_forms(token: &str) -> bool {
    let is_signed = token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2;
    is_signed || token.starts_with("dwt_") || token.starts_with("dwr_")
}
