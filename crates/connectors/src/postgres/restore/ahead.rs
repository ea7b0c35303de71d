//! Small tenants are read ahead of those who write them: while a COMMIT waits for the disk, the backup is read on.

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::error::RestoreError;
use super::groups::{GROUP_ROWS, Group};
use super::pair::Pair;
use super::session;
use super::source::{self, Extract};

/// Rows that wait in memory at most: a group that is written, one that waits, and one that is read.
const ROWS: usize = 3 * GROUP_ROWS as usize;

/// A tenant whose rows wait in memory.
pub(crate) struct Waiting {
    pub(crate) tenant: String,
    pub(crate) extract: Extract,
    /// Its part of the memory; given back when the tenant is done.
    pub(crate) room: OwnedSemaphorePermit,
}

/// Reads groups one after another, as far ahead as there is room.
pub(crate) struct Reader {
    groups: Vec<Group>,
    room: Arc<Semaphore>,
    out: UnboundedSender<Waiting>,
}

/// Where those who write take tenants from.
pub(crate) struct Shelf(Mutex<UnboundedReceiver<Waiting>>);

/// Makes both ends.
pub(crate) fn ahead(groups: Vec<Group>) -> (Reader, Shelf) {
    let (out, shelf) = unbounded_channel();
    (Reader { groups, room: Arc::new(Semaphore::new(ROWS)), out }, Shelf(Mutex::new(shelf)))
}

impl Reader {
    /// Reads to the end, on a connection of its own.
    ///
    /// # Cancel safety
    /// Tenants that were not handed out are not restored.
    pub(crate) async fn read(self, from: &str, pair: &Pair) -> Result<(), RestoreError> {
        if self.groups.is_empty() {
            return Ok(());
        }
        let mut backup = session::backup(from).await?;
        session::snapshot(&mut backup).await?;
        for group in self.groups {
            let rows = permits(group.rows);
            let Ok(mut room) = Arc::clone(&self.room).acquire_many_owned(rows).await else { return Ok(()) };
            let ids: Vec<String> = group.tenants.iter().map(|(id, _)| id.clone()).collect();
            let extracts = source::group(&mut backup, pair, &ids).await?;
            for ((tenant, rows), extract) in group.tenants.into_iter().zip(extracts) {
                let Some(room) = room.split(permits(rows) as usize) else { continue };
                if self.out.send(Waiting { tenant, extract, room }).is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Shelf {
    /// Takes the next tenant, once it is read, and of those that are read already as many as `more` wants after those that
    /// were taken; none after the last one, also if reading has failed.
    pub(crate) async fn next(&self, more: impl Fn(&[Waiting]) -> bool) -> Vec<Waiting> {
        let mut shelf = self.0.lock().await;
        let mut taken: Vec<Waiting> = shelf.recv().await.into_iter().collect();
        while more(&taken)
            && let Ok(next) = shelf.try_recv()
        {
            taken.push(next);
        }
        taken
    }
}

fn permits(rows: u64) -> u32 {
    u32::try_from(rows).unwrap_or(u32::MAX).min(ROWS as u32)
}
