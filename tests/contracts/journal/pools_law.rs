//! Random lives of runs that share a pool: never more in use than there is, and nobody starves.

use proptest::prelude::*;
use runtime::{Grant, Lease, Store, Want};

use crate::fixture::{Fixture, config, head, holder, memory, postgres_in, sqlite};
use crate::schema::Schema;

const RUNS: usize = 4;
const TTL: u64 = 1_000;

#[derive(Clone, Debug)]
enum Op {
    /// Some work ends, the run reports, and starts what it may.
    Share {
        run: usize,
        ends: u32,
        want: u32,
        starts: u32,
    },
    Leave {
        run: usize,
    },
    Release {
        run: usize,
    },
    Renew {
        run: usize,
    },
    Advance {
        millis: i64,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let run = 0..RUNS;
    prop_oneof![
        10 => (run.clone(), 0..6_u32, 0..12_u32, 0..12_u32)
            .prop_map(|(run, ends, want, starts)| Op::Share { run, ends, want, starts }),
        1 => run.clone().prop_map(|run| Op::Leave { run }),
        1 => run.clone().prop_map(|run| Op::Release { run }),
        2 => run.prop_map(|run| Op::Renew { run }),
        2 => (0..600_i64).prop_map(|millis| Op::Advance { millis }),
    ]
}

/// A run as the test knows it. One whose lease ends dies with all its work.
#[derive(Clone, Default)]
struct Life {
    lease: Option<Lease>,
    expires_at: i64,
    limit: u32,
    used: u32,
    granted: u32,
    want: u32,
}

struct Lives {
    it: Fixture,
    now: i64,
    lives: Vec<Life>,
}

impl Lives {
    async fn new(it: Fixture, limits: &[u32]) -> Self {
        for run in 0..RUNS {
            it.journal.create(&head(&run.to_string()), b"").await.unwrap();
        }
        let lives = limits.iter().map(|&limit| Life { limit, ..Life::default() }).collect();
        Self { it, now: 0, lives }
    }

    async fn live(&mut self, run: usize) -> Lease {
        if self.lives[run].lease.is_none() {
            let lease = self.it.journal.acquire(&run.to_string(), &holder("x"), TTL).await.unwrap();
            self.lives[run] = Life {
                lease: Some(lease),
                expires_at: self.now + TTL as i64,
                limit: self.lives[run].limit,
                ..Life::default()
            };
        }
        self.lives[run].lease.clone().unwrap()
    }

    async fn share(&mut self, run: usize, ends: u32, want: u32) -> Grant {
        let lease = self.live(run).await;
        let life = &mut self.lives[run];
        life.used = life.used.saturating_sub(ends);
        life.want = want;
        let asked = Want { pool: "p".into(), key: "k".into(), limit: life.limit, used: life.used, want, unit: 1 };
        let store: &dyn Store = &*self.it.journal;
        let grant = store.share(&lease, "prod", &[asked]).await.unwrap()[0];
        life.granted = grant.slots;
        grant
    }

    async fn step(&mut self, op: &Op) {
        match *op {
            Op::Share { run, ends, want, starts } => {
                let grant = self.share(run, ends, want).await;
                let life = &mut self.lives[run];
                life.used = life.used.max(grant.slots.min(life.used + starts));
            }
            Op::Leave { run } => {
                // Whoever leaves has nothing in use.
                let lease = self.live(run).await;
                (self.lives[run].used, self.lives[run].granted, self.lives[run].want) = (0, 0, 0);
                self.it.journal.leave(&lease).await.unwrap();
            }
            Op::Release { run } => {
                if let Some(lease) = self.lives[run].lease.take() {
                    self.it.journal.release(&lease).await.unwrap();
                }
            }
            Op::Renew { run } => {
                let lease = self.live(run).await;
                self.it.journal.renew(&lease, TTL).await.unwrap();
                self.lives[run].expires_at = self.now + TTL as i64;
            }
            Op::Advance { millis } => {
                self.it.clock.advance(millis);
                self.now += millis;
                for life in self.lives.iter_mut().filter(|life| life.expires_at <= self.now) {
                    life.lease = None;
                }
            }
        }
    }

    /// All that the live runs use or may use.
    fn held(&self) -> u32 {
        self.lives.iter().filter(|life| life.lease.is_some()).map(|life| life.used.max(life.granted)).sum()
    }

    /// Everyone reports, having ended what is beyond its grant.
    async fn round(&mut self) -> Vec<Grant> {
        let mut grants = Vec::new();
        for run in 0..RUNS {
            let (ends, want) = (self.lives[run].used.saturating_sub(self.lives[run].granted), self.lives[run].want);
            grants.push(self.share(run, ends, want).await);
        }
        grants
    }
}

async fn obeys_the_law(it: Fixture, limits: &[u32], ops: &[Op]) {
    let mut all = Lives::new(it, limits).await;
    let (least, most) = (*limits.iter().min().unwrap(), *limits.iter().max().unwrap());
    for op in ops {
        all.step(op).await;
        assert!(all.held() <= most, "{} of {most} after {op:?}", all.held());
    }
    for run in 0..RUNS {
        all.step(&Op::Renew { run }).await;
        all.lives[run].want = all.lives[run].want.max(1);
    }
    // All are known after the first round, have been told their part after the second, and use no more in the third.
    for _ in 0..3 {
        all.round().await;
    }
    let grants = all.round().await;
    let participants = RUNS as u32;
    let wanted: u32 = all.lives.iter().map(|life| life.want).sum();
    for (grant, life) in grants.iter().zip(&all.lives) {
        assert!(grant.slots >= life.want.min(least / participants), "{grant:?} of {least}, wants {}", life.want);
        assert_eq!(grant.participants, participants);
    }
    assert_eq!(grants.iter().map(|grant| grant.slots).sum::<u32>(), wanted.min(least), "nothing lies idle");
    assert!(all.held() <= least);
}

async fn on_all(schema: &Schema, limits: &[u32], ops: &[Op]) {
    obeys_the_law(memory(), limits, ops).await;
    obeys_the_law(sqlite().await, limits, ops).await;
    obeys_the_law(postgres_in(schema.clone()).await, limits, ops).await;
}

#[test]
fn never_more_than_the_limit_and_nobody_starves() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    proptest!(config(32), |(limit in 0..14_u32, ops in proptest::collection::vec(op(), 1..80))| {
        runtime.block_on(on_all(&schema, &[limit; RUNS], &ops));
    });
}

#[test]
fn the_smallest_limit_holds_once_all_have_reported() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let schema = Schema::new();
    let limits = proptest::collection::vec(0..14_u32, RUNS);
    proptest!(config(32), |(limits in limits, ops in proptest::collection::vec(op(), 1..80))| {
        runtime.block_on(on_all(&schema, &limits, &ops));
    });
}
