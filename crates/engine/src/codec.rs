//! A journal group: the events of one commit, encoded together.
//!
//! Layout: format byte, link (since format 3), base time (postcard varint, zigzag), number of records (varint), then per
//! record the time since the one before (varint) and the event (postcard), then the first 4 bytes of the BLAKE3 hash of
//! all before. That hash is the link that the next group carries. About 6 bytes a record; postcard's wire format is
//! stable since its 1.0.

use serde::{Deserialize, Serialize};

use crate::chain::Link;
use crate::event::{Event, Record};
use crate::ids::Millis;

/// Format byte of a group written by this version.
pub const GROUP_FORMAT: u8 = 3;

/// The first format whose groups carry the link to the group before.
const LINKED_SINCE: u8 = 3;
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
    /// It is whole, but was not written after the group that is before it now.
    #[error("the group does not follow what is before it: something was changed, left out or moved")]
    Unchained,
}

/// Collects records into the group that follows another.
#[derive(Debug)]
pub struct GroupWriter {
    after: Link,
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

/// An encoded group.
#[derive(Clone, Debug)]
pub struct EncodedGroup {
    /// What a journal keeps.
    pub bytes: Vec<u8>,
    /// What the next group must be written after.
    pub link: Link,
}

/// A decoded group.
#[derive(Clone, Debug)]
pub struct DecodedGroup {
    /// The group that it was written after; `None` of a format that did not say.
    pub after: Option<Link>,
    /// Its own link.
    pub link: Link,
    /// Its records, in order.
    pub records: Vec<Record>,
}

impl GroupWriter {
    /// Begins the group that follows what has this link.
    #[must_use]
    pub fn after(link: Link) -> Self {
        Self { after: link, base: None, last: 0, len: 0, body: Vec::new() }
    }

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

    /// Ends the group.
    #[must_use]
    pub fn finish(self) -> EncodedGroup {
        let head = Head { base: self.base.unwrap_or(0), len: self.len };
        let mut bytes = Vec::with_capacity(self.body.len() + 56);
        bytes.push(GROUP_FORMAT);
        bytes.extend_from_slice(self.after.as_bytes());
        let mut bytes = postcard::to_extend(&head, bytes).expect("two numbers into memory");
        bytes.extend_from_slice(&self.body);
        let link = Link::of(&bytes);
        bytes.extend_from_slice(&link.as_bytes()[..CHECK_LEN]);
        EncodedGroup { bytes, link }
    }
}

/// Decodes a group, wherever it stands; [`crate::Chain`] says whether it stands where it was written.
///
/// # Errors
/// If the bytes are damaged or a newer version wrote them.
pub fn decode_group(bytes: &[u8]) -> Result<DecodedGroup, GroupError> {
    let format = *bytes.first().ok_or(GroupError::Damaged("it is empty"))?;
    if format > GROUP_FORMAT {
        return Err(GroupError::NewerFormat { found: format });
    }
    let split = bytes.len().checked_sub(CHECK_LEN).ok_or(GroupError::Damaged("it is too short"))?;
    let (bytes, check) = bytes.split_at(split);
    let link = Link::of(bytes);
    if link.as_bytes()[..CHECK_LEN] != *check {
        return Err(GroupError::Damaged("its checksum does not match"));
    }
    let short = |_| GroupError::Damaged("a record cannot be decoded");
    let body = bytes.get(1..).unwrap_or_default();
    let (after, body) = if format >= LINKED_SINCE {
        let (after, body) = body.split_first_chunk().ok_or(GroupError::Damaged("it is too short"))?;
        (Some(Link::from(*after)), body)
    } else {
        (None, body)
    };
    let (head, mut rest): (Head, _) = postcard::take_from_bytes(body).map_err(short)?;
    let mut at = head.base;
    let mut records = Vec::with_capacity((head.len as usize).min(bytes.len()));
    for _ in 0..head.len {
        let (since, more): (u64, _) = postcard::take_from_bytes(rest).map_err(short)?;
        let (event, more): (Event, _) = postcard::take_from_bytes(more).map_err(short)?;
        at = at.saturating_add(Millis::try_from(since).unwrap_or(Millis::MAX));
        records.push(Record { at, event });
        rest = more;
    }
    if rest.is_empty() {
        Ok(DecodedGroup { after, link, records })
    } else {
        Err(GroupError::Damaged("it has more bytes than records"))
    }
}
