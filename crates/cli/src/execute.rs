//! Driving a run in this process, with all that this build has.

use std::sync::Arc;

use engine::Run;
use runtime::{DriveEnd, Settings, Store};
use server::{Kit, Stop, Telling, drive_once};

use crate::announce::Announcer;
use crate::args::Waiting;
use crate::failure::Failure;
use crate::progress::Progress;
use crate::secrets::References;

/// Drives a stored run until it ends, waits or is stopped.
pub(crate) async fn drive_run(
    journal: &Arc<dyn Store>,
    name: &str,
    progress: &mut Progress,
    stop: Stop,
    waiting: &Waiting,
) -> Result<(DriveEnd, Run), Failure> {
    let settings = Settings { wait: waiting.wait, ..Settings::default() };
    let driven =
        drive_once(&kit(journal, waiting.logged.run_logs), name, &crate::people::actor(), progress, stop, settings)
            .await;
    progress.finish();
    Ok(driven?)
}

/// A store with the actions, the secrets and the words for the outside of this build.
pub(crate) fn kit(store: &Arc<dyn Store>, logs_max: u64) -> Kit {
    let connectors = connectors::all(&connectors::Settings::default());
    let (journal, actions) = (store.clone(), connectors.clone());
    Kit {
        store: store.clone(),
        connectors,
        secrets: Arc::new(|plan| Arc::new(References::of_plan(plan))),
        vault: Arc::new(|references| Arc::new(References::of(references))),
        logs_max,
        telling: Arc::new(move |run, plan| {
            let announcer = Announcer::start(&journal, run, plan, &actions).map_err(|failure| failure.message)?;
            Ok(announcer.map(|announcer| Box::new(announcer) as Box<dyn Telling>))
        }),
    }
}
