//! The driver's desk: what operators and other runs want of the run, looked at a few times a second. A look is one future
//! beside the loop, so that a slow store holds nothing up.

use std::time::Duration;

use engine::{Run, SharedPool};
use futures::FutureExt;
use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use crate::driver::request::Reply;
use crate::ports::{Grant, JournalError, Lease, Posted, Store, Want};

/// Time between two looks.
const BETWEEN: Duration = Duration::from_millis(200);

/// Looks between two times that shares of pools are asked for although nothing has changed: others may have come or gone.
const SHARES_EVERY: u32 = 5;

/// Slots that stand for "no limit" when a pool that only limits a rate is divided.
const PLENTY: u32 = 1_000_000;

/// Said to whoever asks in the moment in which a drive ends.
const LATE: &str = "the process that drove the run has just ended its work; nothing was recorded: ask again";

/// What a look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) posted: Vec<Posted>,
    /// Number of the instance, and what this run may use of it.
    pub(super) grants: Vec<(u32, Grant)>,
}

/// The desk of one drive.
pub(super) struct Desk<'a> {
    store: &'a dyn Store,
    lease: Lease,
    estate: String,
    look: Option<BoxFuture<'a, Result<Found, JournalError>>>,
    errands: FuturesUnordered<BoxFuture<'a, ()>>,
    next: tokio::time::Instant,
    seen: u64,
    asked: Vec<(u32, u32, u32)>,
    looks: u32,
    /// The look on its way asks for instances of a plan that has been replaced.
    outdated: bool,
}

/// Waits for something while errands go on: one that nobody polls may hold what others need, such as a connection.
async fn beside<T>(errands: &mut FuturesUnordered<BoxFuture<'_, ()>>, done: impl Future<Output = T>) -> T {
    tokio::pin!(done);
    loop {
        tokio::select! {
            biased;
            done = &mut done => return done,
            Some(()) = errands.next() => {}
        }
    }
}

impl<'a> Desk<'a> {
    pub(super) fn new(store: &'a dyn Store, lease: Lease, estate: String) -> Self {
        Self {
            store,
            lease,
            estate,
            look: None,
            errands: FuturesUnordered::new(),
            next: tokio::time::Instant::now(),
            seen: 0,
            asked: Vec::new(),
            looks: 0,
            outdated: false,
        }
    }

    /// Waits for what the next look finds.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the look goes on with the next call.
    pub(super) async fn found(&mut self, run: &Run) -> Result<Found, JournalError> {
        loop {
            if let Some(look) = &mut self.look {
                let mut found = beside(&mut self.errands, look).await;
                self.look = None;
                if let (true, Ok(found)) = (std::mem::take(&mut self.outdated), &mut found) {
                    found.grants.clear();
                }
                self.next = tokio::time::Instant::now() + BETWEEN;
                if let Ok(found) = &found {
                    self.seen = found.posted.iter().map(|posted| posted.id).max().unwrap_or(0).max(self.seen);
                }
                return found;
            }
            beside(&mut self.errands, tokio::time::sleep_until(self.next)).await;
            self.begin_look(run);
        }
    }

    fn begin_look(&mut self, run: &Run) {
        let (store, lease, seen, estate) = (self.store, self.lease.clone(), self.seen, self.estate.clone());
        let pools = run.shared_pools();
        let asks: Vec<(u32, u32, u32)> = pools.iter().map(|pool| (pool.instance, pool.used, pool.wanted)).collect();
        self.looks = self.looks.wrapping_add(1);
        let due = asks != self.asked || self.looks.is_multiple_of(SHARES_EVERY);
        let wants: Vec<(u32, Want)> =
            if due { pools.iter().map(|pool| (pool.instance, want(run, pool))).collect() } else { Vec::new() };
        self.asked = asks;
        self.look = Some(
            async move {
                let posted = store.take(&lease, seen).await?;
                let grants = if wants.is_empty() {
                    Vec::new()
                } else {
                    let (instances, wants): (Vec<u32>, Vec<Want>) = wants.into_iter().unzip();
                    let grants = store.share(&lease, &estate, &wants).await?;
                    instances.into_iter().zip(grants).collect()
                };
                Ok(Found { posted, grants })
            }
            .boxed(),
        );
    }

    /// The plan was replaced: instances have other numbers, and shares of them are asked for anew.
    pub(super) fn forget_grants(&mut self) {
        self.outdated = self.look.is_some();
        self.asked.clear();
        self.looks = SHARES_EVERY - 1;
    }

    /// Answers a request; the answer is on its way when this returns.
    pub(super) fn answer(&mut self, id: u64, reply: Vec<u8>) {
        let (store, lease) = (self.store, self.lease.clone());
        self.errands.push(
            async move {
                if let Err(error) = store.answer(&lease, id, &reply).await {
                    tracing::warn!(%error, id, "an operator could not be answered");
                }
            }
            .boxed(),
        );
    }

    /// Lets sites go that the run has given up.
    pub(super) fn let_go(&mut self, sites: Vec<String>) {
        let (store, run, estate) = (self.store, self.lease.run.clone(), self.estate.clone());
        self.errands.push(
            async move {
                if let Err(error) = store.let_go(&run, &estate, &sites).await {
                    tracing::warn!(%error, run, "sites could not be let go; the next driver tries again");
                }
            }
            .boxed(),
        );
    }

    /// Ends what is on its way, and gives shared pools back. What a look took that nobody will attend to any more is refused:
    /// its poster would be told that it may have been recorded or not.
    pub(super) async fn close(&mut self) {
        if let Some(look) = self.look.take()
            && let Ok(found) = look.await
        {
            for posted in found.posted {
                self.answer(posted.id, Reply::Refused(LATE.to_owned()).encode());
            }
        }
        while self.errands.next().await.is_some() {}
        if let Err(error) = self.store.leave(&self.lease).await {
            tracing::warn!(%error, "shared pools could not be given back; they are when the lease expires");
        }
    }
}

fn want(run: &Run, pool: &SharedPool) -> Want {
    let name = run.plan().spec().pools.get(pool.pool.ix()).map(|spec| spec.name.clone()).unwrap_or_default();
    Want {
        pool: name,
        key: pool.key.clone(),
        limit: pool.limit.min(PLENTY),
        used: pool.used.min(PLENTY),
        want: pool.wanted.min(PLENTY),
        unit: run.plan().largest_use(pool.pool).max(1),
    }
}

#[cfg(test)]
mod tests {
    use engine::{Plan, PlanSpec};

    use super::*;
    use crate::memory::MemoryJournal;
    use crate::ports::{Fate, Holder, Journal as _, Mailbox as _};

    #[tokio::test]
    async fn what_was_taken_as_the_drive_ended_is_refused_and_not_lost() {
        let plan = Plan::new(PlanSpec::default()).expect("it has nothing that could be wrong");
        let store = MemoryJournal::new(|| 1);
        crate::driver::open(&store, "r", &plan, 1).await.expect("the name is free");
        let holder = Holder { name: "me".into(), pid: 1, host: "here".into() };
        let lease = store.acquire("r", &holder, 1_000).await.expect("nobody has it");
        let id = store.post("r", b"please", 1_000).await.expect("the run is there");
        let mut desk = Desk::new(&store, lease, "prod".into());
        desk.begin_look(&Run::new(plan));
        desk.close().await;
        let fate = store.fate(id).await.expect("it is in memory");
        assert!(
            matches!(&fate, Fate::Answered(bytes) if *bytes == Reply::Refused(LATE.to_owned()).encode()),
            "{fate:?}"
        );
    }
}
