//! What something waits for, in the words that follow "waits for".

use engine::{BatchIx, NodeIx, Run, SiteIx, UnitIx, Wait};

use crate::duration::{clock, count, span};
use crate::why::Asked;
use crate::why::node::{node_name, waiting_unit};
use crate::why::{approval, pool};

/// Needed nodes told of one that waits.
const NEEDED: usize = 3;

/// The reason without what differs from key to key, to tell alike what is alike.
pub(super) fn short(asked: &Asked<'_>, wait: &Wait) -> String {
    match wait {
        Wait::Pool { pool, key, .. } => pool::name(asked.run.plan(), *pool, *key),
        Wait::Approval(engine::Gate::Unit(_)) => "approval of its own".to_owned(),
        Wait::Approval(gate) => asked.run.gate_name(*gate),
        Wait::Until(_) => "its next attempt".to_owned(),
        Wait::Needs(needs) => {
            let steps: Vec<&str> = needs.iter().map(|(step, _)| asked.run.plan().step(*step).name.as_str()).collect();
            steps.join(" ")
        }
        wait => reason(asked, wait, None),
    }
}

/// What follows "waits for"; `unit` is the unit that waits, if one does.
pub(super) fn reason(asked: &Asked<'_>, wait: &Wait, unit: Option<UnitIx>) -> String {
    let (run, now) = (asked.run, asked.now);
    let plan = run.plan();
    match wait {
        Wait::Batch(batch) => {
            let number = u32::from(batch.0) + 1;
            format!("batch {number}, which is not open{}", batch_cause(run, *batch))
        }
        Wait::Needs(needs) => {
            let needs: Vec<String> = needs
                .iter()
                .map(|&(step, open)| {
                    let name = &plan.step(step).name;
                    match open {
                        1 => format!("step {name}"),
                        _ => format!("step {name} ({open} not settled)"),
                    }
                })
                .collect();
            needs.join(" and ")
        }
        Wait::Pool { pool, key, .. } => pool::reason(asked, *pool, *key, unit),
        Wait::Until(at) => {
            format!("its next attempt in {}, at {}", span(at.saturating_sub(now).max(0)), clock(*at))
        }
        Wait::Operator => operator(run, unit).to_owned(),
        Wait::Approval(gate) => approval::reason(asked, *gate),
        Wait::LaterUndo => "the taking back of steps that come after it, which goes first".to_owned(),
        Wait::Finally => "the end of everything else, after which `finally` runs".to_owned(),
        Wait::Halted => "the run to go on".to_owned(),
        Wait::Turn => match run.next_unit() {
            Some(first) if Some(first) != unit => {
                format!("its turn; units before it in the order start first, {} next", run.unit_name(first))
            }
            _ => "its turn; units before it in the order start first".to_owned(),
        },
    }
}

fn operator(run: &Run, unit: Option<UnitIx>) -> &'static str {
    let stuck = unit.is_some_and(|unit| run.unit_state(unit) == Some(engine::UnitState::Stuck));
    match (unit.is_some_and(|unit| run.next_mode(unit).is_undo()), stuck) {
        (true, true) => "an operator: its undo failed",
        (true, false) => "an operator: it is not known whether it was taken back",
        (false, true) => "an operator: it failed, and its step says on_failure: pause",
        (false, false) => "a ruling of an operator: its effect is there, apply it again, or give it up",
    }
}

/// What the needs of a node wait for themselves, one level down.
pub(super) fn needed(asked: &Asked<'_>, node: NodeIx) -> Vec<String> {
    let run = asked.run;
    run.open_need_nodes(node, NEEDED)
        .into_iter()
        .map(|needed| {
            let name = node_name(run.plan(), needed);
            let flight = run.units_of(needed).map(UnitIx).find(|&unit| run.flight(unit).is_some());
            match (flight, run.why(needed)) {
                (Some(unit), _) => format!("{name} is in flight: {}", run.unit_name(unit)),
                (None, Some(wait)) => {
                    format!("{name} itself waits for {}", reason(asked, &wait, waiting_unit(run, needed)))
                }
                (None, None) => format!("{name} is about to go on"),
            }
        })
        .collect()
}

pub(super) fn batch_sentence(run: &Run, what: &str, batch: BatchIx) -> String {
    format!("{what} waits for batch {}, which is not open{}", u32::from(batch.0) + 1, batch_cause(run, batch))
}

/// Why a batch is not open: sites of the one before, or the soak.
fn batch_cause(run: &Run, batch: BatchIx) -> String {
    let plan = run.plan();
    let before = (0..batch.0).map(BatchIx).find(|&before| run.batch_times(before).1.is_none());
    match before {
        Some(before) => {
            let open = plan.batch_sites(before).filter(|&site| run.site_end(SiteIx(site)).is_none()).count();
            let number = u32::from(before.0) + 1;
            match open {
                0 => format!("; batch {number} waits for its batch steps"),
                _ => format!("; batch {number} has {} to go", count(open as u64, "site", "sites")),
            }
        }
        None if run.requests().any(|request| request.gate == engine::Gate::Batch(batch)) => {
            "; it waits for approval".to_owned()
        }
        None if batch.0 > 0 && plan.spec().batches.soak_ms > 0 => {
            let soak = i64::try_from(plan.spec().batches.soak_ms).unwrap_or(i64::MAX);
            format!("; it opens {} after the one before was settled", span(soak))
        }
        None => String::new(),
    }
}
