//! Stores under test, with a clock that only the test moves.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use runtime::{Holder, Lease, MemoryJournal, RunHead, Store};
use store::{SqliteJournal, SqliteOptions};
use tempfile::TempDir;

/// A clock moved by hand; clones show the same time.
#[derive(Clone)]
pub(crate) struct HandClock(Arc<AtomicI64>);

impl HandClock {
    pub(crate) fn at(millis: i64) -> Self {
        Self(Arc::new(AtomicI64::new(millis)))
    }

    pub(crate) fn advance(&self, millis: i64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }

    pub(crate) fn reader(&self) -> impl Fn() -> i64 + Send + Sync + 'static {
        let time = Arc::clone(&self.0);
        move || time.load(Ordering::SeqCst)
    }
}

/// A store and what it stands on.
pub(crate) struct Fixture {
    pub(crate) journal: Arc<dyn Store>,
    pub(crate) clock: HandClock,
    _folder: Option<TempDir>,
}

pub(crate) fn memory() -> Fixture {
    let clock = HandClock::at(1_000_000);
    Fixture { journal: Arc::new(MemoryJournal::new(clock.reader())), clock, _folder: None }
}

pub(crate) async fn sqlite() -> Fixture {
    let clock = HandClock::at(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(clock.reader());
    let journal = SqliteJournal::open(&folder.path().join("runs.db"), options).await.unwrap();
    Fixture { journal: Arc::new(journal), clock, _folder: Some(folder) }
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
