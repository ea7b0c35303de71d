//! Writing the log: one record at a time, on the disk before anybody is told.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::audit::bounds::bounded;
use crate::audit::record::{Entry, NOTHING, Record};

/// Bytes of the end that are read to find the last record; a record is shorter, but for those of releases that did not
/// bound them.
const TAIL: u64 = 256 << 10;

/// Why something could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file cannot be read or written.
    #[error("the audit log cannot be used: {path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Its end is no record.
    #[error("the audit log does not end with a record: {path}")]
    Form {
        /// The file.
        path: String,
    },
}

impl AuditError {
    /// Returns the stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "audit-unwritable",
            Self::Form { .. } => "audit-broken",
        }
    }

    /// Returns what a person can do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::File { .. } => "check the folder given with --home, its permissions and its free space",
            Self::Form { .. } => "`reinstate audit verify` says where; move the file away to begin a new chain",
        }
    }
}

/// The log of a home; clones write to the same.
#[derive(Clone, Debug)]
pub struct AuditLog {
    path: Arc<PathBuf>,
    end: Arc<Mutex<Option<End>>>,
}

#[derive(Clone, Debug)]
struct End {
    number: u64,
    hash: String,
}

impl AuditLog {
    /// The log in a folder; the file need not be there yet.
    #[must_use]
    pub fn of(home: &Path) -> Self {
        Self { path: Arc::new(home.join("audit.jsonl")), end: Arc::default() }
    }

    /// Appends a record, with what is too long in it cut short; on the disk on return. Blocks: call it where that is fine.
    ///
    /// # Errors
    /// If the file cannot be written, or its end is not what this program writes.
    pub fn append(&self, entry: Entry) -> Result<Record, AuditError> {
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        file.lock().map_err(|source| self.trouble(source))?;
        let last = match end.take() {
            Some(end) => end,
            None => self.last(&mut file)?,
        };
        let record = Record::after(last.number + 1, &last.hash, bounded(entry));
        let mut line = serde_json::to_vec(&record).unwrap_or_default();
        line.push(b'\n');
        let written = file.seek(SeekFrom::End(0)).and_then(|_| file.write_all(&line)).and_then(|()| file.sync_data());
        written.map_err(|source| self.trouble(source))?;
        self.note_head(&record).map_err(|source| self.trouble(source))?;
        *end = Some(End { number: record.number, hash: record.hash.clone() });
        Ok(record)
    }

    /// As [`AuditLog::append`], for where nothing may block. An append that came to no end is no record.
    ///
    /// # Errors
    /// As for [`AuditLog::append`], and if it panicked.
    ///
    /// # Cancel safety
    /// When dropped, the record is written all the same, unless the process ends.
    pub(crate) async fn record(&self, entry: Entry) -> Result<Record, AuditError> {
        let log = self.clone();
        let written = tokio::task::spawn_blocking(move || log.append(entry)).await;
        written.unwrap_or_else(|error| Err(self.trouble(std::io::Error::other(error))))
    }

    /// Whether a record could be written now.
    ///
    /// # Errors
    /// If the file cannot be opened for writing, or its end is not what this program writes.
    pub fn ready(&self) -> Result<(), AuditError> {
        let end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = self.open()?;
        if end.is_none() {
            self.last(&mut file)?;
        }
        Ok(())
    }

    fn open(&self) -> Result<File, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        options.open(&*self.path).map_err(|source| self.trouble(source))
    }

    /// The last record of the file. A line without its end was never acknowledged: it is cut off.
    fn last(&self, file: &mut File) -> Result<End, AuditError> {
        let length = file.metadata().map_err(|source| self.trouble(source))?.len();
        let mut reach = TAIL;
        loop {
            let bytes = read_end(file, reach).map_err(|source| self.trouble(source))?;
            let whole = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let mut lines = bytes[..whole].rsplit(|&byte| byte == b'\n').skip(1);
            let (last, before) = (lines.next(), lines.next());
            // Without the end of the line before it, this may be the rest of one.
            if before.is_none() && reach < length {
                reach *= 8;
                continue;
            }
            if whole < bytes.len() {
                let torn = (bytes.len() - whole) as u64;
                file.set_len(length - torn).map_err(|source| self.trouble(source))?;
            }
            let Some(line) = last else { return Ok(End { number: 0, hash: NOTHING.to_owned() }) };
            let form = |_| AuditError::Form { path: self.path.display().to_string() };
            let record: Record = serde_json::from_slice(line).map_err(form)?;
            return Ok(End { number: record.number, hash: record.hash });
        }
    }

    /// Notes the end of the chain beside it, so that a file that was cut off shows.
    fn note_head(&self, record: &Record) -> std::io::Result<()> {
        let head = self.path.with_extension("head");
        let new = self.path.with_extension("head.new");
        let mut options = OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        writeln!(file, "{} {}", record.number, record.hash)?;
        file.sync_data()?;
        std::fs::rename(&new, head)
    }

    fn trouble(&self, source: std::io::Error) -> AuditError {
        AuditError::File { path: self.path.display().to_string(), source }
    }
}

fn read_end(file: &mut File, reach: u64) -> std::io::Result<Vec<u8>> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(reach)))?;
    let mut bytes = Vec::new();
    file.take(reach).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The last records of a log, newest first; what cannot be read is left out. For people: `verify` judges.
///
/// # Errors
/// If the file is there and cannot be read.
pub fn read_last(home: &Path, most: usize) -> Result<Vec<Record>, AuditError> {
    let path = home.join("audit.jsonl");
    let trouble = |source| AuditError::File { path: path.display().to_string(), source };
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(trouble(source)),
    };
    let bytes = read_end(&mut file, TAIL).map_err(trouble)?;
    let lines = bytes.rsplit(|&byte| byte == b'\n');
    Ok(lines.filter_map(|line| serde_json::from_slice(line).ok()).take(most).collect())
}
