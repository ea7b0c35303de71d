//! Names of people: the journal, approvals and the second-person rule go by them.

/// Longest name.
const NAME_MAX: usize = 100;

/// Whether people can read a text as a name, and see all that is in it.
pub(super) fn is_name(name: &str) -> bool {
    let visible = |c: char| !c.is_control() && !report::is_unseen(c) && (c == ' ' || !c.is_whitespace());
    !name.trim().is_empty() && name.chars().count() <= NAME_MAX && name.chars().all(visible)
}
