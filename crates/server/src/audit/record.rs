//! One record.

use serde::{Deserialize, Serialize};

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who.
    pub who: String,
    /// As what; `none` for whoever was not let in.
    pub role: String,
    /// From which address, and how they were known: `token ID`, `session of token ID`, `session of
    /// SUBJECT at PROVIDER`, `here`, `not known`.
    pub from: String,
    /// What: method and path.
    pub action: String,
    /// On what, and with what words: run, subject, reason.
    pub what: serde_json::Value,
    /// What came of it: `ok`, or the code of the refusal.
    pub outcome: String,
}

/// A record in its chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// Hash of the record before; of nothing for the first.
    pub before: String,
    /// What was done.
    #[serde(flatten)]
    pub entry: Entry,
    /// BLAKE3 over number, hash before and entry, as the line has them.
    pub hash: String,
}

/// The hash that stands before the first record.
pub(super) const NOTHING: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl Record {
    /// Puts an entry into the chain.
    #[must_use]
    pub(super) fn after(number: u64, before: &str, entry: Entry) -> Self {
        let hash = hash(number, before, &entry);
        Self { number, before: before.to_owned(), entry, hash }
    }

    /// Whether the hash is that of the rest.
    #[must_use]
    pub(super) fn is_whole(&self) -> bool {
        self.hash == hash(self.number, &self.before, &self.entry)
    }
}

fn hash(number: u64, before: &str, entry: &Entry) -> String {
    // An array of plain texts: the same bytes for the same record, whatever reads and writes it.
    let Entry { at, who, role, from, action, what, outcome } = entry;
    let hashed = serde_json::json!([1, number, before, at, who, role, from, action, what, outcome]);
    blake3::hash(hashed.to_string().as_bytes()).to_hex().to_string()
}
