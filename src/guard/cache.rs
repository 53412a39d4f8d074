//! A bounded cache over the store. A value that was forgotten while it was being read is not
//! kept, a value that many wait for is read once, and nothing is served from memory while the
//! feed of changes is late.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;

use quick_cache::sync::Cache as Bounded;
use quick_cache::{OptionsBuilder, Weighter, sync::DefaultLifecycle};

use super::freshness::Freshness;
use crate::domain::error::Result;

/// How many bytes beside key and value an entry costs in the cache's tables.
const OVERHEAD: u64 = 24;

/// How many bytes a value keeps on the heap.
pub(crate) trait HeapSize {
    /// The bytes, roughly.
    fn heap_size(&self) -> usize;
}

#[derive(Clone)]
struct Bytes;

impl<K, V: HeapSize> Weighter<K, V> for Bytes {
    fn weight(&self, _: &K, value: &V) -> u64 {
        weight::<K, V>(value.heap_size())
    }
}

fn weight<K, V>(heap: usize) -> u64 {
    let bytes = size_of::<K>() + size_of::<V>() + heap;
    OVERHEAD + u64::try_from(bytes).unwrap_or(u64::MAX - OVERHEAD)
}

/// One kind of thing, kept by key.
pub(crate) struct Cache<K, V> {
    entries: Bounded<K, V, Bytes>,
    freshness: Arc<Freshness>,
}

impl<K, V> Cache<K, V>
where
    K: Copy + Eq + Hash,
    V: Clone + HeapSize,
{
    /// A cache of at most about `bytes` bytes, whose values keep about `heap` bytes each elsewhere.
    pub(crate) fn new(bytes: u64, heap: usize, freshness: Arc<Freshness>) -> Self {
        let items = usize::try_from(bytes / weight::<K, V>(heap)).unwrap_or(usize::MAX);
        let options = OptionsBuilder::new()
            .weight_capacity(bytes)
            .estimated_items_capacity(items)
            .build()
            .expect("both capacities are set");
        let entries = Bounded::with_options(
            options,
            Bytes,
            quick_cache::DefaultHashBuilder::default(),
            DefaultLifecycle::default(),
        );
        Self { entries, freshness }
    }

    /// The value under `key`, from memory or by `load`. What `load` does not find is not kept.
    pub(crate) async fn get_or_load<F>(&self, key: K, load: impl FnOnce() -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<Option<V>>>,
    {
        match self.get(&key) {
            Some(value) => Ok(Some(value)),
            None => self.load(key, load).await,
        }
    }

    /// The value under `key` where [`Cache::get`] had none: by `load`, or by another who loads it.
    pub(crate) async fn load<F>(&self, key: K, load: impl FnOnce() -> F) -> Result<Option<V>>
    where
        F: Future<Output = Result<Option<V>>>,
    {
        if !self.freshness.is_trusted() {
            return load().await;
        }
        match self.entries.get_value_or_guard_async(&key).await {
            Ok(value) => Ok(Some(value)),
            Err(guard) => {
                let loaded = load().await?;
                if let Some(value) = &loaded {
                    // Refused where `forget` came in between: then this answer is the last that
                    // may be given from what was read.
                    let _ = guard.insert(value.clone());
                }
                Ok(loaded)
            }
        }
    }

    /// The value in memory, if it is there and may be trusted.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        if self.freshness.is_trusted() { self.entries.get(key) } else { None }
    }

    /// Keeps a value that no change can make untrue.
    pub(crate) fn insert(&self, key: K, value: V) {
        self.entries.insert(key, value);
    }

    /// Drops everything that is kept, and everything that is being read.
    pub(crate) fn forget_all(&self) {
        self.entries.clear();
    }

    /// Drops what is kept, and what is being read, under `key`.
    pub(crate) fn forget(&self, key: &K) {
        self.entries.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    impl HeapSize for u32 {
        fn heap_size(&self) -> usize {
            0
        }
    }

    fn cache() -> Arc<Cache<u8, u32>> {
        Arc::new(Cache::new(1 << 20, 0, Arc::new(Freshness::new(Duration::from_secs(10)))))
    }

    #[tokio::test]
    async fn what_is_forgotten_while_it_is_read_is_not_kept() {
        let cache = cache();
        let (go, wait) = oneshot::channel();
        let reader = tokio::spawn({
            let cache = Arc::clone(&cache);
            async move {
                cache
                    .get_or_load(1, || async {
                        wait.await.unwrap();
                        Ok(Some(7))
                    })
                    .await
            }
        });
        tokio::task::yield_now().await;
        cache.forget(&1);
        go.send(()).unwrap();
        assert_eq!(reader.await.unwrap().unwrap(), Some(7));
        assert_eq!(cache.get(&1), None, "the old value was kept");
    }

    #[tokio::test]
    async fn what_is_forgotten_after_it_was_read_is_gone() {
        let cache = cache();
        cache.get_or_load(1, || async { Ok(Some(7)) }).await.unwrap();
        assert_eq!(cache.get(&1), Some(7));
        cache.forget(&1);
        assert_eq!(cache.get_or_load(1, || async { Ok(Some(8)) }).await.unwrap(), Some(8));
    }

    #[tokio::test]
    async fn a_value_that_many_wait_for_is_read_once() {
        let cache = cache();
        let reads = Arc::new(AtomicUsize::new(0));
        let waiters = (0..50).map(|_| {
            let (cache, reads) = (Arc::clone(&cache), Arc::clone(&reads));
            tokio::spawn(async move {
                cache
                    .get_or_load(1, || async {
                        reads.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        Ok(Some(7))
                    })
                    .await
            })
        });
        for waiter in waiters.collect::<Vec<_>>() {
            assert_eq!(waiter.await.unwrap().unwrap(), Some(7));
        }
        assert_eq!(reads.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nothing_is_served_from_memory_while_the_feed_is_late() {
        let freshness = Arc::new(Freshness::new(Duration::from_secs(1)));
        let cache = Cache::new(1 << 20, 0, Arc::clone(&freshness));
        cache.get_or_load(1, || async { Ok(Some(7)) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(cache.get_or_load(1, || async { Ok(Some(8)) }).await.unwrap(), Some(8));
        freshness.heard(std::time::Instant::now());
        assert_eq!(cache.get(&1), Some(7));
    }
}
