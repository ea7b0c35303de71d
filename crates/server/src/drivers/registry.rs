//! The runs that this process drives.
//!
//! Each has a task, a launcher and a lease of its own, so that a run that waits for a slow system, or for the disk, holds
//! no other up; what they share of the estate is divided by the store's shared pools.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::{Record, Run, Status};
use runtime::{DriveEnd, DriveError, JournalError, Observer, Settings};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::drivers::{DriveOnceError, Kit, Onlooker, drive_once};
use crate::live::Followers;
use crate::metrics::Metrics;
use crate::words::chain;

/// Time before a drive that the store failed is begun again, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A daemon stays with a run that waits for people for as long as it lives.
const FOR_EVER: Duration = Duration::MAX;

/// Why a run is not driven here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It is already.
    #[error("this process drives the run already")]
    Driven,
    /// The process is about to end.
    #[error("this process is stopping")]
    Stopping,
}

/// Drives runs.
#[derive(Clone, Debug)]
pub struct Drivers {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    kit: Kit,
    followers: Followers,
    metrics: Metrics,
    stop: CancellationToken,
    tasks: TaskTracker,
    driven: Mutex<BTreeMap<String, Option<String>>>,
}

impl Drivers {
    /// Drives nothing yet. Cancelling `stop` has every drive end cleanly.
    #[must_use]
    pub fn new(kit: Kit, followers: Followers, metrics: Metrics, stop: CancellationToken) -> Self {
        let (tasks, driven) = (TaskTracker::new(), Mutex::default());
        Self { shared: Arc::new(Shared { kit, followers, metrics, stop, tasks, driven }) }
    }

    /// What runs are driven with.
    #[must_use]
    pub fn kit(&self) -> &Kit {
        &self.shared.kit
    }

    /// Starts to drive a run, on a task of its own. `actor` opens it if nobody has.
    ///
    /// # Errors
    /// If it is driven here already, or the process is stopping. That another process drives it shows later.
    pub fn start(&self, run: &str, actor: &str) -> Result<(), StartError> {
        if self.shared.stop.is_cancelled() {
            return Err(StartError::Stopping);
        }
        if self.driven().insert(run.to_owned(), None).is_some() {
            return Err(StartError::Driven);
        }
        let (shared, name, actor) = (self.shared.clone(), run.to_owned(), actor.to_owned());
        self.shared.tasks.spawn(async move { shared.drive(name, actor).await });
        Ok(())
    }

    /// Whether this process drives a run.
    #[must_use]
    pub fn drives(&self, run: &str) -> bool {
        self.driven().contains_key(run)
    }

    /// Waits until every drive has ended; they do once `stop` is cancelled. Not longer than `patience`.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the drives as they are.
    pub async fn ended(&self, patience: Duration) {
        self.shared.tasks.close();
        let _ = tokio::time::timeout(patience, self.shared.tasks.wait()).await;
    }

    fn driven(&self) -> MutexGuard<'_, BTreeMap<String, Option<String>>> {
        self.shared.driven.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    async fn drive(self: Arc<Self>, name: String, actor: String) {
        self.followers.driven(&name, true);
        // Whoever looks later finds the run folded.
        if let Err(error) = self.followers.watch(&name).await {
            tracing::warn!(run = name, %error, "the run cannot be followed");
        }
        self.drive_to_its_end(&name, &actor).await;
        self.followers.driven(&name, false);
        self.driven.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
        self.followers.nudge(&name);
    }

    async fn drive_to_its_end(&self, name: &str, actor: &str) {
        let mut pause = FIRST_PAUSE;
        loop {
            let settings = Settings { wait: FOR_EVER, ..Settings::default() };
            let mut onlooker = Looks { run: name, metrics: &self.metrics };
            let driven = drive_once(&self.kit, name, actor, &mut onlooker, self.stop.clone(), settings).await;
            let error = match driven {
                Ok((DriveEnd::Ended(end), _)) => {
                    tracing::info!(run = name, ?end, "the run ended");
                    return;
                }
                Ok((DriveEnd::WaitsForOperator | DriveEnd::Stopped, _)) => return,
                Err(error) => error,
            };
            let text = chain(&error);
            if !passes(&error) {
                tracing::error!(run = name, error = text, "the run cannot be driven");
                return;
            }
            tracing::warn!(run = name, error = text, pause_s = pause.as_secs(), "the drive is begun again");
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                () = self.stop.cancelled() => return,
            }
        }
    }
}

/// Whether a drive may work when it is begun again: the store was away for a while.
fn passes(error: &DriveOnceError) -> bool {
    let of_store = match error {
        DriveOnceError::Journal(error) | DriveOnceError::Drive(DriveError::Journal(error)) => error,
        DriveOnceError::Recover(runtime::RecoverError::Journal(error)) => error,
        _ => return false,
    };
    matches!(of_store, JournalError::Unavailable { .. } | JournalError::Full(_))
}

/// Says that a drive begins, and counts what it does. Followers look by themselves, a few times a second: a run that
/// commits a thousand times a second is not held up by who looks.
struct Looks<'a> {
    run: &'a str,
    metrics: &'a Metrics,
}

impl Onlooker for Looks<'_> {
    fn begun(&mut self, run: &Run) {
        let over = matches!(run.status(), Status::Ended(_));
        tracing::info!(run = self.run, sites = run.plan().site_count(), over, "driving a run");
    }
}

impl Observer for Looks<'_> {
    fn committed(&mut self, _: &Run, records: &[Record]) {
        self.metrics.committed(records);
    }
}
