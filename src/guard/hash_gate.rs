//! The one place where passwords are hashed: on threads of its own, never on the async runtime,
//! behind a bounded queue. Knows nothing of users, nor whether an attempt should be made at all.

mod limits;
mod queue;
mod worker;

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::domain::error::{Error, Result};
use crate::domain::password::{self, Cost, NewPassword, Password, PasswordHash, Workspace};
use crate::secret;
use limits::Limits;
use queue::{Job, Queue};
use worker::Worker;

/// Who is refused learns of it after so long: a client that comes again at once would otherwise take the cores from
/// the hashes that others wait for.
const REFUSED_AFTER: Duration = Duration::from_millis(50);

/// Memory without work is given back after this long.
const RELEASE_AFTER: Duration = Duration::from_secs(10);

/// What one pass over a KiB takes on a slow core; the first measurements correct it.
const PASS_OF_A_KIB: Duration = Duration::from_nanos(700);

/// How the gate is set up.
#[derive(Clone, Copy, Debug)]
pub struct GateSettings {
    /// What new hashes cost.
    pub cost: Cost,
    /// How many hashes at once; by default as many as cores and memory allow.
    pub threads: Option<usize>,
    /// A request that would wait longer than this is refused: soon after its arrival as far as that can be foreseen, else when its
    /// turn comes.
    pub max_wait: Duration,
}

/// What became of an attempt.
#[derive(Debug)]
pub enum Verdict {
    /// Not the password, or no such user.
    Wrong,
    /// The password.
    Right,
    /// The password; the stored hash is foreign or weaker than new ones, and this replaces it.
    RightButOutdated(PasswordHash),
}

/// What the gate has done and holds, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readings {
    /// Hashing threads.
    pub threads: usize,
    /// Requests in the queue.
    pub waiting: usize,
    /// Hashes computed since the start.
    pub computed: u64,
    /// Requests refused since the start because their wait would have been, or was, too long.
    pub refused: u64,
    /// Bytes of memory kept for the next hashes.
    pub kept_bytes: usize,
}

/// The gate; cheap to clone. Its threads end with its last clone.
#[derive(Clone)]
pub struct HashGate(Arc<Gate>);

struct Gate {
    queue: Arc<Queue>,
    plan: Arc<Plan>,
    threads: usize,
    refused: AtomicU64,
    kept: Arc<AtomicUsize>,
}

/// What the jobs share.
struct Plan {
    cost: Cost,
    dummy: PasswordHash,
    /// No single hash may take more.
    budget_kib: u64,
    /// Held while a hash takes more memory than new ones do: only one such at a time.
    oversized: Mutex<()>,
    computed: AtomicU64,
}

impl HashGate {
    /// Starts the threads. They take no memory before the first hash.
    ///
    /// # Errors
    ///
    /// [`Error::Internal`] where the operating system gives no thread.
    pub fn start(settings: GateSettings) -> Result<Self> {
        Self::start_releasing(settings, RELEASE_AFTER)
    }

    fn start_releasing(settings: GateSettings, release_after: Duration) -> Result<Self> {
        let GateSettings { cost, max_wait, .. } = settings;
        let limits = Limits::read();
        let threads = settings.threads.unwrap_or_else(|| limits.threads(cost.memory_kib())).clamp(1, 1_024);
        let gate = Self(Arc::new(Gate::new(settings, limits, threads)));
        for number in 1..=threads {
            let worker = Worker { queue: Arc::clone(&gate.0.queue), kept: Arc::clone(&gate.0.kept), release_after };
            thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(|| worker.run())
                .map_err(|error| Error::Internal(format!("no thread for password hashing: {error}")))?;
        }
        tracing::info!(
            threads,
            cores = limits.cores,
            memory_limit_bytes = limits.memory,
            memory_kib = cost.memory_kib(),
            iterations = cost.iterations(),
            parallelism = cost.parallelism(),
            max_wait_ms = max_wait.as_millis(),
            "password hashing is ready"
        );
        Ok(gate)
    }

