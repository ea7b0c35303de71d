//! How fast do the journals make groups durable and give them back, on SQLite beside what bare SQLite does on the same disk in
//! the same minute, and on a PostgreSQL server? And what does it cost to ask for what runs share?
//!
//! `cargo bench --bench journal`; the file lies in `JOURNAL_BENCH_DIR`, else in the system's temporary folder, as the server does.
#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use reinstate_benches::postgres::Cluster;
use runtime::{Holder, Journal, Lease, RunHead, Store, Want};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Where a store is.
enum Place {
    File(TempDir),
    Server(Box<Cluster>),
}

impl Place {
    fn file() -> Self {
        let parent = std::env::var_os("JOURNAL_BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
        Self::File(tempfile::tempdir_in(parent).unwrap())
    }

    /// A server that makes all durable before it answers, in the system's temporary folder.
    fn server() -> Self {
        Self::Server(Box::new(Cluster::with().set("fsync", "on").start()))
    }

    /// A store of its own there.
    fn open(&self, runtime: &Runtime) -> Arc<dyn Store> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("runs{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let address = match self {
            Self::File(folder) => format!("sqlite:{}", folder.path().join(name).display()),
            Self::Server(cluster) => {
                cluster.create(&name);
                cluster.url(&name)
            }
        };
        runtime.block_on(store::open(&address)).unwrap()
    }
}

/// Both kinds, with what follows the names of their benches.
fn places() -> [(&'static str, Place); 2] {
    [("", Place::file()), ("_postgres", Place::server())]
}

async fn driven(journal: &dyn Journal, run: &str) -> Lease {
    let head = RunHead { run: run.to_owned(), plan_hash: String::new(), created_at: 0 };
    journal.create(&head, b"plan").await.unwrap();
    let holder = Holder { name: "bench".to_owned(), pid: std::process::id(), host: "here".to_owned() };
    journal.acquire(run, &holder, u64::MAX).await.unwrap()
}

/// `writers` runs append `groups` groups of `size` bytes each, one after another within a run.
async fn appends(journal: &Arc<dyn Store>, leases: &mut [(Lease, u64)], groups: u64, size: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for (lease, next) in leases.iter_mut() {
        let (journal, lease, from) = (Arc::clone(journal), lease.clone(), *next);
        *next += groups;
        tasks.spawn(async move {
            let group = vec![0x5a; size];
            for seq in from..from + groups {
                journal.append(&lease, seq, &group).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
}

fn append(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (kind, place) in places() {
        let mut group = criterion.benchmark_group(format!("journal_append{kind}"));
        group.sample_size(10).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
        for (writers, size) in [(1_u64, 1_000_usize), (1, 100_000), (8, 100_000), (64, 1_000)] {
            if let Place::File(folder) = &place {
                let anchor = folder.path().join(format!("anchor-{writers}-{size}"));
                let anchor = runtime.block_on(store::anchor(&anchor, 100, 1.0)).unwrap();
                eprintln!("anchor: {anchor:.0} rows/s, 100 rows a commit");
            }
            let journal = place.open(&runtime);
            let mut leases: Vec<(Lease, u64)> = runtime.block_on(async {
                let mut leases = Vec::new();
                for run in 0..writers {
                    leases.push((driven(&*journal, &format!("run {run}")).await, 0));
                }
                leases
            });
            group.throughput(Throughput::Elements(writers));
            group.bench_function(BenchmarkId::from_parameter(format!("{writers}x{size}")), |bencher| {
                bencher.iter_custom(|rounds| {
                    let started = Instant::now();
                    runtime.block_on(appends(&journal, &mut leases, rounds, size));
                    started.elapsed()
                });
            });
        }
        group.finish();
    }
}

fn load(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for (kind, place) in places() {
        let journal = place.open(&runtime);
        let mut leases = vec![(runtime.block_on(driven(&*journal, "a")), 0)];
        runtime.block_on(appends(&journal, &mut leases, 200, 100_000));
        let mut group = criterion.benchmark_group(format!("journal_load{kind}"));
        group.sample_size(10).measurement_time(Duration::from_secs(2)).throughput(Throughput::Bytes(20_000_000));
        group.bench_function("200x100000", |bencher| {
            bencher.iter(|| runtime.block_on(journal.load("a", 0, u32::MAX)).unwrap());
        });
        group.finish();
    }
}

/// What a driver asks several times a second, and what it asks once for all its sites.
fn shared(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    let place = Place::file();
    let store = place.open(&runtime);
    let (a, b) = runtime.block_on(async { (driven(&*store, "a").await, driven(&*store, "b").await) });
    let mut group = criterion.benchmark_group("shared");
    group.sample_size(10).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    group.bench_function("take_nothing", |bencher| {
        bencher.iter(|| runtime.block_on(store.take(&a, 0)).unwrap());
    });
    let wants = |used| -> Vec<Want> {
        let want =
            |key: u32| Want { pool: "writes".to_owned(), key: key.to_string(), limit: 8, used, want: 99, unit: 1 };
        (0..100).map(want).collect()
    };
    for lease in [&a, &b, &a, &b] {
        runtime.block_on(store.share(lease, "prod", &wants(0))).unwrap();
    }
    group.bench_function("share_100_unchanged", |bencher| {
        bencher.iter(|| runtime.block_on(store.share(&a, "prod", &wants(3))).unwrap());
    });
    group.bench_function("share_100_changed", |bencher| {
        let mut used = 5;
        bencher.iter(|| {
            used = 11 - used;
            runtime.block_on(store.share(&a, "prod", &wants(used))).unwrap()
        });
    });
    let sites: Vec<String> = (0..100_000_u64).map(|site| format!("{:032x}", u128::from(site).pow(6))).collect();
    group.bench_function("hold_100000", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let started = Instant::now();
                runtime.block_on(store.hold_sites("a", "prod", &sites)).unwrap();
                spent += started.elapsed();
                runtime.block_on(store.let_go_all("a")).unwrap();
            }
            spent
        });
    });
    group.finish();
}

criterion_group!(journal, append, load, shared);
criterion_main!(journal);
