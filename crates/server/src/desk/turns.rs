//! Turns at the desk of a run: those who ask for the next thing in the same moment come one after another.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Whose turn it is, by run: a run whose journal is away holds no other's people up.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    runs: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Turns {
    /// Waits for the turn at the desk of a run; it ends when what this gives is dropped.
    ///
    /// # Cancel safety
    /// Dropping the future gives the place up.
    pub(super) async fn at(&self, run: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
            // Whoever has a turn or waits for one has a copy.
            runs.retain(|_, turn| Arc::strong_count(turn) > 1);
            runs.entry(run.to_owned()).or_default().clone()
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn who_waits_at_one_run_holds_no_other_up() {
        let turns = Turns::default();
        let first = turns.at("one").await;
        assert!(turns.at("one").now_or_never().is_none(), "one after another");
        assert!(turns.at("two").now_or_never().is_some());
        drop(first);
        assert!(turns.at("one").now_or_never().is_some());
        let _ = turns.at("three").await;
        assert_eq!(turns.runs.lock().expect("nobody panicked").len(), 1, "what nobody waits for is forgotten");
    }
}
