//! A gate that waits for people: who may open it, who has, until when, and what to type.

use engine::Gate;

use crate::duration::{clock, count, span};
use crate::fold::missing;
use crate::why::Asked;

/// What follows "waits for".
pub(super) fn reason(asked: &Asked<'_>, gate: Gate) -> String {
    let run = asked.run;
    let name = run.gate_name(gate);
    let Some(request) = run.request(gate) else { return format!("the approval of {name}") };
    let groups = request.approval.from.join(", ");
    let approved = match request.approved_by {
        [] => "nobody has approved yet".to_owned(),
        by => format!("approved by {}", by.join(", ")),
    };
    let until = match request.due {
        Some(due) => format!("until {} (in {})", clock(due), span(due.saturating_sub(asked.now).max(0))),
        None => "nobody decided in time, so the run is paused".to_owned(),
    };
    format!(
        "the approval of {name}: {} of {groups} missing; {approved}; {until}; not by {}, who asked for the run: {} or {}",
        count(missing(&request) as u64, "approval", "approvals"),
        run.opened_by(),
        asked.typed.approve(run, gate),
        asked.typed.reject(run, gate),
    )
}
