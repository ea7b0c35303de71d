//! What was seen of rows, whatever their order: how many, and a sum of their hashes.

use serde::{Deserialize, Serialize};

/// Rows counted and hashed.
///
/// The hash of a row is the first 128 bits of BLAKE3 over its values as they travel; rows are summed, so that their
/// order does not matter and equal rows count twice (a XOR would lose them).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) hash: u128,
}

impl Tally {
    /// Counts a row, given the bytes of all its values.
    pub(crate) fn add(&mut self, values: &[u8]) {
        self.rows += 1;
        self.bytes += values.len() as u64;
        self.hash = self.hash.wrapping_add(hashed(values));
    }

    /// Whether both saw the same rows.
    pub(crate) fn is_of_the_rows_of(&self, other: &Self) -> bool {
        (self.rows, self.hash) == (other.rows, other.hash)
    }

    /// Adds what another tally saw.
    pub(crate) fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.hash = self.hash.wrapping_add(other.hash);
    }
}

/// The hash of a row.
pub(crate) fn hashed(values: &[u8]) -> u128 {
    blake3::hash(values).as_bytes().first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes))
}

/// A tally as it is kept and shown.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct TableTally {
    /// Rows.
    pub rows: u64,
    /// Sum of the 128-bit hashes of the rows, hexadecimal.
    pub hash: String,
}

impl From<&Tally> for TableTally {
    fn from(tally: &Tally) -> Self {
        Self { rows: tally.rows, hash: format!("{:032x}", tally.hash) }
    }
}

impl From<&TableTally> for Tally {
    /// How many bytes they were was not kept.
    fn from(kept: &TableTally) -> Self {
        Self { rows: kept.rows, bytes: 0, hash: u128::from_str_radix(&kept.hash, 16).unwrap_or(0) }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(rows: &[&str]) -> Tally {
        let mut tally = Tally::default();
        rows.iter().for_each(|row| tally.add(row.as_bytes()));
        tally
    }

    #[test]
    fn order_does_not_count_and_doubles_do() {
        assert_eq!(tally(&["a", "b", "b"]), tally(&["b", "a", "b"]));
        for other in [&["a", "b"][..], &["a", "a", "b"], &["a", "b", "c"], &["a"]] {
            assert_ne!(tally(&["a", "b", "b"]).hash, tally(other).hash, "{other:?}");
        }
    }
}
