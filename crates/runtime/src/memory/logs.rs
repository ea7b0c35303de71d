//! The reference of the logs of attempts.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::MemoryJournal;
use crate::ports::{AttemptLogs, JournalError, LogHead, LogLine, LogPiece, LogTally};

/// Logs by the place of the run, unit and attempt.
#[derive(Default)]
pub(super) struct Logs(BTreeMap<(usize, String, u32), Kept>);

#[derive(Default)]
struct Kept {
    lines: BTreeMap<u64, LogLine>,
    tally: LogTally,
}

impl Logs {
    /// Forgets all logs of the run at a place.
    pub(super) fn forget(&mut self, run: usize) {
        self.0.retain(|(at, ..), _| *at != run);
    }
}

#[async_trait]
impl AttemptLogs for MemoryJournal {
    async fn keep_logs(&self, run: &str, pieces: &[LogPiece]) -> Result<u64, JournalError> {
        let state = &mut *self.state();
        let run = state.runs.at(run)?;
        for piece in pieces {
            let kept = state.logs.0.entry((run, piece.unit.clone(), piece.attempt)).or_default();
            if let Some((from, to)) = piece.forget {
                kept.lines.retain(|number, _| !(from..to).contains(number));
            }
            kept.lines.extend(piece.lines.iter().map(|line| (line.number, line.clone())));
            kept.tally = piece.tally;
        }
        let of_run = state.logs.0.iter().filter(|((at, ..), _)| *at == run);
        Ok(of_run.flat_map(|(_, kept)| kept.lines.values()).map(LogLine::weight).sum())
    }

    async fn logs_of(&self, run: &str, unit: &str) -> Result<Vec<LogHead>, JournalError> {
        let state = self.state();
        let run = state.runs.at(run)?;
        let from = (run, unit.to_owned(), 0);
        let of_unit = state.logs.0.range(from..).take_while(|((at, of, _), _)| *at == run && of == unit);
        Ok(of_unit.map(|((.., attempt), kept)| LogHead { attempt: *attempt, tally: kept.tally }).collect())
    }

    async fn log_lines(
        &self,
        run: &str,
        unit: &str,
        attempt: u32,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>, JournalError> {
        let state = self.state();
        let run = state.runs.at(run)?;
        let Some(kept) = state.logs.0.get(&(run, unit.to_owned(), attempt)) else { return Ok(Vec::new()) };
        Ok(kept.lines.range(from..).take(limit as usize).map(|(_, line)| line.clone()).collect())
    }
}
