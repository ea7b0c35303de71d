//! What an amendment changes, in words.

use engine::{Amendment, StepAmendment, StepChange};

use crate::duration::count;

/// One line for each step that is added, removed or changed, and for what differs beside.
#[must_use]
pub fn amendment_lines(amendment: &Amendment) -> Vec<String> {
    amendment.steps.iter().map(line).chain(amendment.beside.iter().map(|what| format!("~ {what}"))).collect()
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
