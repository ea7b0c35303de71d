//! Worker processes of this program, for a measurement.

use std::process::Stdio;
use std::time::Duration;

use runtime::Store;
use tokio::process::{Child, Command};

use crate::args::StoreAddress;
use crate::failure::Failure;

/// What the steps of a measurement demand, so that no other worker takes them.
pub(crate) const LABEL: &str = "reinstate-bench";

/// Orders that a worker executes at once.
const SLOTS: &str = "256";

/// Time in which workers must be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// Workers that live as long as this.
pub(crate) struct Workers {
    _children: Vec<Child>,
}

impl Workers {
    /// Starts so many, and waits until the store lists them.
    pub(crate) async fn start(address: &StoreAddress, store: &dyn Store, count: u32) -> Result<Self, Failure> {
        let trouble =
            |error: std::io::Error| Failure::trouble("bench-workers", &error, "start this program by its path");
        let program = std::env::current_exe().map_err(trouble)?;
        let mut children = Vec::new();
        for _ in 0..count {
            let mut command = Command::new(&program);
            command.args(["worker", "--labels", LABEL, "--slots", SLOTS, "--run-logs", "0"]);
            address.give(&mut command);
            command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
            children.push(command.spawn().map_err(trouble)?);
        }
        let begun = tokio::time::Instant::now();
        loop {
            let pids: Vec<String> =
                children.iter().filter_map(|child| Some(format!(" pid {} ", child.id()?))).collect();
            let living = store.workers().await?;
            if pids.iter().all(|pid| living.iter().any(|one| one.worker.name.contains(pid))) {
                return Ok(Self { _children: children });
            }
            if begun.elapsed() > PATIENCE {
                let fact = format!("{count} workers were started, and {} live", living.len());
                return Err(Failure::input("bench-workers", fact, "what they said is on standard error"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
