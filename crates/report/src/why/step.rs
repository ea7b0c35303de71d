//! What a step waits for, over all keys of its scope.

use std::collections::BTreeMap;

use engine::{KeyIx, NodeIx, StepIx, Wait};

use crate::duration::count;
use crate::report::place;
use crate::why::Asked;
use crate::why::node::{key_words, waiting_unit};
use crate::why::reason::{needed, reason, short};

/// Different reasons told of a step; the rest is counted.
const REASONS: usize = 12;

pub(super) fn of_step(asked: &Asked<'_>, step: StepIx) -> Vec<String> {
    let run = asked.run;
    let plan = run.plan();
    let spec = plan.step(step);
    let units = crate::report::units_of_step(run, step);
    let mut lines = vec![format!(
        "step {} ({}): {} of {} settled, {} in flight, {} ready, {} waiting for needs or their batch{}{}",
        spec.name,
        place(plan, step),
        units.settled(),
        count(units.total, "unit", "units"),
        units.running,
        units.ready,
        units.waiting,
        also(units.asked, "waiting for approval"),
        also(units.undoing, "being taken back"),
    )];
    let mut reasons: BTreeMap<String, (u64, NodeIx)> = BTreeMap::new();
    for key in (0..plan.key_count(spec.scope)).map(KeyIx) {
        let node = plan.node(step, key);
        if let Some(wait) = run.why(node) {
            // Keys that wait for the same thing are told together, the first of them with all that is known.
            reasons.entry(short(asked, &wait)).or_insert((0, node)).0 += 1;
        }
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, (times, _))| std::cmp::Reverse(*times));
    let rest = reasons.len().saturating_sub(REASONS);
    for (_, (times, example)) in reasons.into_iter().take(REASONS) {
        let Some(wait) = run.why(example) else { continue };
        let key = key_words(plan, example);
        let reason = reason(asked, &wait, waiting_unit(run, example));
        lines.push(match times {
            1 => format!("for {key} it waits for {reason}"),
            _ => format!("for {} ({key} first) it waits for {reason}", count(times, "key", "keys of its scope")),
        });
        if matches!(wait, Wait::Needs(_)) {
            lines.extend(needed(asked, example));
        }
    }
    if rest > 0 {
        lines.push(format!("and for {rest} more reasons"));
    }
    lines
}

fn also(units: u64, what: &str) -> String {
    if units > 0 { format!(", {units} {what}") } else { String::new() }
}
