//! The way through a drill, from wherever it stands.

use std::time::Duration;

use engine::{DrillPart, Record, Run, RunEnd};
use tokio_util::sync::CancellationToken;

use crate::drill::open::DrillRuns;
use crate::driver::{Drive, DriveEnd, DriveError, Equip, Launcher, Observer, RecoverError, Settings, drive, recover};
use crate::ports::{Clock, Holder, JournalError, Lease, Store};

/// What a drill is conducted with.
pub struct Conduct<'a> {
    /// Where its runs are.
    pub store: &'a dyn Store,
    /// Who conducts.
    pub holder: Holder,
    /// Who that is in the journals.
    pub actor: String,
    /// Makes from a plan what executes it.
    pub equip: &'a dyn Equip,
    /// Makes what calls connectors, anew for each run.
    pub launcher: &'a (dyn Fn() -> Launcher + Send + Sync),
    /// Tells the time.
    pub clock: &'a dyn Clock,
    /// Sees what became durable.
    pub observer: &'a mut dyn DrillObserver,
    /// Cancelled when the drill is to be called off; it is cleaned up all the same.
    pub stop: CancellationToken,
    /// Bounds of each run.
    pub settings: Settings,
}

/// Sees a drill go on.
pub trait DrillObserver: Send {
    /// A run is taken up, as it stands.
    fn begins(&mut self, part: DrillPart, run: &Run);
    /// Records of it became durable.
    fn committed(&mut self, part: DrillPart, run: &Run, records: &[Record]);
    /// Nothing more is done with it for now.
    fn rests(&mut self, part: DrillPart);
}

/// How a drill went; what it came to is in the journals of its runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conducted {
    /// What kept a part from being executed at all, in words.
    pub troubles: Vec<String>,
}