    /// The hash to store of a new password.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where the wait would be too long, as a rule after a moment.
    pub async fn hash(&self, password: NewPassword) -> Result<PasswordHash> {
        let plan = Arc::clone(&self.0.plan);
        self.submit(move |workspace| plan.hash(password.password(), workspace)).await
    }

    /// Whether the password is the one that `stored` was made of. `None`, an unknown user or one
    /// without a password, costs the same work and is [`Verdict::Wrong`].
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] where the wait would be too long, as a rule after a moment.
    pub async fn verify(&self, password: Password, stored: Option<PasswordHash>) -> Result<Verdict> {
        let plan = Arc::clone(&self.0.plan);
        self.submit(move |workspace| plan.verify(&password, stored.as_ref(), workspace)).await
    }

    /// What the gate has done and holds.
    #[must_use]
    pub fn readings(&self) -> Readings {
        Readings {
            threads: self.0.threads,
            waiting: self.0.queue.waiting(),
            computed: self.0.plan.computed.load(Ordering::Relaxed),
            refused: self.0.refused.load(Ordering::Relaxed),
            kept_bytes: self.0.kept.load(Ordering::Relaxed),
        }
    }

    /// Has a thread do `work`. If the caller goes before it began, it is skipped.
    async fn submit<T: Send + 'static>(&self, work: impl FnOnce(&mut Workspace) -> T + Send + 'static) -> Result<T> {
        let (answer, result) = oneshot::channel();
        let caller = Arc::new(());
        let arrived = Instant::now();
        let work = Box::new(move |workspace: Option<&mut Workspace>| {
            let _ = answer.send(workspace.map(work));
        });
        if let Err(wait) = self.0.queue.push(Job { caller: Arc::downgrade(&caller), arrived, work }) {
            let refused = self.refuse(wait);
            tokio::time::sleep(REFUSED_AFTER).await;
            return Err(refused);
        }
        let result = result.await;
        drop(caller);
        result
            .map_err(|_| Error::Internal("a hashing thread failed".to_owned()))?
            .ok_or_else(|| self.refuse(arrived.elapsed()))
    }

    fn refuse(&self, wait: Duration) -> Error {
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        Error::Busy(wait)
    }
}

