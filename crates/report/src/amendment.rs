//! What an amendment changes, in words.

use engine::{Amendment, StepAmendment, StepChange};
use serde_json::{Value, json};

use crate::duration::count;

/// One line for each step that is added, removed or changed, and for what differs beside.
#[must_use]
pub fn amendment_lines(amendment: &Amendment) -> Vec<String> {
    amendment.steps.iter().map(line).chain(amendment.beside.iter().map(|what| format!("~ {what}"))).collect()
}

/// The same for programs: `steps` with `change` (`added`, `removed`, `changed`), `fields`, and how many units go by it
/// (`applies`) or stay as they are (`stays`); `beside`, a sentence each.
#[must_use]
pub fn amendment_json(amendment: &Amendment) -> Value {
    let step = |step: &StepAmendment| {
        let (change, fields): (_, &[&str]) = match &step.change {
            StepChange::Added => ("added", &[]),
            StepChange::Removed => ("removed", &[]),
            StepChange::Changed(fields) => ("changed", fields),
        };
        json!({ "step": step.step, "change": change, "fields": fields, "applies": step.applies, "stays": step.stays })
    };
    json!({ "steps": amendment.steps.iter().map(step).collect::<Vec<_>>(), "beside": amendment.beside })
}

fn line(step: &StepAmendment) -> String {
    let name = &step.step;
    let applies = count(u64::from(step.applies), "time", "times");
    match &step.change {
        StepChange::Removed => format!("- {name}: not run any more, where it would have been {applies}"),
        StepChange::Added if step.stays == 0 => format!("+ {name}: runs {applies}"),
        StepChange::Added => {
            format!("+ {name}: runs {applies}; too late for {}, which have passed it", step.stays)
        }
        StepChange::Changed(fields) if step.stays == 0 => {
            format!("~ {name}: {}; goes by it {applies}", fields.join(", "))
        }
        StepChange::Changed(fields) => {
            format!("~ {name}: {}; goes by it {applies}, {} stay as they are", fields.join(", "), step.stays)
        }
    }
}
