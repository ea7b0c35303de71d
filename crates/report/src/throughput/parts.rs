//! Words for where the time of a run went.

use crate::forecast::Spent;
use crate::throughput::data::Share;

/// A part in words.
pub(super) fn words(part: &Share) -> String {
    match (part.spent, &part.pool) {
        (Spent::Connector, _) => "connectors at work".to_owned(),
        (Spent::Pool, Some(pool)) => format!("waiting for pool {pool}"),
        (Spent::Pool, None) => "waiting for a pool".to_owned(),
        (Spent::Engine, _) => "engine and journal".to_owned(),
        (Spent::Retry, _) => "waiting to try again".to_owned(),
        (Spent::Soak, _) => "wait between batches".to_owned(),
        (Spent::Other, _) => "not told by the journal".to_owned(),
    }
}

/// Class of a part's colour on the page.
pub(super) fn class(spent: Spent) -> &'static str {
    match spent {
        Spent::Connector => "work",
        Spent::Pool => "pool",
        Spent::Engine => "engine",
        Spent::Retry => "retry",
        Spent::Soak => "soak",
        Spent::Other => "other",
    }
}
