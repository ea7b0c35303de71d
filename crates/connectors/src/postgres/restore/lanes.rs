//! Connections at work: each takes the next tenant until there is none.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::OwnedSemaphorePermit;

use super::ahead::{Shelf, Waiting};
use super::careful;
use super::chunks::{self, Way};
use super::differing::Shared;
use super::error::RestoreError;
use super::load::{self, Came, Restored, Supply, Ticket};
use super::origin::Origin;
use super::pace::Pace;
use super::pair::Pair;
use super::session::{Live, run};
use super::statements::Statements;
use super::together::{self, Member};
use super::work::{Job, TenantOutcome};

/// Statements about one tenant find its rows by index; with one plan for all tenants alike they would not need to.
const BY_INDEX: &str = "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off; \
    SET enable_mergejoin = off; SET enable_seqscan = off";

/// A connection to either side.
pub(crate) struct Lane {
    pub(crate) origin: Origin,
    pub(crate) live: Live,
}

impl Lane {
    pub(super) async fn open(job: &Job) -> Result<Self, RestoreError> {
        let (origin, mut live) = futures::try_join!(Origin::open(&job.from), Live::open(&job.to, job.lock_timeout))?;
        if let Some(name) = &job.replication_origin {
            live.mark(name).await?;
        }
        Ok(Self { origin, live })
    }
}

/// A tenant that is restored by itself.
struct Turn {
    tenant: String,
    rows: u64,
    supply: Supply,
    /// The part of the memory that its rows take up.
    room: Option<OwnedSemaphorePermit>,
}

pub(super) struct Task<'a> {
    pub(super) job: &'a Job,
    pub(super) pair: &'a Pair,
    pub(super) statements: &'a Statements,
    pub(super) shared: &'a Shared,
    pub(super) alone: &'a Mutex<VecDeque<(String, u64)>>,
    pub(super) shelf: &'a Shelf,
    pub(super) pace: &'a Pace,
    pub(super) done: &'a Mutex<Vec<TenantOutcome>>,
}

