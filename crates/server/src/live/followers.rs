//! The followers of this process: one a run, for as long as somebody looks or the run is driven here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use runtime::Store;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::Instant;

use crate::live::follow::{Follower, Question};
use crate::live::snapshot::Snapshot;
use crate::live::view::View;
use crate::live::watch::{LiveError, Watch};

/// Least time between two views of a run: the eye wants no more, and each goes to everybody who looks.
const BETWEEN_VIEWS: Duration = Duration::from_millis(250);
/// Time for which a follower that nobody looks at is kept: whoever looks once often looks again.
const LINGER: Duration = Duration::from_secs(60);
/// Runs followed at once that are not driven here; each keeps the whole of its run in memory.
const MOST: usize = 32;
/// Journals read for the first time at once, of runs that are not driven here: each takes a processor.
const READS: usize = 2;

/// Hands out watches on runs.
#[derive(Clone)]
pub(crate) struct Followers {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    place: String,
    state: Mutex<Table>,
    reads: Arc<Semaphore>,
}

#[derive(Default)]
struct Table {
    followed: BTreeMap<String, Followed>,
    /// Runs that are driven here: followed whether anybody looks or not.
    driven: BTreeSet<String>,
    /// Looks so far: what was looked at last has the highest number.
    looks: u64,
}

#[derive(Clone)]
struct Followed {
    /// Number of the look that started it, which tells it from another of the same run.
    number: u64,
    /// Number of the newest look at it.
    looked: u64,
    views: watch::Receiver<Arc<View>>,
    wake: Arc<Notify>,
    questions: mpsc::UnboundedSender<Question>,
}

impl std::fmt::Debug for Followers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Followers").field("followed", &self.table().followed.len()).finish_non_exhaustive()
    }
}

impl Followers {
    /// Follows nothing yet. `place` is shown as where runs are recorded.
    #[must_use]
    pub(crate) fn new(store: Arc<dyn Store>, place: &str) -> Self {
        Self {
            shared: Arc::new(Shared {
                store,
                place: place.to_owned(),
                state: Mutex::default(),
                reads: Arc::new(Semaphore::new(READS)),
            }),
        }
    }

    /// Looks at a run; the first to look starts its follower.
    ///
    /// # Errors
    /// If there is no such run, or its journal cannot be read.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub(crate) async fn watch(&self, run: &str) -> Result<Watch, LiveError> {
        if let Some(watch) = self.known(run) {
            return Ok(watch);
        }
        let follower = Follower::open(self.shared.store.clone(), run, &self.shared.place).await?;
        Ok(self.start(run, follower))
    }

    /// Views of runs that are followed now, those that are driven here first, without starting to follow any.
    #[must_use]
    pub(crate) fn views(&self) -> Vec<Arc<View>> {
        let table = self.table();
        let mut followed: Vec<_> = table.followed.iter().collect();
        followed.sort_by_key(|(run, _)| !table.driven.contains(*run));
        followed.into_iter().map(|(_, followed)| followed.views.borrow().clone()).collect()
    }

    /// The journal of a run has grown: its follower looks at once. Nothing if nobody follows it.
    pub(crate) fn nudge(&self, run: &str) {
        if let Some(followed) = self.table().followed.get(run) {
            followed.wake.notify_one();
        }
    }

    /// Says whether a run is driven here.
    pub(crate) fn driven(&self, run: &str, driven: bool) {
        let mut table = self.table();
        if driven {
            table.driven.insert(run.to_owned());
        } else {
            table.driven.remove(run);
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        // What is kept is never half changed.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, run: &str) -> Option<Watch> {
        self.table().look(run)
    }

    /// Starts a follower, unless another was quicker. If there are too many then, the one that was not looked at for longest
    /// goes.
    fn start(&self, run: &str, follower: Follower) -> Watch {
        let mut table = self.table();
        if let Some(watch) = table.look(run) {
            return watch;
        }
        let (publish, views) = watch::channel(follower.first());
        let (ask, questions) = mpsc::unbounded_channel();
        let number = table.looks;
        let followed = Followed { number, looked: number, views, wake: Arc::new(Notify::new()), questions: ask };
        let watch = followed.watch(run);
        let wake = followed.wake.clone();
        table.followed.insert(run.to_owned(), followed);
        let driven = table.driven.contains(run);
        table.crowd_out();
        drop(table);
        let (name, followers) = (run.to_owned(), self.clone());
        tokio::spawn(async move {
            let turn = match driven {
                true => None,
                // It is never closed.
                false => followers.shared.reads.clone().acquire_owned().await.ok(),
            };
            let mut unseen_since = None;
            let leave = |_: &Snapshot| followers.leaves(&name, number, &mut unseen_since);
            let follower = follower.asked(questions).paced(BETWEEN_VIEWS).in_turn(turn);
            if let Err(error) = follower.follow(publish, wake, leave).await {
                tracing::error!(run = name, error = &error as &dyn std::error::Error, "a run cannot be followed");
                followers.table().remove(&name, number);
            }
        });
        watch
    }

    /// Takes a follower out of the table if nobody has looked for a while: nobody can join it then.
    fn leaves(&self, run: &str, number: u64, unseen_since: &mut Option<Instant>) -> bool {
        let mut table = self.table();
        let Some(followed) = table.followed.get(run).filter(|followed| followed.number == number) else { return true };
        // One receiver is the table's own; it is handed out under the same lock.
        if followed.views_seen() || table.driven.contains(run) {
            *unseen_since = None;
            return false;
        }
        let since = *unseen_since.get_or_insert_with(Instant::now);
        let leaves = since.elapsed() >= LINGER;
        if leaves {
            table.followed.remove(run);
        }
        leaves
    }
}

