//! Driving one run in this process: lease, fold, drive, release.

use engine::{Plan, Run};
use runtime::{
    Drive, DriveEnd, DriveError, Equipment, Holder, JournalError, Launcher, Observer, RecoverError, Settings,
    SystemClock,
};
use tokio_util::sync::CancellationToken;

use crate::drivers::Kit;

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
    /// It could not be recorded or decided.
    #[error(transparent)]
    Drive(#[from] DriveError),
}

/// Drives a stored run until it ends, waits for longer than the settings allow, or is stopped. `actor` opens a run that
/// nobody has opened.
///
/// # Errors
/// If somebody else drives it, or its journal cannot be read or written.
///
/// # Cancel safety
/// Not cancel safe: dropping it is like a crash. Use `stop`.
pub async fn drive_once(
    kit: &Kit,
    name: &str,
    actor: &str,
    onlooker: &mut dyn Onlooker,
    stop: CancellationToken,
    settings: Settings,
) -> Result<(DriveEnd, Run), DriveOnceError> {
    let holder = holder();
    let lease = kit.store.acquire(name, &holder, settings.lease_ms).await?;
    let result = drive_held(kit, &holder, lease.clone(), actor, onlooker, stop, settings).await;
    if let Ok((DriveEnd::Ended(_), _)) = &result {
        // Sites of a run that is over are free for others; what holds one no longer is none of theirs.
        kit.store.let_go_all(name).await?;
    }
    // A lease that cannot be given back expires by itself.
    let _ = kit.store.release(&lease).await;
    result
}

async fn drive_held(
    kit: &Kit,
    holder: &Holder,
    lease: runtime::Lease,
    actor: &str,
    onlooker: &mut dyn Onlooker,
    stop: CancellationToken,
    settings: Settings,
) -> Result<(DriveEnd, Run), DriveOnceError> {
    let recovered = runtime::recover(&*kit.store, &lease.run, |_, _| {}).await?;
    let launcher = Launcher::new(kit.connectors.clone());
    onlooker.begun(&recovered.run);
    let equip = |plan: &Plan| -> Result<Equipment, String> { kit.equip(plan) };
    let drive = Drive {
        journal: &*kit.store,
        lease,
        holder: holder.name.clone(),
        equip: &equip,
        launcher: &launcher,
        clock: &SystemClock,
        observer: onlooker,
        desk: Some(&*kit.store),
        stop,
        settings,
    };
    Ok(runtime::drive(drive, recovered, actor).await?)
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
