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
        given_up(audit, entry, pruning.prune(&one.run, &holder())).await?;
    }
    runtime::free_all(store).await?;
    Ok(())
}

/// Gives a run up. Its record comes first: what is deleted without one could have been anything. Where it did not come about
/// is the next record, so that the first does not stay for what it says.
async fn given_up(
    audit: &AuditLog,
    entry: impl Fn(String) -> Entry,
    prune: impl Future<Output = Result<Option<String>, JournalError>>,
) -> Result<(), RetentionError> {
    audit.record(entry("ok".to_owned())).await?;
    match prune.await {
        Ok(None) => Ok(()),
        Ok(Some(why)) => Ok(audit.record(entry(format!("kept after all: {why}"))).await.map(drop)?),
        Err(error) => {
            audit.record(entry(error.code().to_owned())).await?;
            Err(error.into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(outcome: String) -> Entry {
        let text = String::new;
        let what = serde_json::json!({ "run": "r" });
        Entry { at: text(), who: text(), role: text(), from: text(), action: text(), what, outcome }
    }

    #[tokio::test]
    async fn a_run_that_could_not_be_given_up_is_a_record_and_one_without_a_record_stays() {
        let home = std::env::temp_dir().join(format!("reinstate-retention-{}", std::process::id()));
        std::fs::create_dir_all(&home).expect("a folder");
        let audit = AuditLog::of(&home);
        let gone = async { Err(JournalError::NoSuchRun("r".to_owned())) };
        assert!(given_up(&audit, entry, gone).await.is_err());
        let records = crate::audit::read_last(&home, 9).expect("read");
        let outcomes: Vec<&str> = records.iter().map(|record| record.entry.outcome.as_str()).collect();
        assert_eq!(outcomes, ["journal-no-such-run", "ok"]);
        let nowhere = AuditLog::of(&home.join("none"));
        let never = async { unreachable!("it is not deleted without a record") };
        assert!(matches!(given_up(&nowhere, entry, never).await, Err(RetentionError::Audit(_))));
        std::fs::remove_dir_all(&home).expect("our own folder");
    }
}
