//! Driving a run in this process, with all that this build has.

use std::sync::Arc;

use engine::Run;
use runtime::{DriveEnd, Settings, Store};
use server::{Kit, drive_once};
use tokio_util::sync::CancellationToken;

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
    let driven = drive_once(&kit(journal), name, &crate::people::actor(), progress, stop, settings).await;
    progress.finish();
    Ok(driven?)
}

/// A store with the actions and the secrets of this build.
pub(crate) fn kit(store: &Arc<dyn Store>) -> Kit {
    Kit {
        store: store.clone(),
        connectors: connectors::all(&connectors::Settings::default()),
        secrets: Arc::new(|plan| Arc::new(References::of_plan(plan))),
    }
}
