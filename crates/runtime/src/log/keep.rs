//! Where the attempts of a process write, be it the driver's or a worker's.

use std::sync::Arc;

use super::LogBook;
use crate::ports::{AttemptLogs, Clock};

/// Where attempts write, and how many bytes those of one run may write.
#[derive(Clone)]
pub(crate) struct Keep {
    pub(crate) logs: Arc<dyn AttemptLogs>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) most: u64,
}

impl Keep {
    /// Opens the book of a run.
    pub(crate) fn open(&self, run: &str) -> LogBook {
        LogBook::new(run, self.logs.clone(), self.clock.clone(), self.most)
    }
}
