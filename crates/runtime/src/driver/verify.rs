//! Whether a journal is what was written: every group read, followed along the chain and replayed.

use engine::{Link, Run};

use super::recover::{RecoverError, Tail};
use crate::ports::{Journal, JournalError};

/// What was found of a journal.
#[derive(Debug)]
pub struct Verified {
    /// Groups that are whole and in their place.
    pub groups: u64,
    /// Records in them.
    pub records: u64,
    /// What the last of them is known by: note it elsewhere, and nobody can rewrite the journal unseen.
    pub head: Option<Link>,
    /// After how many groups the head was the one that had been noted, if it ever was.
    pub noted_after: Option<u64>,
    /// The first thing that is not as it was written; what comes after it was not looked at.
    pub fault: Option<RecoverError>,
}

/// Reads the journal of a run from its first group to its last and changes nothing. `noted` is a head that was noted
/// elsewhere: of a run that went on since, it is that of an earlier group.
///
/// # Errors
/// [`JournalError::NoSuchRun`], and whatever keeps the journal from being read; damage is no error, but found.
///
/// # Cancel safety
/// Changes nothing.
pub async fn verify(journal: &dyn Journal, run: &str, noted: Option<Link>) -> Result<Verified, JournalError> {
    let mut found = Verified { groups: 0, records: 0, head: None, noted_after: None, fault: None };
    let mut tail = match Tail::open(journal, run).await {
        Ok(tail) => tail,
        Err(error) => {
            found.fault = Some(damage(error)?);
            return Ok(found);
        }
    };
    let mut folded = Run::new(tail.plan().clone());
    loop {
        // One at a time, so that every head is seen and a fault has its place.
        let groups = match tail.read_up_to(journal, 1).await {
            Ok(groups) => groups,
            Err(error) => {
                found.fault = Some(damage(error)?);
                return Ok(found);
            }
        };
        if groups.is_empty() {
            return Ok(found);
        }
        for (seq, records) in groups {
            let len = records.len() as u64;
            for record in records {
                if let Err(source) = folded.apply(&record) {
                    found.fault = Some(RecoverError::Record { run: run.to_owned(), seq, source });
                    return Ok(found);
                }
            }
            found.records += len;
        }
        (found.groups, found.head) = (tail.groups(), Some(tail.link()));
        if noted == found.head {
            found.noted_after = Some(found.groups);
        }
    }
}

/// Damage of the journal; an error if it is none.
fn damage(error: RecoverError) -> Result<RecoverError, JournalError> {
    match error {
        RecoverError::Journal(error @ JournalError::Corrupt(_)) => Ok(error.into()),
        RecoverError::Journal(error) => Err(error),
        error => Ok(error),
    }
}
