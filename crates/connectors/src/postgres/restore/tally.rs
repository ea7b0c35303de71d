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
        let hash = blake3::hash(values);
        let first = hash.as_bytes().first_chunk::<16>().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        self.rows += 1;
        self.bytes += values.len() as u64;
        self.hash = self.hash.wrapping_add(first);
    }

    /// Adds what another tally saw.
    pub(crate) fn join(&mut self, other: &Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.hash = self.hash.wrapping_add(other.hash);
    }
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