impl Gate {
    fn new(settings: GateSettings, limits: Limits, threads: usize) -> Self {
        let GateSettings { cost, max_wait, .. } = settings;
        let guess = PASS_OF_A_KIB * cost.memory_kib() * cost.iterations();
        let plan = Plan {
            cost,
            dummy: password::dummy(cost, secret::random(), secret::random()),
            budget_kib: limits.budget_kib().max(u64::from(cost.memory_kib())),
            oversized: Mutex::new(()),
            computed: AtomicU64::new(0),
        };
        Self {
            queue: Arc::new(Queue::new(u32::try_from(threads).unwrap_or(u32::MAX), max_wait, guess)),
            plan: Arc::new(plan),
            threads,
            refused: AtomicU64::new(0),
            kept: Arc::default(),
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Plan {
    fn hash(&self, password: &Password, workspace: &mut Workspace) -> PasswordHash {
        self.computed.fetch_add(1, Ordering::Relaxed);
        password::hash(password, secret::random(), self.cost, workspace)
    }

    fn verify(&self, password: &Password, stored: Option<&PasswordHash>, workspace: &mut Workspace) -> Verdict {
        let stored = stored.filter(|stored| self.can_afford(stored)).unwrap_or(&self.dummy);
        self.computed.fetch_add(1, Ordering::Relaxed);
        let right = if stored.memory_kib() > self.cost.memory_kib() {
            let _alone = self.oversized.lock().unwrap_or_else(PoisonError::into_inner);
            let right = password::verify(password, stored, workspace);
            workspace.release();
            right
        } else {
            password::verify(password, stored, workspace)
        };
        match right {
            false => Verdict::Wrong,
            true if stored.needs_rehash(self.cost) => Verdict::RightButOutdated(self.hash(password, workspace)),
            true => Verdict::Right,
        }
    }

    /// An imported hash that wants more memory than the machine has to give would end the
    /// process; its user has to reset the password.
    fn can_afford(&self, stored: &PasswordHash) -> bool {
        let affordable = u64::from(stored.memory_kib()) <= self.budget_kib;
        if !affordable {
            tracing::warn!(memory_kib = stored.memory_kib(), "a stored password hash needs more memory than there is");
        }
        affordable
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;
    use std::time::Instant;

    use tokio::task::JoinSet;

    use super::*;

    const PATIENT: Duration = Duration::from_mins(1);
    const OTHER_PRODUCTS: &str = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";

    fn small() -> Cost {
        Cost::new(64, 1, 1).unwrap()
    }

    fn gate(cost: Cost, threads: usize, max_wait: Duration) -> HashGate {
        HashGate::start(GateSettings { cost, threads: Some(threads), max_wait }).unwrap()
    }

    fn typed(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    async fn stored(gate: &HashGate, text: &str) -> PasswordHash {
        gate.hash(NewPassword::parse(typed(text), &[]).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn right_wrong_and_unknown_each_cost_one_hash() {
        let gate = gate(small(), 1, PATIENT);
        let kept = stored(&gate, "correct horse").await;
        assert_eq!(gate.readings().computed, 1);
        let verdict = gate.verify(typed("correct horse"), Some(kept.clone())).await.unwrap();
        assert!(matches!(verdict, Verdict::Right));
        assert_eq!(gate.readings().computed, 2);
        assert!(matches!(gate.verify(typed("correct house"), Some(kept)).await.unwrap(), Verdict::Wrong));
        assert_eq!(gate.readings().computed, 3);
        assert!(matches!(gate.verify(typed("correct horse"), None).await.unwrap(), Verdict::Wrong));
        assert_eq!(gate.readings().computed, 4);
    }

    #[tokio::test]
    async fn two_hashes_of_one_password_differ() {
        let gate = gate(small(), 1, PATIENT);
        let (one, two) = (stored(&gate, "correct horse").await, stored(&gate, "correct horse").await);
        assert_ne!(one.as_str(), two.as_str());
    }

    #[tokio::test]
    async fn weaker_and_foreign_hashes_are_replaced_after_success_only() {
        let weak = stored(&gate(small(), 1, PATIENT), "correct horse").await;
        let gate = gate(Cost::new(128, 2, 1).unwrap(), 1, PATIENT);
        for old in [weak, PasswordHash::parse(OTHER_PRODUCTS).unwrap()] {
            assert!(matches!(gate.verify(typed("correct house"), Some(old.clone())).await.unwrap(), Verdict::Wrong));
            let verdict = gate.verify(typed("correct horse"), Some(old)).await.unwrap();
            let Verdict::RightButOutdated(new) = verdict else { panic!("{verdict:?}") };
            assert!(new.as_str().starts_with("$argon2id$v=19$m=128,t=2,p=1$"));
            assert!(matches!(gate.verify(typed("correct horse"), Some(new)).await.unwrap(), Verdict::Right));
        }
    }

    #[tokio::test]
    async fn a_hash_that_took_more_than_ours_stays_and_its_memory_goes_at_once() {
        let strong = stored(&gate(Cost::new(256, 2, 1).unwrap(), 1, PATIENT), "correct horse").await;
        let gate = gate(small(), 1, PATIENT);
        let verdict = gate.verify(typed("correct horse"), Some(strong)).await.unwrap();
        assert!(matches!(verdict, Verdict::Right));
        stored(&gate, "battery staple").await;
        wait_until(|| gate.readings().kept_bytes == 64 * 1_024).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn two_hundred_at_once_are_all_answered_rightly() {
        let gate = gate(small(), 2, PATIENT);
        let kept = stored(&gate, "correct horse").await;
        let mut attempts = JoinSet::new();
        for number in 0..200 {
            let (gate, kept) = (gate.clone(), kept.clone());
            attempts.spawn(async move {
                let right = number % 2 == 0;
                let password = typed(if right { "correct horse" } else { "correct house" });
                let verdict = gate.verify(password, Some(kept)).await.unwrap();
                matches!(verdict, Verdict::Right) == right
            });
        }
        assert!(attempts.join_all().await.into_iter().all(|as_expected| as_expected));
        assert_eq!(gate.readings().computed, 201);
        assert_eq!(gate.readings().waiting, 0);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_flood_is_refused_at_once_and_the_rest_is_answered_in_time() {
        let max_wait = Duration::from_millis(200);
        let gate = gate(Cost::new(8_192, 1, 1).unwrap(), 1, max_wait);
        let mut attempts = JoinSet::new();
        for _ in 0..500 {
            let gate = gate.clone();
            attempts.spawn(async move {
                let began = Instant::now();
                (gate.verify(typed("correct horse"), None).await, began.elapsed())
            });
        }
        let (mut answered, mut refused) = (0_u64, 0_u64);
        for (outcome, took) in attempts.join_all().await {
            match outcome {
                Ok(verdict) => {
                    assert!(matches!(verdict, Verdict::Wrong));
                    answered += 1;
                }
                Err(Error::Busy(retry_after)) => {
                    assert!(retry_after > max_wait);
                    assert!(took < Duration::from_secs(2), "refused after {took:?}");
                    refused += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(answered > 0 && refused > 0, "{answered} answered, {refused} refused");
        assert_eq!((gate.readings().computed, gate.readings().refused), (answered, refused));
    }

    #[tokio::test]
    async fn who_came_first_is_served_first() {
        let gate = gate(small(), 1, PATIENT);
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut jobs = JoinSet::new();
        for number in 0..50 {
            let (gate, order) = (gate.clone(), Arc::clone(&order));
            jobs.spawn(async move { gate.submit(move |_| order.lock().unwrap().push(number)).await });
        }
        jobs.join_all().await.into_iter().collect::<Result<Vec<()>>>().unwrap();
        assert_eq!(*order.lock().unwrap(), (0..50).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn a_job_whose_caller_left_before_it_began_is_skipped() {
        let gate = gate(small(), 1, PATIENT);
        let (open, closed) = std::sync::mpsc::channel::<()>();
        let holding = tokio::spawn({
            let gate = gate.clone();
            async move { gate.submit(move |_| closed.recv().is_ok()).await }
        });
        let leaving = tokio::spawn({
            let gate = gate.clone();
            async move { gate.verify(typed("correct horse"), None).await }
        });
        wait_until(|| gate.readings().waiting == 1).await;
        leaving.abort();
        assert!(leaving.await.unwrap_err().is_cancelled());
        open.send(()).unwrap();
        assert!(holding.await.unwrap().unwrap());
        gate.submit(|_| ()).await.unwrap();
        assert_eq!(gate.readings().computed, 0);
    }

    #[tokio::test]
    async fn a_panic_fails_its_own_caller_alone() {
        let gate = gate(small(), 1, PATIENT);
        let failed = gate.submit(|_| panic!("a test's own panic")).await;
        assert!(matches!(failed, Result::<()>::Err(Error::Internal(_))));
        assert!(matches!(gate.verify(typed("correct horse"), None).await.unwrap(), Verdict::Wrong));
    }

    #[tokio::test]
    async fn memory_is_taken_at_the_first_hash_and_given_back_when_idle() {
        let settings = GateSettings { cost: small(), threads: Some(2), max_wait: PATIENT };
        let gate = HashGate::start_releasing(settings, Duration::from_millis(50)).unwrap();
        assert_eq!(gate.readings().kept_bytes, 0);
        stored(&gate, "correct horse").await;
        wait_until(|| gate.readings().kept_bytes == 64 * 1_024).await;
        wait_until(|| gate.readings().kept_bytes == 0).await;
        stored(&gate, "correct horse").await;
    }

    #[tokio::test]
    async fn the_threads_end_with_the_last_clone() {
        let gate = gate(small(), 3, PATIENT);
        let (clone, queue) = (gate.clone(), Arc::downgrade(&gate.0.queue));
        drop(gate);
        stored(&clone, "correct horse").await;
        drop(clone);
        wait_until(|| Weak::strong_count(&queue) == 0).await;
    }

    async fn wait_until(mut condition: impl FnMut() -> bool) {
        let began = Instant::now();
        while !condition() {
            assert!(began.elapsed() < Duration::from_secs(20), "waited in vain");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