/// Why a drill could not be conducted to its end; whoever conducts it next goes on from what the journals hold.
#[derive(Debug, thiserror::Error)]
pub enum ConductError {
    /// The store did not do its part, or another process conducts the drill.
    #[error("failed to record the drill")]
    Journal(#[from] JournalError),
    /// A run of it could not be read.
    #[error("failed to read a run of the drill")]
    Recover(#[from] RecoverError),
}

/// Conducts a drill: set-up, run, comparison, taking back, clean-up. With `begins` all of it; without, it is one whose process was
/// lost, and what has not ended of it is called off and cleaned up.
///
/// On return nothing of it goes on, and its sites are free. It is then to be judged, and the history told.
///
/// # Errors
/// [`JournalError::Held`] if another process conducts it; else if a journal cannot be read or written.
///
/// # Cancel safety
/// Not cancel safe: dropping it is like a crash. Use `stop`.
pub async fn conduct(mut conduct: Conduct<'_>, run: &str, begins: bool) -> Result<Conducted, ConductError> {
    let names = DrillRuns::of(run);
    let lease_ms = conduct.settings.lease_ms;
    let lease = match conduct.store.acquire(&names.clean_up, &conduct.holder, lease_ms).await {
        Ok(lease) => lease,
        // It was claimed, and lost before anything was created.
        Err(JournalError::NoSuchRun(_)) => return Ok(Conducted::default()),
        Err(error) => return Err(error.into()),
    };
    let store = conduct.store;
    let mut troubles = Vec::new();
    let kept = keep(store, &lease, lease_ms);
    let before = tokio::select! {
        done = before(&mut conduct, &names, begins, &mut troubles) => done,
        lost = kept => Err(lost.into()),
    };
    let done = match before {
        Ok(()) => conduct.clean_up(&names, lease.clone(), &mut troubles).await,
        Err(error) => Err(error),
    };
    // A lease that cannot be given back expires by itself.
    let _ = store.release(&lease).await;
    done.map(|()| Conducted { troubles })
}

/// Renews a lease until that fails; says why.
async fn keep(store: &dyn Store, lease: &Lease, lease_ms: u64) -> JournalError {
    loop {
        tokio::time::sleep(Duration::from_millis(lease_ms / 3)).await;
        match store.renew(lease, lease_ms).await {
            // A store that does not answer for a moment is borne with; an epoch that is over is not.
            Ok(()) | Err(JournalError::Unavailable { .. }) => {}
            Err(error) => return error,
        }
    }
}

/// Everything before the clean-up.
async fn before(
    conduct: &mut Conduct<'_>,
    names: &DrillRuns,
    begins: bool,
    troubles: &mut Vec<String>,
) -> Result<(), ConductError> {
    let mut why = (!begins).then_some("its process was lost");
    if conduct.has(&names.set_up).await? {
        if why.is_none() {
            why = match conduct.drive(DrillPart::SetUp, &names.set_up, None, troubles).await? {
                Some(DriveEnd::Ended(end)) => (end != RunEnd::Succeeded).then_some("its set-up did not succeed"),
                Some(DriveEnd::Stopped) => Some("it was stopped"),
                Some(DriveEnd::WaitsForOperator) | None => Some("its set-up did not succeed"),
            };
        }
        if let Some(why) = why {
            conduct.close(DrillPart::SetUp, &names.set_up, why, troubles).await?;
        }
    }
    if !conduct.has(&names.run).await? {
        // It was lost, or refused, while its runs were created: the comparison was before the run.
        if conduct.has(&names.compare).await? {
            let why = why.unwrap_or("the run that it was about is not there");
            conduct.close(DrillPart::Compare, &names.compare, why, troubles).await?;
        }
        return Ok(());
    }
    if why.is_none() {
        why = unended(conduct.drive(DrillPart::Run, &names.run, None, troubles).await?);
    }
    if let Some(why) = why {
        conduct.close(DrillPart::Run, &names.run, why, troubles).await?;
    }
    if conduct.has(&names.compare).await? {
        // How the sandbox stands is a question about the run: it is asked before anything of it is gone.
        if why.is_none() {
            why = unended(conduct.drive(DrillPart::Compare, &names.compare, None, troubles).await?);
        }
        if let Some(why) = why {
            conduct.close(DrillPart::Compare, &names.compare, why, troubles).await?;
        }
    }
    conduct.take_back(&names.run, troubles).await
}

/// Why a part that was driven has not ended.
fn unended(end: Option<DriveEnd>) -> Option<&'static str> {
    match end {
        Some(DriveEnd::Ended(_)) => None,
        Some(DriveEnd::Stopped) => Some("it was stopped"),
        Some(DriveEnd::WaitsForOperator) => Some("it waited for people, and nobody is there"),
        None => Some("it could not be executed"),
    }
}

impl Conduct<'_> {
    pub(super) async fn has(&mut self, run: &str) -> Result<bool, ConductError> {
        match self.store.plan(run).await {
            Ok(_) => Ok(true),
            Err(JournalError::NoSuchRun(_)) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Drives a run of the drill until it ends, waits, or the drill is to stop; under a lease of its own if none is
    /// given. `None`, with a word about it, if it cannot be executed.
    pub(super) async fn drive(
        &mut self,
        part: DrillPart,
        run: &str,
        lease: Option<Lease>,
        troubles: &mut Vec<String>,
    ) -> Result<Option<DriveEnd>, ConductError> {
        let own = match &lease {
            None => Some(self.store.acquire(run, &self.holder, self.settings.lease_ms).await?),
            Some(_) => None,
        };
        let Some(held) = lease.or(own.clone()) else { return Ok(None) };
        let recovered = recover(self.store, run, |_, _| {}).await?;
        self.observer.begins(part, &recovered.run);
        let launcher = (self.launcher)();
        // Whatever was decided about the drill, its clean-up is done.
        let stop = if part == DrillPart::CleanUp { Default::default() } else { self.stop.clone() };
        let drive_it = Drive {
            journal: self.store,
            lease: held,
            holder: self.holder.name.clone(),
            equip: self.equip,
            launcher: &launcher,
            clock: self.clock,
            observer: &mut Of { part, observer: self.observer },
            desk: Some(self.store),
            stop,
            settings: self.settings,
        };
        let driven = drive(drive_it, recovered, &self.actor).await;
        self.observer.rests(part);
        if let Some(own) = &own {
            let _ = self.store.release(own).await;
        }
        match driven {
            Ok((end, _)) => Ok(Some(end)),
            Err(DriveError::Journal(error)) => Err(error.into()),
            Err(error) => {
                troubles.push(format!("run {run}: {error}"));
                Ok(None)
            }
        }
    }

    async fn clean_up(
        &mut self,
        names: &DrillRuns,
        lease: Lease,
        troubles: &mut Vec<String>,
    ) -> Result<(), ConductError> {
        self.end(DrillPart::CleanUp, &names.clean_up, Some(lease), troubles).await?;
        for run in [&names.clean_up, &names.run] {
            match self.store.let_go_all(run).await {
                Ok(_) | Err(JournalError::NoSuchRun(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Tells the drill's observer of one of its runs.
struct Of<'a> {
    part: DrillPart,
    observer: &'a mut dyn DrillObserver,
}

impl Observer for Of<'_> {
    fn committed(&mut self, run: &Run, records: &[Record]) {
        self.observer.committed(self.part, run, records);
    }
}
