//! The reference of giving runs up.

use async_trait::async_trait;

use super::MemoryJournal;
use crate::ports::{JournalError, Lease, Retention};

#[async_trait]
impl Retention for MemoryJournal {
    async fn discard(&self, lease: &Lease) -> Result<(), JournalError> {
        let state = &mut *self.state();
        let at = state.runs.newest_at(lease)?;
        state.locks.refuse_if_held(at, &lease.run)?;
        state.runs.discard(&lease.run);
        state.requests.forget(at);
        state.claims.forget(at);
        state.orders.forget(at);
        state.shares.drop_all(at);
        Ok(())
    }

    async fn free(&self) -> Result<Option<u64>, JournalError> {
        let state = &mut *self.state();
        let Some((at, bytes)) = state.runs.free() else { return Ok(None) };
        state.logs.forget(at);
        Ok(Some(bytes))
    }

    async fn spare(&self) -> Result<u64, JournalError> {
        Ok(0)
    }
}
