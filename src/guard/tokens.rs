//! The API tokens in memory: as small as they can be, because there may be millions, and each with
//! what of its holder decides whether it is good.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cache::{Cache, HeapSize};
use super::freshness::Freshness;
use crate::clock::Timestamp;
use crate::domain::caller::Principal;
use crate::domain::error::Result;
use crate::domain::id::{TokenId, UserId};
use crate::store::TokenHit;

/// The keyed hash of a token's text.
pub(crate) type TokenHash = [u8; 32];

/// Half of that hash: 128 bits under a secret key, which nobody can aim at.
type Key = [u8; 16];

/// In how many places changes of users are noted; a change makes the tokens of one in so many users
/// be read anew.
const PLACES: usize = 1 << 12;

/// The tokens in memory, and which of their holders changed since they were read.
pub(crate) struct Tokens {
    entries: Cache<Key, Held>,
    /// How many changes of users were heard of.
    heard: AtomicU64,
    /// The last of them that concerned a user of each place.
    changed: Box<[AtomicU64]>,
}

impl Tokens {
    /// A cache of at most about `bytes` bytes.
    pub(crate) fn new(bytes: u64, freshness: Arc<Freshness>) -> Self {
        let changed = (0..PLACES).map(|_| AtomicU64::new(0)).collect();
        Self { entries: Cache::new(bytes, 0, freshness), heard: AtomicU64::new(0), changed }
    }

    /// The token of this hash, from memory or by `load`.
    pub(crate) async fn get_or_load<F>(&self, hash: TokenHash, load: impl Fn() -> F) -> Result<Option<TokenHit>>
    where
        F: Future<Output = Result<Option<TokenHit>>>,
    {
        let key = key(&hash);
        if let Some(held) = self.entries.get(&key) {
            if self.is_current(&held) {
                return Ok(Some(held.unpack()));
            }
            self.entries.forget(&key);
        }
        // What is heard of from here on may or may not be in what is read: it counts as not.
        let heard = self.heard.load(Ordering::Acquire);
        let loaded = self.entries.load(key, || async { Ok(load().await?.map(|hit| Held::pack(&hit, heard))) });
        match loaded.await? {
            // Another may have begun to read it before the change that this request has to see.
            Some(held) if !self.is_current(&held) => load().await,
            held => Ok(held.map(|held| held.unpack())),
        }
    }

    fn is_current(&self, held: &Held) -> bool {
        self.place(held.holder).load(Ordering::Acquire) <= u64::from_ne_bytes(held.heard)
    }

    fn place(&self, user: UserId) -> &AtomicU64 {
        // The last bytes of an id are random.
        let [.., high, low] = *user.as_bytes();
        &self.changed[usize::from(u16::from_be_bytes([high, low])) % PLACES]
    }

    /// Drops what is kept, and what is being read, of a token.
    pub(crate) fn forget(&self, hash: &TokenHash) {
        self.entries.forget(&key(hash));
    }

    /// Believes nothing any more that was read of a user before.
    pub(crate) fn forget_holder(&self, user: UserId) {
        let heard = self.heard.fetch_add(1, Ordering::AcqRel) + 1;
        self.place(user).fetch_max(heard, Ordering::AcqRel);
    }

    /// Drops everything.
    pub(crate) fn forget_all(&self) {
        self.entries.forget_all();
    }
}

fn key(hash: &TokenHash) -> Key {
    let mut key = Key::default();
    key.copy_from_slice(&hash[..16]);
    key
}

/// A [`TokenHit`] in bytes, without the gaps that alignment would leave.
#[derive(Clone)]
struct Held {
    id: TokenId,
    holder: UserId,
    /// Microseconds; the last moment of all where it never ends.
    expires_at: [u8; 8],
    /// How many changes of users had been heard of before it was read.
    heard: [u8; 8],
    flags: u8,
}

const ADMIN: u8 = 1;
const HOLDER_IS_ADMIN: u8 = 2;
const HOLDER_IS_ACTIVE: u8 = 4;

impl Held {
    fn pack(hit: &TokenHit, heard: u64) -> Self {
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        Self {
            id: hit.id,
            holder: hit.holder.id,
            expires_at: hit.expires_at.map_or(i64::MAX, Timestamp::micros).to_ne_bytes(),
            heard: heard.to_ne_bytes(),
            flags: flag(hit.admin, ADMIN)
                | flag(hit.holder.is_admin, HOLDER_IS_ADMIN)
                | flag(hit.holder_is_active, HOLDER_IS_ACTIVE),
        }
    }

