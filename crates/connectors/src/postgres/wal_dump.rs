//! What `pg_waldump` prints, one record a line, and positions in the WAL.

/// A record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'l> {
    /// Which part of the server wrote it.
    pub(crate) manager: &'l str,
    /// Number of the transaction; 0 if it belongs to none.
    pub(crate) xid: u32,
    /// Where it begins.
    pub(crate) lsn: u64,
    /// Where the record before it begins.
    pub(crate) prev: u64,
    /// What it is about.
    pub(crate) what: &'l str,
}

impl<'l> Line<'l> {
    /// Reads `rmgr: Heap len (rec/tot): 54/150, tx: 745, lsn: 0/01, prev 0/00, desc: INSERT off 1 ...`.
    pub(crate) fn read(line: &'l str) -> Option<Self> {
        let (head, what) = line.split_once("desc: ")?;
        let field = |name: &str| head.split_once(name)?.1.split([',', ' ']).find(|text| !text.is_empty());
        Some(Self {
            manager: field("rmgr:")?,
            xid: field("tx:")?.parse().ok()?,
            lsn: position(field("lsn:")?)?,
            prev: position(field("prev ")?)?,
            what,
        })
    }
}

/// Reads a position such as `0/16B3748`.
pub(crate) fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    Some(u64::from(u32::from_str_radix(high, 16).ok()?) << 32 | u64::from(u32::from_str_radix(low, 16).ok()?))
}

/// Writes a position.
pub(crate) fn written(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xFFFF_FFFF)
}

#[cfg(test)]
mod tests {
    use super::{Line, position, written};

    #[test]
    fn positions_are_ordered_as_numbers() {
        assert!(position("0/9000000") < position("0/10000000"));
        assert!(position("0/FFFFFFFF") < position("1/0"));
        assert_eq!(position("2/2000028"), Some(0x2_0200_0028));
        assert_eq!(position("2/2000028").map(written).as_deref(), Some("2/2000028"));
        for none in ["", "1", "0/", "x/0", "100000000/0"] {
            assert_eq!(position(none), None, "{none}");
        }
    }

    #[test]
    fn a_record_is_read_whatever_its_fields_are_padded_to() {
        let line = "rmgr: Heap2       len (rec/tot):     54/   150, tx:        745, lsn: 1/0A000028, prev 0/FFFFFF08, desc: PRUNE x";
        let read = Line { manager: "Heap2", xid: 745, lsn: 0x1_0A00_0028, prev: 0xFFFF_FF08, what: "PRUNE x" };
        assert_eq!(Line::read(line), Some(read));
        assert_eq!(Line::read("pg_waldump: error: could not find a valid record"), None);
    }
}
