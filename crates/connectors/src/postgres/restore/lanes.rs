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
        while let Some((tenant, rows, supply, room)) = self.next().await {
            let streamed = matches!(supply, Supply::Stream) || self.is_large(rows);
            let result = self.one(lane, (&tenant, rows), supply).await;
            drop(room);
            // A stream that was not read to its end leaves its connection useless, too.
            let broken = result.as_ref().is_err_and(|error| streamed || breaks(error));
            self.note(TenantOutcome { tenant, result });
            if broken {
                *lane = Lane::open(self.job).await?;
                lane.origin.snapshot().await?;
                run(&mut lane.live.connection, BY_INDEX, "set up the session").await?;
            }
        }
        Ok(())
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

    /// Takes the next tenant, with the part of the memory that its rows take up.
    async fn next(&self) -> Option<(String, u64, Supply, Option<OwnedSemaphorePermit>)> {
        if let Some((tenant, rows)) = self.alone.lock().ok().and_then(|mut alone| alone.pop_front()) {
            return Some((tenant, rows, Supply::Stream, None));
        }
        let Waiting { tenant, extract, room } = self.shelf.next().await?;
        let rows = extract.tables.iter().map(|table| table.tally.rows).sum();
        Some((tenant, rows, Supply::Held(Box::new(extract)), Some(room)))
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
        let key = format!("{}/{tenant}", self.job.key);
        let (token, run, shared) = (self.job.token, &self.job.run, self.shared);
        let ticket = Ticket { unit: &self.job.key, key: &key, token, run, tenant, shared };
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