    fn unpack(&self) -> TokenHit {
        let expires_at = i64::from_ne_bytes(self.expires_at);
        TokenHit {
            id: self.id,
            admin: self.flags & ADMIN != 0,
            expires_at: (expires_at < i64::MAX).then(|| Timestamp::from_micros(expires_at)),
            holder: Principal { id: self.holder, is_admin: self.flags & HOLDER_IS_ADMIN != 0 },
            holder_is_active: self.flags & HOLDER_IS_ACTIVE != 0,
        }
    }
}

impl HeapSize for Held {
    fn heap_size(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    fn tokens() -> Tokens {
        Tokens::new(1 << 20, Arc::new(Freshness::new(Duration::from_secs(10))))
    }

    fn user(last: u8) -> UserId {
        UserId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last])
    }

    fn hit(holder: UserId, is_admin: bool) -> TokenHit {
        TokenHit {
            id: TokenId::from_bytes([7; 12]),
            admin: true,
            expires_at: Some(Timestamp::from_micros(5)),
            holder: Principal { id: holder, is_admin },
            holder_is_active: true,
        }
    }

    /// What is found under a hash, where the store would say `stored`.
    async fn find(tokens: &Tokens, stored: Option<TokenHit>) -> Option<TokenHit> {
        tokens.get_or_load([1; 32], || async { Ok(stored) }).await.unwrap()
    }

    #[tokio::test]
    async fn what_is_kept_is_what_was_read() {
        let tokens = tokens();
        let ends = TokenHit { expires_at: None, admin: false, holder_is_active: false, ..hit(user(1), false) };
        for read in [hit(user(1), true), ends] {
            tokens.forget(&[1; 32]);
            assert_eq!(find(&tokens, Some(read)).await, Some(read));
            assert_eq!(find(&tokens, None).await, Some(read), "it was not kept");
        }
    }

    #[tokio::test]
    async fn a_token_is_read_anew_once_its_holder_changed_and_not_when_another_did() {
        let tokens = tokens();
        find(&tokens, Some(hit(user(1), true))).await;
        tokens.forget_holder(user(2));
        assert_eq!(find(&tokens, None).await, Some(hit(user(1), true)));
        tokens.forget_holder(user(1));
        assert_eq!(find(&tokens, Some(hit(user(1), false))).await, Some(hit(user(1), false)));
        assert_eq!(find(&tokens, None).await, Some(hit(user(1), false)), "what was read anew was not kept");
        tokens.forget_holder(user(1));
        assert_eq!(find(&tokens, None).await, None);
    }

    #[tokio::test]
    async fn a_holder_who_changes_while_the_token_is_read_is_read_anew() {
        let tokens = tokens();
        let loaded = tokens.get_or_load([1; 32], || async {
            tokens.forget_holder(user(1));
            Ok(Some(hit(user(1), true)))
        });
        loaded.await.unwrap();
        assert_eq!(find(&tokens, Some(hit(user(1), false))).await, Some(hit(user(1), false)));
    }

    #[tokio::test]
    async fn who_asks_after_a_change_is_not_told_what_another_read_before_it() {
        let tokens = tokens();
        let (go, wait) = oneshot::channel();
        let wait = Mutex::new(Some(wait));
        let before = tokens.get_or_load([1; 32], || async {
            let wait = wait.lock().unwrap().take();
            if let Some(wait) = wait {
                wait.await.unwrap();
            }
            Ok(Some(hit(user(1), true)))
        });
        let after = async {
            tokens.forget_holder(user(1));
            let asked = find(&tokens, Some(hit(user(1), false)));
            let told = async {
                tokio::task::yield_now().await;
                go.send(()).unwrap();
            };
            tokio::join!(asked, told).0
        };
        assert_eq!(tokio::join!(before, after).1, Some(hit(user(1), false)));
    }

    #[tokio::test]
    async fn a_token_that_ended_is_forgotten() {
        let tokens = tokens();
        find(&tokens, Some(hit(user(1), true))).await;
        tokens.forget(&[1; 32]);
        assert_eq!(find(&tokens, None).await, None);
        find(&tokens, Some(hit(user(1), true))).await;
        tokens.forget_all();
        assert_eq!(find(&tokens, None).await, None);
    }
}
