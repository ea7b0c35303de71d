//! The runs that this process drives.
//!
//! Each has a task, a launcher and a lease of its own, so that a run that waits for a slow system, or for the disk, holds
//! no other up; what they share of the estate is divided by the store's shared pools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Event, Record, Run, Status};
use runtime::{DriveEnd, JournalError, Observer, RunSummary, Settings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::drivers::again::{Again, Pauses};
use crate::drivers::ends::last_event;
use crate::drivers::once::{Stop, Terms, drive_apart};
use crate::drivers::{DriveOnceError, Kit, Onlooker};
use crate::live::Followers;
use crate::metrics::Metrics;
use crate::words::chain;

/// A daemon stays with a run that waits for people for as long as it lives.
const FOR_EVER: Duration = Duration::MAX;

/// Why a run is not driven here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StartError {
    /// It is already.
    #[error("this process drives the run already")]
    Driven,
    /// The process is about to end.
    #[error("this process is stopping")]
    Stopping,
}

/// Drives runs.
#[derive(Clone, Debug)]
pub(crate) struct Drivers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kit: Kit,
    followers: Followers,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    pauses: Pauses,
    table: Mutex<Table>,
    /// Groups of runs that were over when they had as many.
    over: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
struct Table {
    /// Each with whether it is to be looked at again once its drive has ended.
    driven: BTreeMap<String, bool>,
    /// Why runs could not be driven any further; forgotten when they are driven again.
    troubles: BTreeMap<String, String>,
}

impl Drivers {
    /// Drives nothing yet. Cancelling `stop` has every drive end cleanly.
    #[must_use]
    pub(crate) fn new(kit: Kit, followers: Followers, metrics: Metrics, stop: CancellationToken) -> Self {
        Self::pausing(kit, followers, metrics, stop, Pauses::default())
    }

    fn pausing(kit: Kit, followers: Followers, metrics: Metrics, stop: CancellationToken, pauses: Pauses) -> Self {
        let (tasks, table, over) = (TaskTracker::new(), Mutex::default(), Mutex::default());
        Self { shared: Arc::new(Shared { kit, followers, metrics, stop, tasks, pauses, table, over }) }
    }

    /// What runs are driven with.
    #[must_use]
    pub(crate) fn kit(&self) -> &Kit {
        &self.shared.kit
    }

    /// Starts to drive a run, on a task of its own. `actor` opens it if nobody has.
    ///
    /// # Errors
    /// If it is driven here already, or the process is stopping. That another process drives it shows later.
    pub(crate) fn start(&self, run: &str, actor: &str) -> Result<(), StartError> {
        self.begin(run, actor, false)
    }

    /// As [`Drivers::start`], for a run that nobody seemed to drive: whoever was quicker has it.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn take_on(&self, run: &str, actor: &str) -> Result<(), StartError> {
        self.begin(run, actor, true)
    }

    fn begin(&self, run: &str, actor: &str, stands_by: bool) -> Result<(), StartError> {
        if self.shared.stop.is_cancelled() {
            return Err(StartError::Stopping);
        }
        let mut table = self.shared.table();
        if table.driven.contains_key(run) {
            return Err(StartError::Driven);
        }
        table.driven.insert(run.to_owned(), false);
        table.troubles.remove(run);
        drop(table);
        let (shared, name, actor) = (self.shared.clone(), run.to_owned(), actor.to_owned());
        self.shared.tasks.spawn(async move { shared.drive(name, actor, stands_by).await });
        Ok(())
    }

    /// As [`Drivers::start`]; a drive of the run that is just ending is followed by another, so that what came into its
    /// journal meanwhile is acted on.
    pub(crate) fn start_again(&self, run: &str, actor: &str) {
        if let Some(again) = self.shared.table().driven.get_mut(run) {
            *again = true;
            return;
        }
        // It may have begun or the process may be stopping: then whoever drives it next acts on it.
        let _ = self.start(run, actor);
    }

    /// Whether this process drives a run.
    #[must_use]
    pub(crate) fn drives(&self, run: &str) -> bool {
        self.shared.table().driven.contains_key(run)
    }

    /// Why a run could not be driven any further, since it was last driven here.
    #[must_use]
    pub(crate) fn trouble(&self, run: &str) -> Option<String> {
        self.shared.table().troubles.get(run).cloned()
    }

    /// Why runs could not be driven any further, by run, whatever became of them since.
    #[must_use]
    pub(crate) fn remembered(&self) -> BTreeMap<String, String> {
        self.shared.table().troubles.clone()
    }

    /// Why runs could not be driven any further, by run, as far as that still matters by a list of all runs: somebody else may
    /// have taken one on since, or have ended it. Of a run that is over or gone it is forgotten.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub(crate) async fn troubles(&self, list: &[RunSummary]) -> BTreeMap<String, String> {
        let mut troubles = self.remembered();
        if troubles.is_empty() {
            return troubles;
        }
        let known: BTreeMap<&str, &RunSummary> = list.iter().map(|run| (&*run.head.run, run)).collect();
        for run in troubles.keys().cloned().collect::<Vec<_>>() {
            let is_over = match known.get(&*run) {
                Some(known) => self.is_over(known).await.unwrap_or(false),
                None => true,
            };
            if is_over {
                self.shared.table().troubles.remove(&run);
            }
            // Whoever holds it may give it back.
            if is_over || known.get(&*run).is_some_and(|known| known.held_by.is_some()) {
                troubles.remove(&run);
            }
        }
        troubles
    }

    /// Whether a run is over, by the end of its journal, which is read once for each length that it has.
    ///
    /// # Errors
    /// If the store cannot be read.
    ///
    /// # Cancel safety
    /// May be dropped at any await.
    pub(crate) async fn is_over(&self, run: &RunSummary) -> Result<bool, JournalError> {
        let known = || self.shared.over.lock().unwrap_or_else(PoisonError::into_inner);
        if known().get(&run.head.run) == Some(&run.groups) {
            return Ok(true);
        }
        let over = matches!(last_event(&*self.shared.kit.store, run).await?, Some(Event::Ended { .. }));
        if over {
            known().insert(run.head.run.clone(), run.groups);
        }
        Ok(over)
    }

    /// Waits until every drive has ended; they do once `stop` is cancelled. Not longer than `patience`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the drives as they are.
    pub(crate) async fn ended(&self, patience: Duration) {
        self.shared.tasks.close();
        let _ = tokio::time::timeout(patience, self.shared.tasks.wait()).await;
    }
}

