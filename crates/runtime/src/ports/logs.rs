//! The port to the logs of attempts: what an attempt did and printed, line by line, for people who ask afterwards.
//!
//! A log is no truth about progress: the journal is. So nothing waits for it, and a log that cannot be kept costs lines,
//! never an attempt. Which lines are kept is decided once, before any store ([`LogBook`](crate::LogBook)).

use async_trait::async_trait;
use engine::Millis;

use super::JournalError;

/// Bytes that a line counts beyond its text, so that empty lines are bounded, too.
pub const LINE_WEIGHT: u64 = 32;

/// Keeps the logs of attempts, by run, unit and attempt. A unit is named as in its idempotency key, without the run.
///
/// # Cancel safety
/// Dropping the future of a change leaves it open whether the change was made; nothing is ever half made.
#[async_trait]
pub trait AttemptLogs: Send + Sync {
    /// Adds pieces to the logs of a run and returns the bytes that its logs have now, each line with its
    /// [`LINE_WEIGHT`]. What returned survives the death of the process; after power loss the newest may be gone.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble; then none of the pieces was added, except after
    /// [`JournalError::Unavailable`], when it is not known.
    async fn keep_logs(&self, run: &str, pieces: &[LogPiece]) -> Result<u64, JournalError>;

    /// Returns what there is of each attempt of a unit, in the order of their numbers; nothing of those that wrote
    /// nothing.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn logs_of(&self, run: &str, unit: &str) -> Result<Vec<LogHead>, JournalError>;

    /// Returns up to `limit` lines of an attempt from number `from` on, in order; numbers of lines that are not kept are
    /// left out.
    ///
    /// # Errors
    /// [`JournalError::NoSuchRun`], or the store's trouble.
    async fn log_lines(
        &self,
        run: &str,
        unit: &str,
        attempt: u32,
        from: u64,
        limit: u32,
    ) -> Result<Vec<LogLine>, JournalError>;
}

/// New lines of one attempt, and what became of its lines so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPiece {
    /// The unit.
    pub unit: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// Lines to be added; their numbers ascend and are above all before.
    pub lines: Vec<LogLine>,
    /// Lines to be forgotten: numbers from the first to before the second. Applied before the new lines are added.
    pub forget: Option<(u64, u64)>,
    /// The whole attempt, this piece included.
    pub tally: LogTally,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its number in the attempt, from 0.
    pub number: u64,
    /// When it was written.
    pub at: Millis,
    /// Who wrote it.
    pub voice: Voice,
    /// The line, without its end, and without secrets.
    pub text: String,
}

impl LogLine {
    /// Bytes that it counts.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.text.len() as u64 + LINE_WEIGHT
    }
}

/// Who wrote a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// The driver, about the attempt.
    Driver,
    /// The action, about what it does.
    Action,
    /// A command, to its standard output.
    Stdout,
    /// A command, to its standard error.
    Stderr,
}

impl Voice {
    /// All of them; a store may keep the place in this list, which never changes.
    pub const ALL: [Self; 4] = [Self::Driver, Self::Action, Self::Stdout, Self::Stderr];

    /// Its stable name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Action => "action",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Lines of an attempt, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogTally {
    /// Lines written.
    pub lines: u64,
    /// Bytes of their texts.
    pub bytes: u64,
    /// Lines that were left out in the middle, because the attempt wrote more than one may.
    pub cut_lines: u64,
    /// Bytes of their texts.
    pub cut_bytes: u64,
    /// Lines that are not kept because the logs of the run had reached their limit.
    pub beyond: u64,
    /// Lines that are not kept because the store could not, or not fast enough.
    pub lost: u64,
}

/// What there is of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Number of the attempt.
    pub attempt: u32,
    /// Its lines.
    pub tally: LogTally,
}
