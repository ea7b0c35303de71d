//! Doubles for the ports around the driver: a journal that fails when told, a target that knows keys and watches that
//! starts are durable, a clock that leaps to whatever is waited for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use engine::{ActionSpec, Event, Holds, Millis, Outcome};
use runtime::{
    Appended, Call, Clock, Connector, Holder, Journal, JournalError, Lease, MemoryJournal, Probed, RunHead, RunSummary,
    SecretSource, StoredGroup,
};

/// How an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fail {
    /// Nothing is appended.
    Before,
    /// It is appended, and the answer is lost.
    After,
    /// Somebody else has taken the lease.
    Fenced,
    /// Appends do not; whoever renews the lease never gets an answer.
    Renewals,
}

/// A journal that fails at one append.
pub(crate) struct Faulty {
    inner: Arc<MemoryJournal>,
    at: u64,
    fail: Fail,
    count: AtomicU64,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<MemoryJournal>, at: u64, fail: Fail) -> Self {
        Self { inner, at, fail, count: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Journal for Faulty {
    async fn create(&self, head: &RunHead, plan: &[u8]) -> Result<(), JournalError> {
        self.inner.create(head, plan).await
    }
    async fn acquire(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.inner.acquire(run, holder, ttl_ms).await
    }
    async fn borrow(&self, run: &str, holder: &Holder, ttl_ms: u64) -> Result<Lease, JournalError> {
        self.inner.borrow(run, holder, ttl_ms).await
    }
    async fn renew(&self, lease: &Lease, ttl_ms: u64) -> Result<(), JournalError> {
        if self.fail == Fail::Renewals {
            return std::future::pending().await;
        }
        self.inner.renew(lease, ttl_ms).await
    }
    async fn release(&self, lease: &Lease) -> Result<(), JournalError> {
        self.inner.release(lease).await
    }
    async fn hand_on(&self, lease: &Lease) -> Result<(), JournalError> {
        self.inner.hand_on(lease).await
    }
    async fn abandoned(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.abandoned().await
    }
    async fn append(&self, lease: &Lease, expected: u64, group: &[u8]) -> Result<Appended, JournalError> {
        let lost = || JournalError::Unavailable { context: "scripted".into(), source: None };
        if self.count.fetch_add(1, Ordering::SeqCst) != self.at {
            return self.inner.append(lease, expected, group).await;
        }
        match self.fail {
            Fail::Renewals => self.inner.append(lease, expected, group).await,
            Fail::Before => Err(lost()),
            Fail::After => {
                self.inner.append(lease, expected, group).await?;
                Err(lost())
            }
            Fail::Fenced => {
                self.inner.release(lease).await?;
                let other = Holder { name: "other".into(), pid: 2, host: "there".into() };
                let newer = self.inner.acquire(&lease.run, &other, 1_000).await?;
                self.inner.release(&newer).await?;
                self.inner.append(lease, expected, group).await
            }
        }
    }
    async fn plan(&self, run: &str) -> Result<(RunHead, Vec<u8>), JournalError> {
        self.inner.plan(run).await
    }
    async fn load(&self, run: &str, from: u64, limit: u32) -> Result<Vec<StoredGroup>, JournalError> {
        self.inner.load(run, from, limit).await
    }
    async fn list(&self) -> Result<Vec<RunSummary>, JournalError> {
        self.inner.list().await
    }
}

/// A target without any protection of its own that remembers how it was called: what it makes twice was asked twice.
pub(crate) struct Scripted {
    journal: Arc<MemoryJournal>,
    effects: Mutex<BTreeMap<String, u32>>,
    early: Mutex<Vec<String>>,
}

impl Scripted {
    pub(crate) fn new(journal: Arc<MemoryJournal>) -> Self {
        Self { journal, effects: Mutex::default(), early: Mutex::default() }
    }

    pub(crate) async fn groups(&self) -> u64 {
        self.journal.load("run", 0, u32::MAX).await.unwrap().len() as u64
    }

    pub(crate) fn made_twice(&self) -> Vec<String> {
        let effects = self.effects.lock().unwrap();
        effects.iter().filter(|&(_, &count)| count > 1).map(|(key, _)| key.clone()).collect()
    }

    pub(crate) fn acted_early(&self) -> Vec<String> {
        self.early.lock().unwrap().clone()
    }

    /// Notes a call whose start is not in the journal.
    async fn watch(&self, call: &Call) {
        let mut durable = false;
        runtime::recover(&*self.journal, "run", |run, record| {
            if let Event::Started { unit, attempt, .. } = record.event {
                let key = format!("run/{}", run.unit_key(unit));
                durable |= u64::from(attempt) == call.token && key == call.key;
            }
        })
        .await
        .unwrap();
        if !durable {
            self.early.lock().unwrap().push(call.key.clone());
        }
    }
}

#[async_trait]
impl Connector for Scripted {
    fn actions(&self) -> Vec<ActionSpec> {
        vec![ActionSpec {
            uses: "noop@1".into(),
            summary: "counts effects".into(),
            input: serde_json::json!({}),
            output: serde_json::json!({}),
            idempotent: Holds::Always,
            has_probe: Holds::Always,
            read_only: false,
        }]
    }

    async fn apply(&self, call: Call) -> Outcome {
        self.watch(&call).await;
        *self.effects.lock().unwrap().entry(call.key).or_insert(0) += 1;
        Outcome::Done { outputs: None }
    }

    async fn probe(&self, call: Call) -> Probed {
        self.watch(&call).await;
        if self.effects.lock().unwrap().contains_key(&call.key) {
            return Outcome::Done { outputs: None };
        }
        let failure = engine::Failure { code: "absent".into(), message: "not there".into(), hint: "".into() };
        Outcome::Refused { failure, retry: engine::Advice::Retry }
    }
}

/// A clock that leaps to whatever is waited for.
#[derive(Default)]
pub(crate) struct LeapingClock(AtomicI64);

#[async_trait]
impl Clock for LeapingClock {
    fn now(&self) -> Millis {
        self.0.load(Ordering::SeqCst)
    }

    async fn until(&self, at: Millis) {
        tokio::task::yield_now().await;
        self.0.fetch_max(at, Ordering::SeqCst);
    }
}

/// There are no secrets.
pub(crate) struct NoSecrets;

#[async_trait]
impl SecretSource for NoSecrets {
    async fn read(&self, name: &str) -> Result<secrecy::SecretString, String> {
        Err(format!("no secret {name}"))
    }

    fn reference(&self, _: &str) -> Option<String> {
        None
    }
}
