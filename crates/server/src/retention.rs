//! Runs that are over are given up after a while, if the daemon was told so.

use std::sync::Arc;
use std::time::Duration;

use engine::Millis;
use runtime::{Clock, JournalError, Pruning, Store, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::audit::{AuditError, AuditLog, Entry};
use crate::drivers::holder;

/// Between two looks; an hour more or less is nothing to what is kept for days.
const BETWEEN: Duration = Duration::from_secs(3_600);

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum RetentionError {
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("what was deleted could not be written down")]
    Audit(#[from] AuditError),
}

/// Gives up, now and every hour, runs that ended so long ago, and writes each into the audit log before it is gone.
///
/// # Cancel safety
/// May be dropped at any await: a run is there or given up, and the next look goes on.
pub(crate) async fn keep_runs(store: Arc<dyn Store>, audit: AuditLog, long: Duration, stop: CancellationToken) {
    loop {
        tokio::select! {
            done = look(&*store, &audit, long) => {
                if let Err(error) = done {
                    tracing::error!(error = &error as &dyn std::error::Error, "runs that are over could not be deleted");
                }
            }
            () = stop.cancelled() => return,
        }
        tokio::select! {
            () = tokio::time::sleep(BETWEEN) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(store: &dyn Store, audit: &AuditLog, long: Duration) -> Result<(), RetentionError> {
    let now = SystemClock.now();
    let since = now.saturating_sub(Millis::try_from(long.as_millis()).unwrap_or(Millis::MAX));
    let pruning = Pruning::of(store, now, since).await?;
    for one in pruning.judged(0).await?.into_iter().filter(|one| one.kept.is_none()) {
        let entry = |outcome: String| Entry {
            at: report::stamp(SystemClock.now()),
            who: "reinstate".to_owned(),
            role: "daemon".to_owned(),
            from: "here, --keep-runs".to_owned(),
            action: "prune".to_owned(),
            what: serde_json::json!({ "run": one.run, "ended": one.ended_at.map(report::stamp) }),
            outcome,
        };
        write(audit, entry("ok".to_owned())).await?;
        if let Some(why) = pruning.prune(&one.run, &holder()).await? {
            write(audit, entry(format!("kept after all: {why}"))).await?;
        }
    }
    runtime::free_all(store).await?;
    Ok(())
}

/// Appending waits for the disk.
async fn write(audit: &AuditLog, entry: Entry) -> Result<(), AuditError> {
    let log = audit.clone();
    match tokio::task::spawn_blocking(move || log.append(entry)).await {
        Ok(written) => written.map(drop),
        // Only a panic or the end of the process ends it without an answer.
        Err(_) => Ok(()),
    }
}