impl Table {
    /// A watch on a run that is followed.
    fn look(&mut self, run: &str) -> Option<Watch> {
        self.looks += 1;
        let followed = self.followed.get_mut(run)?;
        followed.looked = self.looks;
        Some(followed.watch(run))
    }

    /// Takes out what is more than may be followed: what was not looked at for longest, and what nobody looks at now before
    /// what somebody does.
    fn crowd_out(&mut self) {
        loop {
            let idle = || self.followed.iter().filter(|(run, _)| !self.driven.contains(*run));
            if idle().count() <= MOST {
                return;
            }
            let first = idle().min_by_key(|(_, followed)| (followed.views_seen(), followed.looked));
            let Some(run) = first.map(|(run, _)| run.clone()) else { return };
            if let Some(followed) = self.followed.remove(&run) {
                followed.wake.notify_one();
            }
        }
    }

    fn remove(&mut self, run: &str, number: u64) {
        if self.followed.get(run).is_some_and(|followed| followed.number == number) {
            self.followed.remove(run);
        }
    }
}

impl Followed {
    fn watch(&self, run: &str) -> Watch {
        Watch { run: run.to_owned(), views: self.views.clone(), questions: self.questions.clone() }
    }

    /// Whether anybody but the table looks.
    fn views_seen(&self) -> bool {
        self.questions.strong_count() > 1
    }
}

#[cfg(test)]
mod tests {
    use runtime::{MemoryJournal, RunHead};

    use super::*;
    use crate::live::gather::tests::plan;

    async fn store(runs: usize) -> Arc<MemoryJournal> {
        let (store, plan) = (MemoryJournal::new(|| 0), plan(3));
        let bytes = plan.encode().expect("it is a plan");
        for run in 0..runs {
            let head = RunHead { run: format!("r{run}"), plan_hash: plan.hash().to_owned(), created_at: 0 };
            runtime::Journal::create(&store, &head, &bytes).await.expect("it is new");
        }
        Arc::new(store)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn no_more_runs_are_followed_than_there_is_room_for_and_the_longest_unseen_goes_first() {
        let followers = Followers::new(store(MOST + 3).await, "memory");
        followers.driven("r1", true);
        let mut kept = followers.watch("r0").await.expect("it is there");
        for run in 1..MOST + 2 {
            let mut watch = followers.watch(&format!("r{run}")).await.expect("it is there");
            watch.caught_up().await.expect("it is read");
        }
        // One is driven, one is looked at; r2 was the first that nobody did either with.
        let _ = followers.watch("r3").await.expect("it is followed");
        drop(followers.watch(&format!("r{}", MOST + 2)).await.expect("it is there"));
        let followed = |run: &str| followers.table().followed.contains_key(run);
        assert_eq!(followers.views().len(), MOST + 1);
        assert!(followed("r0") && followed("r1") && followed("r3"), "driven, looked at, and looked at again");
        assert!(!followed("r2") && !followed("r4"));
        kept.caught_up().await.expect("who looks goes on looking");
        let mut again = followers.watch("r2").await.expect("it is followed anew");
        again.caught_up().await.expect("it is read again");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn first_reads_wait_for_their_turn_and_that_of_a_driven_run_does_not() {
        let followers = Followers::new(store(2).await, "memory");
        let turns = followers.shared.reads.clone().acquire_many_owned(2).await.expect("it is open");
        followers.driven("r1", true);
        followers.watch("r1").await.expect("it is there").caught_up().await.expect("it is read at once");
        let mut waits = followers.watch("r0").await.expect("it is there");
        assert!(waits.views.borrow().snapshot.reading.is_some());
        drop(turns);
        waits.caught_up().await.expect("it is its turn");
        drop(followers.shared.reads.acquire_many(2).await.expect("a turn ends with the first read"));
    }
}
