//! What the loop waits for, each for ever if it is not there.

use std::collections::VecDeque;

use engine::{Millis, Record, Run};
use futures::future::BoxFuture;

use super::{Commit, Patience};
use crate::driver::desk::{Desk, Found};
use crate::driver::orders::{Came, Orders};
use crate::ports::{Appended, Clock, JournalError};

/// A durable group.
pub(super) struct Committed {
    /// What comes next.
    pub(super) appended: Appended,
    pub(super) records: Vec<Record>,
    /// Requests, and orders, whose ends are in it.
    pub(super) replies: VecDeque<u64>,
    pub(super) settled: Vec<u64>,
}

/// Waits for the group on its way to be durable; for ever if there is none.
pub(super) async fn committed(commit: &mut Option<Commit<'_>>) -> Result<Committed, JournalError> {
    let Some(pending) = commit else { return futures::future::pending().await };
    let result = (&mut pending.done).await;
    let Some(done) = commit.take() else { return futures::future::pending().await };
    let Commit { records, replies, settled, .. } = done;
    Ok(Committed { appended: result?, records, replies, settled })
}

/// Waits for the lease to be renewed; for ever if it is not asked for.
pub(super) async fn renewed(renewal: &mut Option<BoxFuture<'_, Result<(), JournalError>>>) -> Result<(), JournalError> {
    let Some(pending) = renewal else { return futures::future::pending().await };
    let result = pending.await;
    *renewal = None;
    result
}

/// Waits for what the desk has; for ever without one.
pub(super) async fn on_desk(desk: &mut Option<Desk<'_>>, run: &Run) -> Result<Found, JournalError> {
    match desk {
        Some(desk) => desk.found(run).await,
        None => futures::future::pending().await,
    }
}

/// Waits for what becomes of orders; for ever if none are sent.
pub(super) async fn on_orders(orders: &mut Option<Orders<'_>>) -> Result<Came, JournalError> {
    match orders {
        Some(orders) => orders.came().await,
        None => futures::future::pending().await,
    }
}

pub(super) async fn until(at: Option<tokio::time::Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => futures::future::pending().await,
    }
}

pub(super) async fn run_out(patience: Option<Patience>) {
    match patience {
        Some(Patience::Running(until) | Patience::Cancelled(until)) => tokio::time::sleep_until(until).await,
        Some(Patience::Over) | None => futures::future::pending().await,
    }
}

pub(super) async fn wait(clock: &dyn Clock, until: Option<Millis>) {
    match until {
        Some(at) => clock.until(at).await,
        None => futures::future::pending().await,
    }
}
