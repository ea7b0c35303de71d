//! Driving one run in this process: lease, fold, drive, release.

use std::time::Duration;

use engine::{Event, Plan, Record, Run, Status};
use runtime::{
    Drive, DriveEnd, DriveError, Equipment, Holder, JournalError, Observer, RecoverError, Settings, SystemClock,
};
use tokio_util::sync::CancellationToken;

use crate::drivers::{Kit, Telling, again};
use crate::verbs::hold_own_sites;

/// Sees a run go on, from what was recovered of it.
pub trait Onlooker: Observer {
    /// The run as it was recovered, before anything new is decided.
    fn begun(&mut self, run: &Run);
}

/// Why a run could not be driven to an end; the journal is intact.
#[derive(Debug, thiserror::Error)]
pub enum DriveOnceError {
    /// Its journal could not be read.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Somebody else drives it, or the store is in trouble.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What its estate announces cannot be told.
    #[error("the estate's announcements cannot be made: {0}")]
    Announce(String),
    /// It could not be recorded or decided.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// It was stopped at once.
    #[error("stopped at once: what was running is in doubt")]
    AtOnce,
}

/// How a drive is told to end; the run stays open.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    /// Nothing new starts, and what is running gets its time.
    pub cleanly: CancellationToken,
    /// As if the process was killed, but that the run is given back: a person who wants it stopped has it stopped.
    pub at_once: CancellationToken,
}

/// Time in which a run is given back when its drive is stopped at once.
const GIVE_BACK: Duration = Duration::from_millis(700);

/// Drives a stored run until it ends, waits for longer than the settings allow, or is stopped. `actor` opens a run that
/// nobody has opened.
///
/// # Errors
/// If somebody else drives it, or its journal cannot be read or written.
///
/// # Cancel safety
/// Not cancel safe: dropping it is like a crash, and whoever stands by goes on with the run. Use `stop`.
pub async fn drive_once(
    kit: &Kit,
    name: &str,
    actor: &str,
    onlooker: &mut dyn Onlooker,
    stop: Stop,
    settings: Settings,
) -> Result<(DriveEnd, Run), DriveOnceError> {
    let (driven, telling) = drive_apart(kit, name, Terms { actor, stop, settings, hands_on: false }, onlooker).await;
    if let Some(telling) = telling {
        telling.finish().await;
    }
    driven
}

/// How a run is driven.
pub(super) struct Terms<'a> {
    /// Who has it driven.
    pub(super) actor: &'a str,
    /// Ends the drive, not the run.
    pub(super) stop: Stop,
    pub(super) settings: Settings,
    /// Whether a run that is not over, and could be driven, is left to whoever stands by, or to the person who stopped it.
    pub(super) hands_on: bool,
}

/// As [`drive_once`], and gives what is still to be told to the caller: the run is nobody's by then.
pub(super) async fn drive_apart(
    kit: &Kit,
    name: &str,
    terms: Terms<'_>,
    onlooker: &mut dyn Onlooker,
) -> (Result<(DriveEnd, Run), DriveOnceError>, Option<Box<dyn Telling>>) {
    let holder = holder();
    let lease = match kit.store.acquire(name, &holder, terms.settings.lease_ms).await {
        Ok(lease) => lease,
        Err(error) => return (Err(error.into()), None),
    };
    let hands_on = terms.hands_on;
    let mut telling = None;
    let at_once = terms.stop.at_once.clone();
    let mut driven = tokio::select! {
        driven = drive_held(kit, &holder, lease.clone(), terms, onlooker, &mut telling) => driven,
        () = at_once.cancelled() => Err(DriveOnceError::AtOnce),
    };
    if matches!(driven, Err(DriveOnceError::AtOnce)) {
        let _ = tokio::time::timeout(GIVE_BACK, kit.store.release(&lease)).await;
        return (driven, None);
    }
    if let Ok((DriveEnd::Ended(_), _)) = &driven {
        // Sites of a run that is over are free for others; what holds one no longer is none of theirs.
        if let Err(error) = kit.store.let_go_all(name).await {
            driven = Err(error.into());
        }
    }
    // A lease that cannot be given back expires by itself.
    let goes_on = match &driven {
        Ok((end, _)) => *end == DriveEnd::Stopped,
        Err(error) => again::may_pass(error),
    };
    let _ = if hands_on && goes_on { kit.store.hand_on(&lease).await } else { kit.store.release(&lease).await };
    (driven, telling)
}

async fn drive_held(
    kit: &Kit,
    holder: &Holder,
    lease: runtime::Lease,
    terms: Terms<'_>,
    onlooker: &mut dyn Onlooker,
    told: &mut Option<Box<dyn Telling>>,
) -> Result<(DriveEnd, Run), DriveOnceError> {
    let mut was_over = false;
    let seen = |_: &Run, record: &Record| was_over |= matches!(record.event, Event::Ended { .. });
    let recovered = runtime::recover(&*kit.store, &lease.run, seen).await?;
    if was_over && !matches!(recovered.run.status(), Status::Ended(_)) {
        // It was reopened, and whoever saw to its end may have let them go after that.
        hold_own_sites(&*kit.store, &lease.run, &recovered.run).await?;
    }
    let launcher = kit.launcher(&kit.connectors);
    *told = (kit.telling)(&lease.run, recovered.run.plan()).map_err(DriveOnceError::Announce)?;
    let telling = told.as_deref();
    onlooker.begun(&recovered.run);
    if let Some(telling) = telling {
        // What was reached and not told when the driver before was gone.
        telling.saw(&recovered.run);
    }
    let mut observer = |run: &Run, records: &[Record]| {
        onlooker.committed(run, records);
        if let Some(telling) = telling {
            telling.saw(run);
        }
    };
    let equip = |plan: &Plan| -> Result<Equipment, String> { kit.equip(plan) };
    let drive = Drive {
        journal: &*kit.store,
        lease,
        holder: holder.name.clone(),
        equip: &equip,
        launcher: &launcher,
        clock: &SystemClock,
        observer: &mut observer,
        desk: Some(&*kit.store),
        stop: terms.stop.cleanly,
        settings: terms.settings,
    };
    Ok(runtime::drive(drive, recovered, terms.actor).await?)
}

/// Who drives: this process.
#[must_use]
pub fn holder() -> Holder {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "host".into(), |name| name.trim().to_owned());
    let pid = std::process::id();
    let since = report::clock(runtime::Clock::now(&SystemClock));
    let since = since.get(11..19).unwrap_or(&since);
    Holder { name: format!("{host} pid {pid} since {since}Z"), pid, host }
}
