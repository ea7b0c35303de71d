//! Checking the chain from its first record to its last.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use serde::Serialize;

use crate::audit::AuditError;
use crate::audit::record::{NOTHING, Record};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Records that are whole and in their place.
    pub records: u64,
    /// Hash of the last of them; note it elsewhere, and nobody can rewrite the file unseen.
    pub head: String,
    /// The first thing that is not as it was written.
    pub fault: Option<Fault>,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Fault {
    /// The line is no record.
    Unreadable {
        /// Line, from 1.
        line: u64,
    },
    /// The record was changed: its hash is another's.
    Changed {
        /// Line, from 1.
        line: u64,
    },
    /// Records are missing or in another order: this one does not follow the one before it.
    OutOfPlace {
        /// Line, from 1.
        line: u64,
        /// Number that should stand there.
        expected: u64,
        /// Number that does.
        found: u64,
    },
    /// The file ends before a record that was written.
    CutOff {
        /// Number of the last record that was written.
        written: u64,
        /// Number of the last record that is there.
        found: u64,
    },
    /// The record that was last written is not the one that is there.
    Replaced {
        /// Its number.
        number: u64,
    },
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable { line } => write!(f, "line {line} is no record"),
            Self::Changed { line } => write!(f, "the record in line {line} was changed"),
            Self::OutOfPlace { line, expected, found } => {
                write!(
                    f,
                    "line {line} holds record {found} where {expected} belongs: records are missing or were moved"
                )
            }
            Self::CutOff { written, found } => {
                write!(f, "record {written} was written, but the file ends with record {found}")
            }
            Self::Replaced { number } => write!(f, "record {number} is not the one that was written"),
        }
    }
}

/// Checks the log of a home. A log that was never written is whole.
///
/// # Errors
/// If a file cannot be read.
pub fn verify(home: &Path) -> Result<Verified, AuditError> {
    let path = home.join("audit.jsonl");
    let trouble = |source| AuditError::File { path: path.display().to_string(), source };
    let mut verified = Verified { records: 0, head: NOTHING.to_owned(), fault: None };
    let noted = noted(home);
    let mut at_noted = None;
    match File::open(&path) {
        Ok(file) => {
            for (ix, line) in BufReader::new(file).lines().enumerate() {
                let line = line.map_err(trouble)?;
                if let Err(fault) = next(&mut verified, ix as u64 + 1, &line) {
                    verified.fault = Some(fault);
                    return Ok(verified);
                }
                if noted.as_ref().is_some_and(|(number, _)| *number == verified.records) {
                    at_noted = Some(verified.head.clone());
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(source) => return Err(trouble(source)),
    }
    // The note is written after the record, so it may lag behind by one, never be ahead.
    if let Some((written, hash)) = noted {
        verified.fault = match at_noted {
            None => Some(Fault::CutOff { written, found: verified.records }),
            Some(found) if found != hash => Some(Fault::Replaced { number: written }),
            Some(_) => None,
        };
    }
    Ok(verified)
}

fn next(verified: &mut Verified, line: u64, text: &str) -> Result<(), Fault> {
    let record: Record = serde_json::from_str(text).map_err(|_| Fault::Unreadable { line })?;
    if !record.is_whole() {
        return Err(Fault::Changed { line });
    }
    let expected = verified.records + 1;
    if record.number != expected || record.before != verified.head {
        return Err(Fault::OutOfPlace { line, expected, found: record.number });
    }
    verified.records = expected;
    verified.head = record.hash;
    Ok(())
}

/// The end of the chain as it was noted beside it.
fn noted(home: &Path) -> Option<(u64, String)> {
    let text = std::fs::read_to_string(home.join("audit.head")).ok()?;
    let (number, hash) = text.trim().split_once(' ')?;
    Some((number.parse().ok()?, hash.to_owned()))
}

#[cfg(test)]
mod tests;