impl Task<'_> {
    pub(super) async fn work(&self, lane: &mut Lane) -> Result<(), RestoreError> {
        run(&mut lane.live.connection, BY_INDEX, "set up the session").await?;
        loop {
            let next = self.next(lane).await?;
            if next.is_empty() {
                return Ok(());
            }
            for Turn { tenant, rows, supply, room } in next {
                let streamed = matches!(supply, Supply::Stream) || self.is_large(rows);
                let result = self.one(lane, (&tenant, rows), supply).await;
                drop(room);
                // A stream that was not read to its end leaves its connection useless, too.
                let broken = result.as_ref().is_err_and(|error| streamed || breaks(error));
                self.note(TenantOutcome { tenant, result });
                if broken {
                    self.open_again(lane).await?;
                }
            }
        }
    }

    async fn open_again(&self, lane: &mut Lane) -> Result<(), RestoreError> {
        *lane = Lane::open(self.job).await?;
        lane.origin.snapshot().await?;
        run(&mut lane.live.connection, BY_INDEX, "set up the session").await
    }

    fn note(&self, outcome: TenantOutcome) {
        if let Ok(mut done) = self.done.lock() {
            done.push(outcome);
        }
    }

    fn put_back(&self, tenant: String, rows: u64) {
        if let Ok(mut alone) = self.alone.lock() {
            alone.push_back((tenant, rows));
        }
    }

    /// Whether a tenant of so many rows is too large for one transaction.
    fn is_large(&self, rows: u64) -> bool {
        self.job.chunk_rows > 0 && rows > self.job.chunk_rows
    }

    /// Takes what comes next; none if there is nothing left. Small tenants are restored together on the way: of those,
    /// only ones that have to be restored by themselves are returned.
    async fn next(&self, lane: &mut Lane) -> Result<Vec<Turn>, RestoreError> {
        loop {
            if let Some((tenant, rows)) = self.alone.lock().ok().and_then(|mut alone| alone.pop_front()) {
                return Ok(vec![Turn { tenant, rows, supply: Supply::Stream, room: None }]);
            }
            let together = lane.live.quiet && Statements::reads_all(self.pair) && !self.pair.has_large_objects();
            let more = |taken: &[Waiting]| {
                let rows = taken.iter().map(|waiting| waiting.extract.size().0);
                together && !rows.clone().any(|rows| self.is_large(rows)) && together::has_room(rows)
            };
            let taken = self.shelf.next(more).await;
            let is_end = taken.is_empty();
            // The largest come first, so that none of those after a small one is too large; should one be, each goes alone.
            let small = taken.len() > 1 && !taken.iter().any(|waiting| self.is_large(waiting.extract.size().0));
            let left = if small { self.together(lane, taken).await? } else { taken };
            let turn = |Waiting { tenant, extract, room }: Waiting| {
                let rows = extract.size().0;
                Turn { tenant, rows, supply: Supply::Held(Box::new(extract)), room: Some(room) }
            };
            if !left.is_empty() || is_end {
                return Ok(left.into_iter().map(turn).collect());
            }
        }
    }

    /// Restores small tenants together; returns those that have to be restored by themselves.
    async fn together(&self, lane: &mut Lane, taken: Vec<Waiting>) -> Result<Vec<Waiting>, RestoreError> {
        let keys: Vec<String> = taken.iter().map(|waiting| self.key(&waiting.tenant)).collect();
        let members: Vec<Member<'_>> = taken
            .iter()
            .zip(&keys)
            .map(|(waiting, key)| Member { ticket: self.ticket(key, &waiting.tenant), extract: &waiting.extract })
            .collect();
        let (live, origin) = (&mut lane.live, &mut lane.origin);
        let done = together::restore(live, origin, self.pair, self.statements, &members, self.pace).await;
        drop(members);
        match done {
            Ok(done) => {
                let mut left = Vec::new();
                for (waiting, restored) in taken.into_iter().zip(done) {
                    match restored {
                        Some(restored) => self.note(TenantOutcome { tenant: waiting.tenant, result: Ok(restored) }),
                        None => left.push(waiting),
                    }
                }
                Ok(left)
            }
            Err(RestoreError::InDoubt(why)) => {
                for Waiting { tenant, .. } in taken {
                    self.note(TenantOutcome { tenant, result: Err(RestoreError::InDoubt(why.clone())) });
                }
                self.open_again(lane).await?;
                Ok(Vec::new())
            }
            // Nothing of it is committed: what is wrong shows again where each has a connection that works.
            Err(_) => {
                self.open_again(lane).await?;
                Ok(taken)
            }
        }
    }

    /// Key of a tenant's restore.
    fn key(&self, tenant: &str) -> String {
        format!("{}/{tenant}", self.job.key)
    }

    fn ticket<'t>(&'t self, key: &'t str, tenant: &'t str) -> Ticket<'t> {
        let job = self.job;
        Ticket { unit: &job.key, key, token: job.token, run: &job.run, tenant, shared: self.shared }
    }

    /// Tenants whose rows refer to rows that were not there come again, as long as that brings one of them back: they may
    /// be rows of another tenant of this run.
    pub(super) async fn come_again(&self, lane: &mut Lane) -> Result<(), RestoreError> {
        let mut before = 0;
        loop {
            let Ok(mut done) = self.done.lock().map(|mut done| std::mem::take(&mut *done)) else { return Ok(()) };
            let back = done.iter().filter(|one| one.result.is_ok()).count();
            let waits = |one: &mut TenantOutcome| one.result.as_ref().is_err_and(RestoreError::is_of_references);
            let again: Vec<TenantOutcome> =
                if back > before { done.extract_if(.., waits).collect() } else { Vec::new() };
            let none = again.is_empty();
            if let Ok(mut all) = self.done.lock() {
                *all = done;
            }
            if none {
                return Ok(());
            }
            before = back;
            for TenantOutcome { tenant, .. } in again {
                match chunks::size(&mut lane.origin, self.pair, &tenant, self.job.chunk_rows).await {
                    Ok(rows) => self.put_back(tenant, rows),
                    Err(error) => self.note(TenantOutcome { tenant, result: Err(error) }),
                }
            }
            self.work(lane).await?;
        }
    }

    async fn one(
        &self,
        lane: &mut Lane,
        (tenant, rows): (&str, u64),
        supply: Supply,
    ) -> Result<Restored, RestoreError> {
        let key = self.key(tenant);
        let ticket = self.ticket(&key, tenant);
        let (live, origin) = (&mut lane.live, &mut lane.origin);
        // Where foreign keys are checked row by row, the tenant's own row cannot come last.
        let chunked = self.is_large(rows) && live.quiet;
        let streamed = chunked || matches!(supply, Supply::Stream);
        let came = if chunked {
            let way = Way { from: &self.job.from, most: self.job.chunk_rows, pace: self.pace };
            chunks::restore(live, origin, self.pair, self.statements, ticket, way).await?
        } else {
            load::fast(live, origin, self.pair, self.statements, ticket, supply, self.pace).await?
        };
        match came {
            Came::Restored(restored) => Ok(restored),
            Came::Occupied => {
                if streamed {
                    // The stream may have been left in the middle.
                    *origin = Origin::open(&self.job.from).await?;
                    origin.snapshot().await?;
                }
                let on_conflict = self.job.on_conflict;
                match careful::restore(live, origin, self.pair, self.statements, ticket, on_conflict).await {
                    Err(error) if chunked => Err(chunks::told(live, ticket, error).await),
                    done => done,
                }
            }
        }
    }
}

/// Whether a connection is of no more use after this.
fn breaks(error: &RestoreError) -> bool {
    match error {
        // The server ends, or the line did.
        RestoreError::Database { state: Some(state), .. } => state.starts_with("57P") || state.starts_with("08"),
        RestoreError::Partly { source, .. } => breaks(source),
        RestoreError::Database { state: None, .. } | RestoreError::InDoubt(_) | RestoreError::Stream(_) => true,
        _ => false,
    }
}
