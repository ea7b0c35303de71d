//! The port to the history of drills: which slots were seen to, by whom once, and what came of them.

use async_trait::async_trait;
use engine::Millis;

use super::JournalError;

/// Keeps the history of drills. One suite runs on every implementation.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait Drills: Send + Sync {
    /// Claims a slot of a drill; durable on return. `false` if it was claimed before, by whomever: a slot takes place
    /// once.
    ///
    /// # Errors
    /// The store's trouble.
    async fn claim_drill(&self, claim: &DrillClaim) -> Result<bool, JournalError>;

    /// Says what came of a slot that was claimed; durable on return. `false`, and nothing is changed, if that was said
    /// before or the slot was not claimed.
    ///
    /// # Errors
    /// The store's trouble.
    async fn finish_drill(&self, drill: &str, slot: Millis, result: &DrillResult) -> Result<bool, JournalError>;

    /// Returns up to `limit` entries of a drill, or of all, the newest slot first.
    ///
    /// # Errors
    /// The store's trouble.
    async fn drills(&self, drill: Option<&str>, limit: u32) -> Result<Vec<DrillEntry>, JournalError>;

    /// Returns the entry of a drill's oldest slot.
    ///
    /// # Errors
    /// The store's trouble.
    async fn first_drill(&self, drill: &str) -> Result<Option<DrillEntry>, JournalError>;

    /// Returns the entries of a drill, or of all, of which it was never said what came of them, the oldest slot first.
    ///
    /// # Errors
    /// The store's trouble.
    async fn unfinished_drills(&self, drill: Option<&str>) -> Result<Vec<DrillEntry>, JournalError>;

    /// Returns the entry of the drill that proved its runbook and had ended by a time: the last of them.
    ///
    /// # Errors
    /// The store's trouble.
    async fn last_good_drill(&self, drill: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError>;

    /// Returns the entry of the drill that proved a runbook, under whatever name, and had ended by a time: the last of
    /// them certifies the runbook.
    ///
    /// # Errors
    /// The store's trouble.
    async fn certificate(&self, runbook_hash: &str, by: Millis) -> Result<Option<DrillEntry>, JournalError>;

    /// Returns the runs of all entries that [`last_good_drill`](Drills::last_good_drill) or
    /// [`certificate`](Drills::certificate) would give by this time or any later one, without what was judged of them.
    ///
    /// # Errors
    /// The store's trouble.
    async fn proofs(&self, by: Millis) -> Result<Vec<String>, JournalError>;
}

/// A slot of a drill that somebody is about to see to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillClaim {
    /// Name of the drill.
    pub drill: String,
    /// The time for which it was due.
    pub slot: Millis,
    /// Name of its run; the runs before and after it are named by it.
    pub run: String,
    /// When it was claimed.
    pub at: Millis,
    /// Hash of the runbook's text.
    pub runbook_hash: String,
}

/// What came of a drill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillResult {
    /// When it was over, clean-up and all.
    pub ended_at: Millis,
    /// Whether it was a good one.
    pub good: bool,
    /// Whether it proves its runbook: it was good, and nothing less than what was asked.
    pub proves: bool,
    /// Sites that took part.
    pub sites: u32,
    /// The judgement in full; opaque here.
    pub bytes: Vec<u8>,
}

/// An entry of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrillEntry {
    /// Who was to do what.
    pub claim: DrillClaim,
    /// What came of it; `None` while it goes on, and for one whose process was lost.
    pub result: Option<DrillResult>,
}
