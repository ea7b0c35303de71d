//! Space that steps take, added up for each volume.

use std::collections::{BTreeMap, BTreeSet};

use runtime::Finding;

use super::Row;

/// What is wanted of a volume.
struct Wanted<'a> {
    free: u64,
    /// The largest claim of each thing.
    claims: BTreeMap<&'a str, u64>,
    steps: BTreeSet<String>,
}

/// Volumes on which the claims of all steps together do not fit.
pub(super) fn beyond(rows: &[Row]) -> Vec<Row> {
    let mut volumes: BTreeMap<&str, Wanted<'_>> = BTreeMap::new();
    for row in rows {
        let Some(claim) = &row.finding.claim else { continue };
        let new = Wanted { free: claim.free, claims: BTreeMap::new(), steps: BTreeSet::new() };
        let wanted = volumes.entry(&claim.volume).or_insert(new);
        wanted.free = claim.free.min(wanted.free);
        let known = wanted.claims.entry(&claim.what).or_default();
        *known = claim.bytes.max(*known);
        wanted.steps.extend(row.steps.iter().cloned());
    }
    let mut found = Vec::new();
    for (volume, Wanted { free, claims, steps }) in volumes {
        let wanted = claims.values().fold(0_u64, |sum, bytes| sum.saturating_add(*bytes));
        let fact = format!("{} free, {} wanted at most", size(free), size(wanted));
        let finding = if wanted > free {
            Finding::error("preflight.space", volume, fact, "make room, or name another folder for what is recovered")
        } else {
            Finding::good("preflight.space", volume, fact)
        };
        found.push(Row { finding, steps });
    }
    found
}

fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use runtime::{Claim, Finding, Severity};

    use super::beyond;
    use crate::planning::preflight::Row;

    fn row(what: &str, volume: &str, bytes: u64) -> Row {
        let claim = Claim { what: what.into(), volume: volume.into(), free: 1000, bytes };
        let finding = Finding::good("x", what, "").claiming(claim);
        Row { finding, steps: BTreeSet::from(["recover".to_owned()]) }
    }

    #[test]
    fn what_fits_alone_may_not_fit_together() {
        let rows = [row("a", "one", 600), row("a", "one", 500), row("b", "one", 600), row("c", "two", 900)];
        let found = beyond(&rows);
        let told: Vec<(Severity, &str, &str)> = found
            .iter()
            .map(|row| (row.finding.severity, row.finding.subject.as_str(), row.finding.fact.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Severity::Error, "one", "1000 B free, 1.2 KiB wanted at most"),
                (Severity::Good, "two", "1000 B free, 900 B wanted at most")
            ],
            "the same thing counts once"
        );
        assert_eq!(found[0].steps.len(), 1);
    }
}
