//! The state of a prepared transaction, as the server writes it into files and into the WAL.

use chrono::{DateTime, TimeDelta, Utc};

/// Bytes of a record that are needed: its head, the state's head, and the longest name.
pub(super) const WANTED: usize = 384;
/// What the state of a prepared transaction begins with.
const MAGIC: u32 = 0x57F9_4534;

/// The head of a prepared transaction's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) xid: u32,
    pub(super) database: u32,
    pub(super) owner: u32,
    pub(super) at: DateTime<Utc>,
    pub(super) gid: String,
}

impl State {
    /// Reads it as the server of a version writes it, into files and into the WAL alike.
    pub(super) fn read(bytes: &[u8], version: u32) -> Option<Self> {
        let four = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        // Counts of statistics came with version 15.
        let more = if version >= 15 { 8 } else { 0 };
        let length = u16::from_le_bytes(*bytes.get(46 + more..)?.first_chunk()?);
        let gid = bytes.get(64 + more..)?.get(..usize::from(length).checked_sub(1)?)?;
        let micros = i64::from_le_bytes(*bytes.get(16..)?.first_chunk()?);
        (four(0)? == MAGIC).then_some(())?;
        Some(Self {
            xid: four(8)?,
            database: four(12)?,
            owner: four(24)?,
            // Times are counted from the year 2000.
            at: DateTime::from_timestamp(946_684_800, 0)?.checked_add_signed(TimeDelta::microseconds(micros))?,
            gid: String::from_utf8_lossy(gid).into_owned(),
        })
    }
}

/// The contents of a record that has nothing but them.
pub(super) fn body(record: &[u8]) -> Option<&[u8]> {
    let mut at = 24;
    loop {
        match record.get(at)? {
            // Length in one byte, or in four.
            255 => return record.get(at + 2..),
            254 => return record.get(at + 5..),
            // Origin of a replicated transaction; number of the one above.
            253 => at += 3,
            252 => at += 5,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A state as version 15 writes it, and as 14 does.
    fn state(version: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_le_bytes().to_vec();
        bytes.extend([236_u32, 725, 5].map(u32::to_le_bytes).concat());
        bytes.extend(844_450_000_000_000_i64.to_le_bytes());
        bytes.extend(10_u32.to_le_bytes());
        bytes.resize(if version >= 15 { 54 } else { 46 }, 0);
        bytes.extend(6_u16.to_le_bytes());
        bytes.resize(if version >= 15 { 72 } else { 64 }, 0);
        bytes.extend(b"a: b'\0rest");
        bytes
    }

    #[test]
    fn a_state_is_read_as_its_version_writes_it() {
        let at = DateTime::from_timestamp(946_684_800 + 844_450_000, 0).expect("a time");
        let expected = State { xid: 725, database: 5, owner: 10, at, gid: "a: b'".into() };
        for version in [14, 15, 17] {
            let bytes = state(version);
            assert_eq!(State::read(&bytes, version), Some(expected.clone()), "{version}");
            (0..50).for_each(|end| assert_eq!(State::read(&bytes[..end], version), None, "{version} cut at {end}"));
        }
        assert_eq!(State::read(&[0; 100], 15), None);
        let record = |ids: &[u8]| [&[7; 24][..], ids, &state(15)].concat();
        for ids in
            [&[255, 99][..], &[254, 0, 1, 0, 0], &[253, 1, 0, 255, 99], &[253, 1, 0, 252, 1, 0, 0, 0, 254, 0, 1, 0, 0]]
        {
            assert_eq!(body(&record(ids)).and_then(|body| State::read(body, 15)).as_ref(), Some(&expected), "{ids:?}");
        }
        assert_eq!(body(&record(&[0, 1])), None);
    }
}
