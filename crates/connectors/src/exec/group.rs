//! A process group that surely ends.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// Number of SIGTERM on every Unix.
const SIGTERM: i32 = 15;

/// A command and everything it started, unless that left the group on purpose (`setsid`).
///
/// # Cancel safety
/// Dropping it sends SIGTERM to the group and, from a thread of its own after the grace period, SIGKILL. The leader is
/// not reaped in between, so its number cannot belong to another group by then.
pub(super) struct Group {
    child: Option<Box<dyn ChildWrapper>>,
    grace: Duration,
}

impl Group {
    /// Starts a command as the leader of a new group.
    ///
    /// # Errors
    /// The system's, if it cannot be started.
    pub(super) fn start(command: Command, grace: Duration) -> io::Result<Self> {
        let child = CommandWrap::from(command).wrap(ProcessGroup::leader()).spawn()?;
        Ok(Self { child: Some(child), grace })
    }

    /// Hands out the ends of its pipes, once.
    pub(super) fn pipes(&mut self) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        match &mut self.child {
            Some(child) => (child.stdin().take(), child.stdout().take(), child.stderr().take()),
            None => (None, None, None),
        }
    }

    /// Waits until the leader has exited, then ends what is left of the group.
    ///
    /// # Errors
    /// The system's.
    ///
    /// # Cancel safety
    /// May be dropped and called again.
    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        let child = self.child.as_mut().ok_or_else(|| io::Error::other("the process group has ended already"))?;
        let status = child.inner_mut().wait().await?;
        // The number is free for others only once the group is empty; then there is nothing to signal.
        let _ = child.start_kill();
        self.child = None;
        Ok(status)
    }

    /// Ends the group: SIGTERM, the grace period or the leader's exit, SIGKILL.
    ///
    /// # Cancel safety
    /// When dropped, the group ends as by dropping it.
    pub(super) async fn end(&mut self) {
        let grace = self.grace;
        if let Some(child) = &self.child {
            let _ = child.signal(SIGTERM);
        }
        if tokio::time::timeout(grace, self.wait()).await.is_err()
            && let Some(mut child) = self.child.take()
        {
            let _ = child.start_kill();
            let _ = child.inner_mut().wait().await;
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = child.signal(SIGTERM);
        let grace = self.grace;
        let killer = std::thread::Builder::new().name("reinstate-grace".to_owned());
        let spawned = killer.spawn(move || {
            std::thread::sleep(grace);
            let _ = child.start_kill();
        });
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for the grace period of a process group: only SIGTERM was sent");
        }
    }
}
