//! Stores under test, with a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use proptest::test_runner::{Config as ProptestConfig, RngSeed};
use runtime::{Holder, Lease, MemoryJournal, RunHead, Store};
use store::{PostgresStore, SqliteJournal, SqliteOptions};
use tempfile::TempDir;

use crate::schema::Schema;

/// When the clock of a fixture starts.
const START: i64 = 1_000_000;

/// A clock moved by hand; clones show the same time.
#[derive(Clone)]
pub(crate) struct HandClock {
    time: Arc<AtomicI64>,
    /// A schema whose clock moves with it.
    schema: Option<Arc<Schema>>,
}

impl HandClock {
    pub(crate) fn at(millis: i64) -> Self {
        Self { time: Arc::new(AtomicI64::new(millis)), schema: None }
    }

    pub(crate) fn advance(&self, millis: i64) {
        let before = self.time.fetch_add(millis, Ordering::SeqCst);
        if let Some(schema) = &self.schema {
            schema.set_clock(before + millis);
        }
    }

    pub(crate) fn reader(&self) -> impl Fn() -> i64 + Send + Sync + 'static {
        let time = Arc::clone(&self.time);
        move || time.load(Ordering::SeqCst)
    }
}

/// A store and what it stands on.
pub(crate) struct Fixture {
    pub(crate) name: &'static str,
    pub(crate) journal: Arc<dyn Store>,
    pub(crate) clock: HandClock,
    _folder: Option<TempDir>,
}

pub(crate) fn memory() -> Fixture {
    let clock = HandClock::at(START);
    Fixture { name: "memory", journal: Arc::new(MemoryJournal::new(clock.reader())), clock, _folder: None }
}

pub(crate) async fn sqlite() -> Fixture {
    let clock = HandClock::at(START);
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(clock.reader());
    let journal = SqliteJournal::open(&folder.path().join("runs.db"), options).await.unwrap();
    Fixture { name: "SQLite", journal: Arc::new(journal), clock, _folder: Some(folder) }
}

/// A store in a schema of its own, in the cluster that the tests share.
pub(crate) async fn postgres() -> Fixture {
    postgres_in(Schema::new()).await
}

/// A store in a schema, all of whose rows go and whose clock starts anew.
pub(crate) async fn postgres_in(schema: Schema) -> Fixture {
    let store = PostgresStore::open(&schema.address()).await.unwrap();
    schema.empty();
    Fixture::postgres(store, schema)
}

impl Fixture {
    /// Of a store that is open, in a schema whose clock starts anew.
    pub(crate) fn postgres(store: PostgresStore, schema: Schema) -> Self {
        schema.set_clock(START);
        let clock = HandClock { schema: Some(Arc::new(schema)), ..HandClock::at(START) };
        Self { name: "PostgreSQL", journal: Arc::new(store), clock, _folder: None }
    }
}

/// Cases of random operations. Their seed is printed, and `REINSTATE_SEED` repeats it.
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let asked = std::env::var("REINSTATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let drawn = || u64::from(std::process::id()) << 32 | store::system_now().unsigned_abs() & 0xffff_ffff;
    let seed = asked.unwrap_or_else(drawn);
    eprintln!("REINSTATE_SEED={seed}");
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(seed), failure_persistence: None, ..ProptestConfig::default() }
}

pub(crate) fn head(run: &str) -> RunHead {
    RunHead { run: run.to_owned(), plan_hash: format!("hash of {run}"), created_at: 77 }
}

/// A holder whose process nobody can look up, so that only time frees its lease.
pub(crate) fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), pid: 0, host: "here".to_owned() }
}

/// Creates a run and takes its lease.
pub(crate) async fn driven(store: &dyn Store, run: &str, ttl_ms: u64) -> Lease {
    store.create(&head(run), b"plan").await.unwrap();
    store.acquire(run, &holder(run), ttl_ms).await.unwrap()
}
