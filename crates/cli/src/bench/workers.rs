//! Worker processes of this program, for a measurement.

use std::process::Stdio;
use std::time::Duration;

use runtime::{Clock, Store, SystemClock};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::runs::stopped;
use crate::args::StoreAddress;
use crate::failure::Failure;

/// Orders that a worker executes at once.
const SLOTS: &str = "256";

/// Time in which workers must be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Workers that live as long as this.
pub(crate) struct Workers {
    label: String,
    children: Vec<Child>,
    /// Their numbers in the store.
    ids: Vec<u64>,
}

/// A label that nobody else has: workers of another measurement on the same store must not take its orders.
pub(crate) fn own_label() -> String {
    format!("reinstate-bench-{}-{}", std::process::id(), SystemClock.now())
}

impl Workers {
    /// Starts so many, with a label of their own, and waits until the store lists them.
    pub(crate) async fn start(
        address: &StoreAddress,
        store: &dyn Store,
        (count, label): (u32, String),
        stop: &CancellationToken,
    ) -> Result<Self, Failure> {
        let trouble =
            |error: std::io::Error| Failure::trouble("bench-workers", &error, "start this program by its path");
        let program = std::env::current_exe().map_err(trouble)?;
        let names: Vec<String> = (1..=count).map(|ix| format!("{label}-{ix}")).collect();
        let mut children = Vec::new();
        for name in &names {
            let mut command = Command::new(&program);
            command.args(["worker", "--labels", &label, "--slots", SLOTS, "--run-logs", "0", "--name", name]);
            address.give(&mut command);
            // A Ctrl-C is for this process, which ends them.
            command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true).process_group(0);
            children.push(command.spawn().map_err(trouble)?);
        }
        let begun = tokio::time::Instant::now();
        loop {
            for child in &mut children {
                if let Some(status) = child.try_wait().map_err(trouble)? {
                    let fact = format!("a worker process ended at its start: {status}");
                    return Err(Failure::input("bench-workers", fact, "what it said is on standard error"));
                }
            }
            let living = store.workers().await?;
            let ours = living.iter().filter(|one| names.contains(&one.worker.name));
            let ids: Vec<u64> = ours.map(|one| one.id).collect();
            if ids.len() == names.len() {
                return Ok(Self { label, children, ids });
            }
            if begun.elapsed() > PATIENCE {
                let fact = format!("{count} workers were started, and {} live", ids.len());
                return Err(Failure::input("bench-workers", fact, "what they said is on standard error"));
            }
            if stop.is_cancelled() {
                return Err(stopped());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What steps demand that they alone execute.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// Ends them, and strikes them off in the store.
    pub(crate) async fn end(mut self, store: &dyn Store) -> Result<(), Failure> {
        for child in &mut self.children {
            // One that has ended by itself is as well.
            let _ = child.kill().await;
        }
        for id in &self.ids {
            store.retire(*id).await?;
        }
        Ok(())
    }
}
