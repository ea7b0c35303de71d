//! Sizes and budgets in numbers of sites.

use engine::Batches;

use crate::model::{BatchesDecl, Size};

/// Cuts `sites` sites into batches. The last size repeats until no site is left; percentages are of all sites, rounded
/// up, at least one site. A budget in percent is of its batch, rounded down.
pub(super) fn cut(declared: &BatchesDecl, sites: usize) -> Batches {
    let mut ends = Vec::new();
    let mut max_failures = Vec::new();
    let mut at = 0;
    let mut ix = 0;
    while at < sites {
        let size = declared.sizes.get(ix).or(declared.sizes.last()).copied().unwrap_or(Size::Rest);
        // The engine numbers batches in 16 bits: whatever a runbook says, the last batch it can number takes the rest.
        let wanted = if ends.len() >= 60_000 { sites } else { share(size, sites, true).unwrap_or(sites).max(1) };
        let len = wanted.min(sites - at);
        at += len;
        ends.push(u32::try_from(at).unwrap_or(u32::MAX));
        let budget = declared.max_failures.get(ix).or(declared.max_failures.last()).copied();
        // Without `max_failures` a batch tolerates any number of quarantined sites.
        let tolerated = budget.map_or(len, |budget| share(budget, len, false).unwrap_or(len));
        max_failures.push(u32::try_from(tolerated).unwrap_or(u32::MAX));
        ix += 1;
    }
    Batches {
        ends,
        max_failures,
        on_exceeded: declared.on_exceeded,
        soak_ms: declared.soak_ms,
        gate: declared.gate.as_ref().map(|gate| gate.approval.clone()),
    }
}

fn share(size: Size, whole: usize, up: bool) -> Option<usize> {
    match size {
        Size::Rest => None,
        Size::Sites(count) => Some(count as usize),
        Size::Percent(hundredths) => {
            let parts = whole as u64 * u64::from(hundredths);
            let count = if up { parts.div_ceil(10_000) } else { parts / 10_000 };
            usize::try_from(count).ok()
        }
    }
}
