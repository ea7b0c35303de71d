//! What the benches have in common: runbooks of `noop` steps in layers, lists of sites, and runs of them without a journal.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use engine::{Event, Input, Outcome, Plan, PlanSpec, Record, Run, Status};
use runbook::{Estate, Format, PlanEvaluator, Runbook, SiteList, Source};

// Nothing depends on the package of the tests, and a server of one's own is the same here.
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]
#[path = "../../tests/support/postgres.rs"]
pub mod postgres;

/// Steps of a layer.
pub const WIDTH: usize = 5;

/// Shards over which sites are spread.
pub const SHARDS: u32 = 50;

/// A runbook of so many steps in layers of [`WIDTH`], each of which needs all of the layer before and has an input with an
/// expression. With `pooled`, each takes a slot of its shard.
#[must_use]
pub fn layered(steps: usize, pooled: bool) -> String {
    let mut yaml = String::from(
        "schema: runbook/v1\nname: layered\n\
         targets: { id: '^s[0-9]+$', attributes: { shard: string }, scopes: { shard: site.shard } }\n\
         pools: { writes: { per: shard, slots: 8 } }\nbatches: { sizes: [rest] }\ndefaults: { timeout: 1m }\nsteps:\n",
    );
    for step in 0..steps {
        let layer = step / WIDTH;
        let needs: Vec<String> =
            (layer.saturating_sub(1) * WIDTH..layer * WIDTH).map(|before| format!("step{before}")).collect();
        let pool = if pooled { ", pool: writes" } else { "" };
        let _ = writeln!(
            yaml,
            "  step{step}: {{ needs: [{}]{pool}, uses: noop@1, with: {{ outputs: {{ of: \"${{{{ site.id }}}}/{step}\" }} }} }}",
            needs.join(", ")
        );
    }
    yaml
}

/// A list of so many sites.
#[must_use]
pub fn list(sites: u32) -> String {
    let mut csv = String::from("id,shard\n");
    for site in 0..sites {
        let _ = writeln!(csv, "s{site},shard-{}", site % SHARDS);
    }
    csv
}

/// Checks a runbook.
///
/// # Panics
/// If it has faults.
#[must_use]
pub fn checked(yaml: &str) -> Runbook {
    let checked = runbook::check(&Source::new("layered.yaml", yaml), &connectors::catalogue());
    assert!(!runbook::has_errors(&checked.diagnostics), "{:?}", checked.diagnostics);
    checked.runbook.expect("it has no faults")
}

/// Plans a runbook for the sites of a list.
///
/// # Panics
/// If they do not go together.
#[must_use]
pub fn planned(runbook: &Runbook, csv: &str) -> PlanSpec {
    let (list, found) = SiteList::parse(&Source::new("sites.csv", csv), Format::Csv, runbook);
    let list = list.unwrap_or_else(|| panic!("{found:?}"));
    let (estate, found) = Estate::parse(&Source::new("estate.yaml", "schema: estate/v1\nname: bench\n"));
    let estate = estate.unwrap_or_else(|| panic!("{found:?}"));
    let none = BTreeMap::new();
    runbook::plan(runbook, &estate, &list, &none, &none).unwrap_or_else(|found| panic!("{found:?}"))
}

/// A plan of so many sites and steps.
///
/// # Panics
/// If it is none.
#[must_use]
pub fn plan(sites: u32, steps: usize, pooled: bool) -> Arc<Plan> {
    Plan::new(planned(&checked(&layered(steps, pooled)), &list(sites))).expect("a plan")
}

/// Decides and applies a run from its opening to its end, with at most so many units in flight; returns its records.
///
/// # Panics
/// If it does not succeed.
#[must_use]
pub fn driven(plan: &Arc<Plan>, in_flight: usize) -> Vec<Record> {
    let evaluator = PlanEvaluator::new(plan).expect("expressions");
    let mut run = Run::new(plan.clone());
    let mut records: Vec<Record> = Vec::new();
    let mut at = 0;
    let mut started = std::collections::VecDeque::new();
    let mut inputs = vec![Input::Adopt { epoch: 1, holder: "bench".into() }, Input::Open { actor: "bench".into() }];
    loop {
        let input = match inputs.pop() {
            Some(input) => input,
            None if started.len() < in_flight => Input::Advance,
            None => over(&mut started),
        };
        at += 1;
        let mut events = run.decide(at, input, &evaluator).expect("a good input");
        if events.is_empty() {
            if started.is_empty() {
                break;
            }
            events = run.decide(at, over(&mut started), &evaluator).expect("a good input");
        }
        for event in events {
            if let Event::Started { unit, attempt, mode } = event {
                started.push_back((unit, attempt, mode));
            }
            let record = Record { at, event };
            run.apply(&record).expect("a decided event");
            records.push(record);
        }
    }
    assert_eq!(run.status(), Status::Ended(engine::RunEnd::Succeeded));
    records
}

/// The oldest attempt ends well.
fn over(started: &mut std::collections::VecDeque<(engine::UnitIx, u32, engine::Mode)>) -> Input {
    let (unit, attempt, mode) = started.pop_front().expect("one is in flight");
    Input::Report { unit, attempt, mode, outcome: Outcome::Done { outputs: None } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_the_benches_is_a_run_in_which_each_unit_starts_and_ends_once() {
        for pooled in [false, true] {
            let plan = plan(60, 12, pooled);
            let records = driven(&plan, 100);
            let count = |is: fn(&Event) -> bool| records.iter().filter(|record| is(&record.event)).count();
            assert_eq!(count(|event| matches!(event, Event::Started { .. })), 60 * 12);
            assert_eq!(count(|event| matches!(event, Event::Succeeded { .. })), 60 * 12);
        }
    }
}
