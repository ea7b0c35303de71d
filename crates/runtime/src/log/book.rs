//! The logs of one run while it is driven: attempts write on sheets, one task stores what is new.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Log;
use super::page::Page;
use crate::ports::{AttemptLogs, Clock, LogPiece, Voice};

/// Time that lines wait for others, so that many share a write.
const GATHER: Duration = Duration::from_millis(250);
/// Bytes of waiting lines after which they are stored at once.
const SOON: i64 = 1 << 20;
/// Bytes that may wait; a store that is slower than this loses lines, not attempts.
const WAITING_MAX: i64 = 32 << 20;
/// Attempts in one write.
const PIECES: usize = 1_024;
/// Attempts of which it has still to be told that lines of theirs were lost.
const OWED_MAX: usize = 4_096;

/// Keeps what the attempts of a run write. Clones are the same book.
///
/// Must be made inside of a tokio runtime, which then stores the lines; what is written outlives its death up to the last
/// quarter of a second.
#[derive(Clone)]
pub struct LogBook(Arc<Shared>);

struct Shared {
    run: String,
    logs: Arc<dyn AttemptLogs>,
    clock: Arc<dyn Clock>,
    /// Bytes that the logs of the run may take, and took when something was last stored.
    most: u64,
    taken: AtomicU64,
    waiting: AtomicI64,
    /// Sheets with something new.
    news: Mutex<Vec<Arc<Sheet>>>,
    /// Sheets of which a write failed: the next one, or the last at the end, says what was lost of them.
    owed: Mutex<Vec<Arc<Sheet>>>,
    at_work: AtomicBool,
    soon: tokio::sync::Notify,
    /// One write at a time, so that lines are stored in their order.
    storing: tokio::sync::Mutex<()>,
    on: tokio::runtime::Handle,
    told: AtomicBool,
}

/// What one attempt writes on.
pub(super) struct Sheet {
    book: Arc<Shared>,
    unit: String,
    attempt: u32,
    page: Mutex<Page>,
    listed: AtomicBool,
    used: AtomicBool,
}

impl LogBook {
    /// Opens the book of a run whose logs may take `most` bytes.
    #[must_use]
    pub fn new(run: &str, logs: Arc<dyn AttemptLogs>, clock: Arc<dyn Clock>, most: u64) -> Self {
        Self(Arc::new(Shared {
            run: run.to_owned(),
            logs,
            clock,
            most,
            taken: AtomicU64::new(0),
            waiting: AtomicI64::new(0),
            news: Mutex::default(),
            owed: Mutex::default(),
            at_work: AtomicBool::new(false),
            soon: tokio::sync::Notify::new(),
            storing: tokio::sync::Mutex::new(()),
            on: tokio::runtime::Handle::current(),
            told: AtomicBool::new(false),
        }))
    }

    /// Returns the log of an attempt; one that writes nothing costs nothing more.
    #[must_use]
    pub fn of(&self, unit: String, attempt: u32) -> Log {
        let (listed, used) = (AtomicBool::new(false), AtomicBool::new(false));
        Log::on(Arc::new(Sheet { book: self.0.clone(), unit, attempt, page: Mutex::default(), listed, used }))
    }

    /// Stores all that was written so far.
    ///
    /// # Cancel safety
    /// When dropped, some of it may be lost.
    pub async fn flush(&self) {
        self.0.store().await;
    }
}

impl Sheet {
    pub(super) fn write(self: &Arc<Self>, voice: Voice, text: String) {
        let book = &self.book;
        self.used.store(true, Ordering::Relaxed);
        let waiting = {
            let mut page = self.page();
            if book.waiting.load(Ordering::Relaxed) > WAITING_MAX {
                page.lose(&text);
                0
            } else {
                let grown = page.write(book.clock.now(), voice, text);
                book.waiting.fetch_add(grown, Ordering::Relaxed) + grown
            }
        };
        if !self.listed.swap(true, Ordering::AcqRel) {
            book.news().push(self.clone());
        }
        if !book.at_work.swap(true, Ordering::AcqRel) {
            book.on.spawn(Shared::work(book.clone()));
        }
        if waiting > SOON {
            book.soon.notify_one();
        }
    }

    pub(super) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn news(&self) -> MutexGuard<'_, Vec<Arc<Sheet>>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owed(&self) -> MutexGuard<'_, Vec<Arc<Sheet>>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a sheet for the next write. Nobody is woken for it alone: a store that is away stays so for a while.
    fn owe(&self, sheet: &Arc<Sheet>) {
        // What is written on it meanwhile has listed it.
        if !sheet.listed.swap(true, Ordering::AcqRel) {
            let mut owed = self.owed();
            if owed.len() < OWED_MAX {
                owed.push(sheet.clone());
            } else {
                sheet.listed.store(false, Ordering::Release);
            }
        }
    }

    /// Stores until nothing is new.
    async fn work(self: Arc<Self>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(GATHER) => {}
                () = self.soon.notified() => {}
            }
            self.store().await;
            if self.news().is_empty() {
                self.at_work.store(false, Ordering::Release);
                // Whoever wrote between the two lines above has seen a worker and started none.
                if self.news().is_empty() || self.at_work.swap(true, Ordering::AcqRel) {
                    return;
                }
            }
        }
    }

    async fn store(&self) {
        let _one = self.storing.lock().await;
        let mut sheets = std::mem::take(&mut *self.news());
        sheets.append(&mut self.owed());
        for sheets in sheets.chunks(PIECES) {
            let beyond = self.taken.load(Ordering::Relaxed) >= self.most;
            let mut weight = 0;
            let taken = |sheet: &Arc<Sheet>| {
                // Listed again by whatever is written from here on.
                sheet.listed.store(false, Ordering::Release);
                let (piece, heavy) = sheet.page().take(&sheet.unit, sheet.attempt, beyond);
                weight += heavy;
                piece
            };
            let pieces: Vec<LogPiece> = sheets.iter().map(taken).collect();
            self.waiting.fetch_sub(i64::try_from(weight).unwrap_or(i64::MAX), Ordering::Relaxed);
            match self.logs.keep_logs(&self.run, &pieces).await {
                Ok(taken) => {
                    self.taken.store(taken, Ordering::Relaxed);
                    if taken >= self.most && !self.told.swap(true, Ordering::Relaxed) {
                        tracing::warn!(
                            run = self.run,
                            bytes = taken,
                            "the logs of the attempts have reached their limit; further lines are only counted"
                        );
                    }
                }
                Err(error) => {
                    let lines: usize = pieces.iter().map(|piece| piece.lines.len()).sum();
                    tracing::warn!(run = self.run, lines, %error, "lines of attempts could not be kept");
                    for (sheet, piece) in sheets.iter().zip(&pieces) {
                        sheet.page().failed(piece);
                        self.owe(sheet);
                    }
                }
            }
        }
    }
}
