//! The port on the file.

use async_trait::async_trait;
use runtime::engine::Millis;
use runtime::{AttemptLogs, JournalError, LogHead, LogLine, LogPiece};

use super::{file, rows};
use crate::sqlite::SqliteJournal;

impl SqliteJournal {
    /// When a run was created, as the journal has it.
    pub(super) async fn created_at(&self, run: &str) -> Result<Millis, JournalError> {
        let mut reader = self.reader.lock().await;
        let answer = file::created_at(reader.get(&self.path, self.lock_wait).await?, run).await;
        self.judge(&mut reader, answer)
    }
}

#[async_trait]
impl AttemptLogs for SqliteJournal {
    async fn keep_logs(&self, run: &str, pieces: &[LogPiece]) -> Result<u64, JournalError> {
        let created_at = self.created_at(run).await?;
        self.logs.has_room()?;
        let mut held = self.logs.writer.lock().await;
        let mut open = self.logs.to_write(&mut held).await?;
        let kept = rows::keep(&mut open.connection, (run, created_at), pieces).await;
        let kept = kept.map_err(|error| self.logs.trouble("writing to", error))?;
        *held = Some(open);
        Ok(kept)
    }

    async fn logs_of(&self, run: &str, unit: &str) -> Result<Vec<LogHead>, JournalError> {
        let created_at = self.created_at(run).await?;
        self.logs.read(async |connection| rows::heads(connection, (run, created_at), unit).await).await
    }

    async fn log_lines(
        &self,
        run: &str,
        unit: &str,
        attempt: u32,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>, JournalError> {
        let created_at = self.created_at(run).await?;
        let read =
            async |connection: &mut _| rows::lines(connection, (run, created_at), (unit, attempt), from, limit).await;
        self.logs.read(read).await
    }
}