impl Shared {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn drive(self: Arc<Self>, name: String, actor: String, stands_by: bool) {
        self.followers.driven(&name, true);
        // Whoever looks later finds the run folded.
        if let Err(error) = self.followers.watch(&name).await {
            tracing::warn!(run = name, %error, "the run cannot be followed");
        }
        loop {
            let trouble = self.drive_to_its_end(&name, &actor, stands_by).await.err();
            let mut table = self.table();
            // Whatever the trouble was: what came into the journal meanwhile has nobody else to act on it.
            if let Some(again @ true) = table.driven.get_mut(&name) {
                *again = false;
                continue;
            }
            table.driven.remove(&name);
            table.troubles.extend(trouble.map(|trouble| (name.clone(), trouble)));
            break;
        }
        self.followers.driven(&name, false);
        self.followers.nudge(&name);
    }

    /// Drives a run for as long as there is something to drive; says why it could not go on.
    async fn drive_to_its_end(&self, name: &str, actor: &str, stands_by: bool) -> Result<(), String> {
        let mut again = Again::new(self.pauses);
        loop {
            let settings = Settings { wait: FOR_EVER, ..Settings::default() };
            let mut onlooker = Looks { run: name, metrics: &self.metrics, again: &mut again };
            let stop = Stop { cleanly: self.stop.clone(), ..Stop::default() };
            let terms = Terms { actor, stop, settings, hands_on: true };
            let (driven, telling) = drive_apart(&self.kit, name, terms, &mut onlooker).await;
            if let Some(telling) = telling {
                // The run is nobody's by then: who reopens it does not wait for a slow mail server.
                self.tasks.spawn(async move { telling.finish().await });
            }
            let error = match driven {
                Ok((DriveEnd::Ended(end), _)) => {
                    tracing::info!(run = name, ?end, "the run ended");
                    return Ok(());
                }
                Ok((DriveEnd::WaitsForOperator | DriveEnd::Stopped, _)) => return Ok(()),
                Err(error) => error,
            };
            if stands_by && !again.has_begun && matches!(error, DriveOnceError::Journal(JournalError::Held { .. })) {
                return Ok(());
            }
            let text = chain(&error);
            let Some(pause) = again.after(&error) else {
                tracing::error!(run = name, error = text, "the run cannot be driven");
                return Err(text);
            };
            tracing::warn!(run = name, error = text, pause_s = pause.as_secs(), "the drive is begun again");
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.stop.cancelled() => return Ok(()),
            }
        }
    }
}

/// Says that a drive begins, and counts what it does. Followers look by themselves, a few times a second: a run that
/// commits a thousand times a second is not held up by who looks.
struct Looks<'a> {
    run: &'a str,
    metrics: &'a Metrics,
    again: &'a mut Again,
}

impl Onlooker for Looks<'_> {
    fn begun(&mut self, run: &Run) {
        let over = matches!(run.status(), Status::Ended(_));
        tracing::info!(run = self.run, sites = run.plan().site_count(), over, "driving a run");
        self.again.begun();
    }
}

impl Observer for Looks<'_> {
    fn committed(&mut self, _: &Run, records: &[Record]) {
        self.metrics.committed(records);
    }
}

#[cfg(test)]
mod tests;
