//! How a worker comes to claim nothing more: it stops by itself at once, and the store is told until it knows, beside all else
//! that the worker does.

use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::time::Instant;

use super::work::WorkerError;
use crate::ports::{JournalError, Store};

/// Time between two tries to tell the store.
const AGAIN: Duration = Duration::from_secs(1);

/// Time for which a worker that has nothing left goes on trying; it is struck off anyway then.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(super) struct Drain<'a> {
    asked: Option<Instant>,
    /// Whether the store knows it.
    is_known: bool,
    telling: Option<BoxFuture<'a, Result<(), JournalError>>>,
}

impl<'a> Drain<'a> {
    /// Whether it was asked to claim nothing more.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.is_some()
    }

    /// Whether it may end once it has nothing left: what the store hands out until it knows must have come to light.
    pub(super) fn may_end(&self, is_claiming: bool) -> bool {
        self.asked.is_some_and(|since| (self.is_known && !is_claiming) || since.elapsed() >= PATIENCE)
    }

    pub(super) fn ask(&mut self, store: &'a dyn Store, worker: u64) {
        self.asked = Some(Instant::now());
        self.telling = Some(store.drain(worker));
    }

    /// A new life, under a new number: the store has to be told again.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Waits until the store knows, or does not; for ever if it was not asked, or has been told. Says whether the worker lives.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub(super) async fn noted(&mut self, store: &'a dyn Store, worker: u64) -> Result<bool, WorkerError> {
        let Some(telling) = &mut self.telling else { return std::future::pending().await };
        let told = telling.await;
        self.telling = None;
        match told {
            Ok(()) => self.is_known = true,
            Err(JournalError::NotEnlisted(_)) => return Ok(false),
            Err(error @ JournalError::Unavailable { .. }) => {
                tracing::warn!(%error, "the store does not know that the worker drains");
                let again = async move {
                    tokio::time::sleep(AGAIN).await;
                    store.drain(worker).await
                };
                self.telling = Some(again.boxed());
            }
            Err(error) => return Err(error.into()),
        }
        Ok(true)
    }
}
