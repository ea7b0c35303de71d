//! Ctrl-C and SIGTERM: the first ends a run cleanly, the second at once.

use std::time::Duration;

use server::Stop;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::out;

/// Time in which a run is given back after the second signal.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Time in which a worker has its attempts end, and answers for them, after the second signal.
const WORKERS_MOMENT: Duration = Duration::from_secs(12);

/// Returns what the first Ctrl-C or SIGTERM, and the second, cancel.
pub(crate) fn stop() -> Stop {
    stop_within(LAST_MOMENT)
}

/// As [`stop`], for a worker.
pub(crate) fn stop_of_worker() -> Stop {
    stop_within(WORKERS_MOMENT)
}

fn stop_within(last_moment: Duration) -> Stop {
    let stop = Stop::default();
    let told = stop.clone();
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        if out::on_terminal() {
            out::note("stopping: running steps finish (again to stop at once)");
        }
        told.cleanly.cancel();
        next().await;
        told.at_once.cancel();
        tokio::time::sleep(last_moment).await;
        // Everything acknowledged is durable; what is in flight is in doubt, exactly as after a kill.
        std::process::exit(i32::from(Exit::Stopped.number()));
    });
    stop
}

/// As [`stop`], for whoever gives nothing back.
pub(crate) fn stop_token() -> CancellationToken {
    stop().cleanly
}
