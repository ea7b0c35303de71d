//! The end of a journal alone: how a run stands, without reading the whole.

use engine::{Event, decode_group};
use runtime::{Journal, JournalError, RunSummary};

/// The newest event of a run; `None` if nobody has opened it, or if this version cannot read it.
///
/// # Errors
/// If the store cannot be read.
///
/// # Cancel safety
/// May be dropped at any await.
pub(super) async fn last_event(journal: &dyn Journal, run: &RunSummary) -> Result<Option<Event>, JournalError> {
    let Some(last) = run.groups.checked_sub(1) else { return Ok(None) };
    let group = journal.load(&run.head.run, last, 1).await?.into_iter().next();
    let group = group.and_then(|group| decode_group(&group.bytes).ok());
    Ok(group.and_then(|mut group| group.records.pop()).map(|record| record.event))
}
