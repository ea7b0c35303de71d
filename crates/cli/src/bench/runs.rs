//! A measurement's own runs in a store: driven, and given up whatever became of them.

use std::sync::Arc;
use std::time::Duration;

use engine::Plan;
use runtime::{Drive, DriveEnd, JournalError, Observer, Settings, Store, SystemClock};
use server::holder;
use tokio_util::sync::CancellationToken;

use crate::args::Logged;
use crate::exit::Exit;
use crate::failure::Failure;

/// Time that attempts get to end when a measurement is stopped; they do nothing.
const GRACE: Duration = Duration::from_secs(1);

/// Time for which a run is held while it is given up.
const LEASE_MS: u64 = 60_000;

/// Drives a run to its end, with workers if it sends to them.
pub(super) async fn drive(
    journal: &Arc<dyn Store>,
    name: &str,
    sends: bool,
    observer: &mut dyn Observer,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let settings = Settings { grace: GRACE, ..Settings::default() };
    let holder = holder();
    let lease = journal.acquire(name, &holder, settings.lease_ms).await?;
    let recovered = runtime::recover(&**journal, name, |_, _| {}).await?;
    let kit = crate::execute::kit(journal, Logged::default().run_logs);
    let launcher = kit.launcher(&kit.connectors);
    let equip = |plan: &Plan| kit.equip(plan);
    let drive = Drive {
        journal: &**journal,
        lease: lease.clone(),
        holder: holder.name,
        equip: &equip,
        launcher: &launcher,
        clock: &SystemClock,
        observer,
        desk: sends.then_some(&**journal),
        stop: stop.clone(),
        settings,
    };
    let driven = runtime::drive(drive, recovered, "bench").await;
    let released = journal.release(&lease).await;
    let (end, run) = driven?;
    released?;
    if end == DriveEnd::Stopped {
        return Err(stopped());
    }
    if end != DriveEnd::Ended(engine::RunEnd::Succeeded) || run.tally().returned != run.plan().site_count() {
        return Err(Failure::input("bench-run", format!("the run ended as {end:?}"), "report this defect"));
    }
    Ok(())
}

/// What is said of a measurement that a signal ended.
pub(super) fn stopped() -> Failure {
    let fact = "stopped by a signal before it was done";
    Failure::new(Exit::Stopped, "bench-stopped", fact, "nothing of its runs is left; give the command again")
}

/// Gives runs of the measurement up, in whatever state they are, and frees what they took; one that is not there is fine.
///
/// Not as `runs prune` does, which keeps what has not ended: a run that is cut short would be gone on with by a daemon.
pub(super) async fn give_up(store: &dyn Store, names: &[String]) -> Result<(), Failure> {
    let mut given_up = Ok(());
    for name in names {
        given_up = given_up.and(discard(store, name).await);
    }
    runtime::free_all(store).await?;
    given_up
}

async fn discard(store: &dyn Store, name: &str) -> Result<(), Failure> {
    let lease = match store.borrow(name, &holder(), LEASE_MS).await {
        Ok(lease) => lease,
        Err(JournalError::NoSuchRun(_)) => return Ok(()),
        Err(error @ JournalError::Held { .. }) => {
            let fact = format!("{name} cannot be given up: {error}");
            return Err(Failure::input("bench-kept", fact, "give it up by `reinstate runs prune`"));
        }
        Err(error) => return Err(error.into()),
    };
    Ok(store.discard(&lease).await?)
}
