//! Driving a run in this process: lease, fold, drive, release.

use std::sync::Arc;

use engine::{Plan, Record, Run};
use runtime::{Drive, DriveEnd, Equipment, Holder, Launcher, Observer, Settings, Store, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::announce::Announcer;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::secrets::References;

/// Drives a stored run until it ends, waits or is stopped.
pub(crate) async fn drive_run(
    journal: &Arc<dyn Store>,
    name: &str,
    progress: &mut Progress,
    stop: CancellationToken,
    wait: std::time::Duration,
) -> Result<(DriveEnd, Run), Failure> {
    let settings = Settings { wait, ..Settings::default() };
    let holder = holder();
    let lease = journal.acquire(name, &holder, settings.lease_ms).await?;
    let result = drive_held(journal, name, &holder, lease.clone(), progress, stop, settings).await;
    if let Ok((DriveEnd::Ended(_), _)) = &result {
        // Sites of a run that is over are free for others; what holds one no longer is none of theirs.
        journal.let_go_all(name).await?;
    }
    // A lease that cannot be given back expires by itself.
    let _ = journal.release(&lease).await;
    result
}

async fn drive_held(
    journal: &Arc<dyn Store>,
    name: &str,
    holder: &Holder,
    lease: runtime::Lease,
    progress: &mut Progress,
    stop: CancellationToken,
    settings: Settings,
) -> Result<(DriveEnd, Run), Failure> {
    let recovered = runtime::recover(&**journal, name, |_, _| {}).await?;
    let connectors = connectors::all(&connectors::Settings::default());
    let announcer = Announcer::start(journal, name, recovered.run.plan(), &connectors)?;
    let launcher = Launcher::new(connectors);
    progress.begin(&recovered.run);
    if let Some(announcer) = &announcer {
        // What was reached and not told when the driver before was gone.
        announcer.saw(&recovered.run);
    }
    let mut observer = |run: &Run, records: &[Record]| {
        progress.committed(run, records);
        if let Some(announcer) = &announcer {
            announcer.saw(run);
        }
    };
    let drive = Drive {
        journal: &**journal,
        lease,
        holder: holder.name.clone(),
        equip: &equip,
        launcher: &launcher,
        clock: &SystemClock,
        observer: &mut observer,
        desk: Some(&**journal),
        stop,
        settings,
    };
    let driven = runtime::drive(drive, recovered, &crate::people::actor()).await;
    progress.finish();
    if let Some(announcer) = announcer {
        announcer.finish().await;
    }
    Ok(driven?)
}

/// Makes from a plan what executes it here.
pub(crate) fn equip(plan: &Plan) -> Result<Equipment, String> {
    let evaluator = crate::planning::evaluator(plan).map_err(|failure| failure.message)?;
    Ok(Equipment { evaluator: Arc::new(evaluator), secrets: Arc::new(References::of_plan(plan)) })
}

/// Who drives: this process.
pub(crate) fn holder() -> Holder {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "host".into(), |name| name.trim().to_owned());
    let pid = std::process::id();
    let since = chrono::Utc::now().format("%H:%M:%SZ");
    Holder { name: format!("{host} pid {pid} since {since}"), pid, host }
}
