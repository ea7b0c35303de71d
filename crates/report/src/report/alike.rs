//! Waiting units that differ in nothing but their key, told once.

use std::collections::BTreeMap;

use crate::report::WaitingUnit;

/// Units of one step that wait for the same reason, in the order of their first.
pub(crate) fn alike(units: &[WaitingUnit]) -> Vec<Vec<&WaitingUnit>> {
    let mut groups: Vec<Vec<&WaitingUnit>> = Vec::new();
    let mut known: BTreeMap<[&str; 5], usize> = BTreeMap::new();
    for unit in units {
        let alike = [unit.step.as_str(), unit.state, &unit.code, &unit.message, &unit.hint];
        let group = *known.entry(alike).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[group].push(unit);
    }
    groups
}
