//! Ctrl-C and SIGTERM: the first ends a run cleanly, the second at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit::Exit;
use crate::out;

/// Returns a token that the first Ctrl-C or SIGTERM cancels.
pub(crate) fn stop_token() -> CancellationToken {
    let token = CancellationToken::new();
    let stop = token.clone();
    tokio::spawn(async move {
        next().await;
        if out::on_terminal() {
            out::note("stopping: running steps finish (again to stop at once)");
        }
        stop.cancel();
        next().await;
        // Everything acknowledged is durable; what is in flight is in doubt, exactly as after a kill.
        std::process::exit(i32::from(Exit::Stopped.number()));
    });
    token
}

async fn next() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return futures::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
