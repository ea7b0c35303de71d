//! Names of people: approvals and the second-person rule go by them.

/// Whether two names are the same to whoever reads them in a list. They are compared where something is asked, never where
/// an event is applied: a journal that was written under another rule stays what it is.
#[must_use]
pub fn reads_like(one: &str, other: &str) -> bool {
    one.trim().to_lowercase() == other.trim().to_lowercase()
}
