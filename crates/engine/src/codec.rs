//! A journal group: the events of one commit, encoded together.
//!
//! Layout: format byte, base time (postcard varint, zigzag), number of records (varint), then per record the time since
//! the one before (varint) and the event (postcard), then the first 4 bytes of the BLAKE3 hash of all before. About 6
//! bytes a record; postcard's wire format is stable since its 1.0.

use serde::{Deserialize, Serialize};

use crate::event::{Event, Record};
use crate::ids::Millis;

/// Format byte of a group written by this version.
pub const GROUP_FORMAT: u8 = 2;

const CHECK_LEN: usize = 4;

/// Why a group could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// A newer version wrote it.
    #[error("the group has format {found}, this version reads up to {GROUP_FORMAT}")]
    NewerFormat {
        /// Its format.
        found: u8,
    },
    /// The bytes are not what was written.
    #[error("the group is damaged: {0}")]
    Damaged(&'static str),
}

/// Collects records into a group.
#[derive(Debug, Default)]
pub struct GroupWriter {
    base: Option<Millis>,
    last: Millis,
    len: u32,
    body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    base: Millis,
    len: u32,
}

impl GroupWriter {
    /// Adds a record. Times that go backwards are stored as the time before.
    pub fn push(&mut self, record: &Record) {
        let base = *self.base.get_or_insert(record.at);
        let last = if self.len == 0 { base } else { self.last };
        let at = record.at.max(last);
        self.last = at;
        self.len += 1;
        let since = u64::try_from(at - last).unwrap_or(0);
        let body = std::mem::take(&mut self.body);
        // Serialising plain data into a growing buffer has no way to fail.
        let body = postcard::to_extend(&since, body).expect("a number into memory");
        self.body = postcard::to_extend(&record.event, body).expect("an event into memory");
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Says whether there is no record.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Ends the group and returns its bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let head = Head { base: self.base.unwrap_or(0), len: self.len };
        let bytes = Vec::with_capacity(self.body.len() + 24);
        let bytes = postcard::to_extend(&GROUP_FORMAT, bytes).expect("a number into memory");
        let mut bytes = postcard::to_extend(&head, bytes).expect("two numbers into memory");
        bytes.extend_from_slice(&self.body);
        let check = blake3::hash(&bytes);
        bytes.extend_from_slice(&check.as_bytes()[..CHECK_LEN]);
        bytes
    }
}

/// Decodes a group.
///
/// # Errors
/// If the bytes are damaged or a newer version wrote them.
pub fn decode_group(bytes: &[u8]) -> Result<Vec<Record>, GroupError> {
    let format = *bytes.first().ok_or(GroupError::Damaged("it is empty"))?;
    if format > GROUP_FORMAT {
        return Err(GroupError::NewerFormat { found: format });
    }
    let split = bytes.len().checked_sub(CHECK_LEN).ok_or(GroupError::Damaged("it is too short"))?;
    let (bytes, check) = bytes.split_at(split);
    if blake3::hash(bytes).as_bytes()[..CHECK_LEN] != *check {
        return Err(GroupError::Damaged("its checksum does not match"));
    }
    let short = |_| GroupError::Damaged("a record cannot be decoded");
    let (head, mut rest): (Head, _) = postcard::take_from_bytes(bytes.get(1..).unwrap_or_default()).map_err(short)?;
    let mut at = head.base;
    let mut records = Vec::with_capacity((head.len as usize).min(bytes.len()));
    for _ in 0..head.len {
        let (since, after): (u64, _) = postcard::take_from_bytes(rest).map_err(short)?;
        let (event, after): (Event, _) = postcard::take_from_bytes(after).map_err(short)?;
        at = at.saturating_add(Millis::try_from(since).unwrap_or(Millis::MAX));
        records.push(Record { at, event });
        rest = after;
    }
    if rest.is_empty() { Ok(records) } else { Err(GroupError::Damaged("it has more bytes than records")) }
}
