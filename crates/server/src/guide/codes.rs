//! What each stable code means. A test reads the sources and finds every code that has no entry here.

use std::sync::LazyLock;

use serde::Serialize;

/// A code explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// The code, as it stands in `error[CODE]`.
    pub code: &'static str,
    /// What it belongs to.
    pub family: &'static str,
    /// What it means.
    pub means: &'static str,
    /// What mostly brings it about.
    pub cause: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Texts of one form: `# FAMILY`, then for each code `## CODE`, what it means, `Cause: ...` and `Do: ...`, a line each.
/// Rules of the front end say themselves what they are about.
const TEXTS: &[&str] = &[
    include_str!("../../guide/codes/runbook.md"),
    include_str!("../../guide/codes/steps.md"),
    include_str!("../../guide/codes/sites.md"),
    include_str!("../../guide/codes/commands.md"),
    include_str!("../../guide/codes/run.md"),
    include_str!("../../guide/codes/serve.md"),
    include_str!("../../guide/codes/http.md"),
    include_str!("../../guide/codes/objects.md"),
    include_str!("../../guide/codes/sqlite.md"),
    include_str!("../../guide/codes/postgres.md"),
    include_str!("../../guide/codes/recover.md"),
    include_str!("../../guide/codes/remap.md"),
    include_str!("../../guide/codes/notify.md"),
    include_str!("../../guide/codes/drills.md"),
];

static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| TEXTS.iter().flat_map(|text| read(text)).collect());

/// All entries, by family.
#[must_use]
pub fn entries() -> &'static [Entry] {
    &ENTRIES
}

/// The entry of a code, however it is typed: `RB0107`, `rb0107`, `error[RB0107]`.
#[must_use]
pub fn entry(typed: &str) -> Option<&'static Entry> {
    let code = typed.split_once('[').map_or(typed, |(_, rest)| rest);
    let code = code.trim_end_matches([']', ':']);
    ENTRIES.iter().find(|entry| entry.code.eq_ignore_ascii_case(code))
}

fn read(text: &'static str) -> Vec<Entry> {
    let mut parts = text.split("\n## ");
    let family = parts.next().unwrap_or_default().trim_start_matches('#').trim();
    parts.map(|part| one(family, part)).collect()
}

fn one(family: &'static str, part: &'static str) -> Entry {
    let (code, rest) = part.split_once('\n').unwrap_or((part, ""));
    let about = |code: &str| runbook::codes::ALL.iter().find(|known| known.id == code).map(|known| known.about);
    let mut entry = Entry { code, family, means: about(code).unwrap_or_default(), cause: "", remedy: "" };
    for line in rest.lines().filter(|line| !line.is_empty()) {
        match (line.strip_prefix("Cause: "), line.strip_prefix("Do: ")) {
            (Some(cause), _) => entry.cause = cause,
            (_, Some(remedy)) => entry.remedy = remedy,
            _ => entry.means = line,
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_entry_says_what_it_means_why_and_what_to_do() {
        for entry in entries() {
            for (what, text) in [("means", entry.means), ("cause", entry.cause), ("remedy", entry.remedy)] {
                assert!(!text.is_empty(), "{} has no {what}", entry.code);
            }
            assert!(!entry.family.is_empty() && !entry.family.contains('\n'), "{entry:?}");
        }
        let lines: usize = TEXTS.iter().map(|text| text.lines().filter(|line| !line.is_empty()).count()).sum();
        let rules = entries().iter().filter(|entry| entry.code.starts_with("RB")).count();
        assert_eq!(lines, TEXTS.len() + 4 * entries().len() - rules, "a line of the texts belongs to no entry");
    }

    #[test]
    fn no_code_is_explained_twice_and_every_rule_of_the_front_end_is() {
        let codes: BTreeSet<&str> = entries().iter().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), entries().len());
        for rule in runbook::codes::ALL {
            assert!(codes.contains(rule.id), "{} is not explained", rule.id);
        }
    }

    #[test]
    fn a_code_is_found_as_it_is_copied() {
        for typed in ["RB0107", "rb0107", "error[RB0107]", "error[RB0107]:", "warning[RB0107]"] {
            assert_eq!(entry(typed).map(|entry| entry.code), Some("RB0107"), "{typed}");
        }
        assert_eq!(entry("postgres.conflict").map(|entry| entry.family), Some("PostgreSQL: restoring tenants"));
        assert_eq!(entry("RB9999"), None);
        assert_eq!(entry(""), None);
    }
}
