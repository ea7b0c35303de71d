//! What a simulated run does, line by line.

use engine::{Event, Record, Run};

/// Prints a record for whoever replays one seed.
#[allow(clippy::print_stderr)]
pub(crate) fn tell(run: &Run, record: &Record) {
    let unit = match &record.event {
        Event::Started { unit, .. }
        | Event::Succeeded { unit, .. }
        | Event::Refused { unit, .. }
        | Event::InDoubt { unit, .. }
        | Event::NotBegun { unit, .. }
        | Event::Ruled { unit, .. } => run.unit_name(*unit),
        Event::Approved { gate, .. } | Event::Rejected { gate, .. } | Event::Lapsed { gate } => run.gate_name(*gate),
        _ => String::new(),
    };
    if let Event::Opened { .. } | Event::Amended { .. } = record.event {
        let plan = run.plan();
        for step in plan.steps().map(|step| plan.step(step)) {
            let needs = step.needs.iter().map(|need| (plan.step(need.step).name.as_str(), need.require_all));
            let needs: Vec<_> = needs.collect();
            let flags = (step.front_load, step.finally, &step.on_failure, step.undo.is_some());
            eprintln!("    {} {:?} {flags:?} needs {needs:?} {:?}", step.name, step.scope, step.when);
        }
    }
    eprintln!("{} {:?} {unit}", record.at, record.event);
}
