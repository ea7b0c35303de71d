//! Approvals against the people of an estate: whoever is asked must exist, and be enough.

use std::collections::{BTreeMap, BTreeSet};

use engine::{ApprovalAt, ApproverGroup, Checklist, PlanSpec, StepIx};

use crate::codes;
use crate::diagnostic::{Diagnostic, Text};
use crate::estate::Estate;
use crate::model::{ApprovalDecl, Runbook};
use crate::words;

/// Puts the estate's people, the checklists and the approval of a large run into a plan; reports approvals that nobody could give.
pub(crate) fn fill(
    runbook: &Runbook,
    estate: &Estate,
    spec: &mut PlanSpec,
    text: &Text<'_>,
    found: &mut Vec<Diagnostic>,
) {
    let declared = runbook.batches.gate.iter().chain(runbook.steps.iter().filter_map(|step| step.approval.as_ref()));
    for approval in declared {
        found.extend(missing(text, approval, &estate.approvers));
    }
    let groups = estate.approvers.iter();
    spec.extras.approvers =
        groups.map(|(name, members)| ApproverGroup { name: name.clone(), members: members.clone() }).collect();
    let steps = runbook.steps.iter().enumerate();
    let steps = steps.filter_map(|(ix, step)| Some((ApprovalAt::Step(StepIx::from(ix)), step.approval.as_ref()?)));
    let gate = runbook.batches.gate.iter().map(|gate| (ApprovalAt::Batches, gate));
    let lists = gate.chain(steps).filter(|(_, declared)| !declared.checklist.is_empty());
    spec.extras.checklists = lists.map(|(of, declared)| Checklist { of, items: declared.checklist.clone() }).collect();
    if let Some(guard) = estate.guard.as_ref().filter(|guard| guard.guards(spec.sites.len())) {
        guard.hold(&mut spec.extras);
    }
}

/// What an approval lacks in the people of an estate.
pub(crate) fn missing(
    text: &Text<'_>,
    declared: &ApprovalDecl,
    approvers: &BTreeMap<String, Vec<String>>,
) -> Vec<Diagnostic> {
    let approval = &declared.approval;
    let mut found = Vec::new();
    let mut people: BTreeSet<&str> = BTreeSet::new();
    for (name, &span) in approval.from.iter().zip(&declared.groups) {
        match approvers.get(name) {
            Some(members) => people.extend(members.iter().map(String::as_str)),
            None => {
                let known = words::suggest(name, "groups", approvers.keys().map(String::as_str));
                found.push(
                    Diagnostic::error(
                        codes::UNKNOWN_APPROVERS,
                        format!("the estate has no group of approvers `{}`", words::short(name)),
                        format!("declare it in the estate, such as `approvers: {{ dr-leads: [anna, ben] }}`; {known}"),
                    )
                    .at(text, span, ""),
                );
            }
        }
    }
    if found.is_empty() && !approval.from.is_empty() && people.len() < usize::from(approval.min) {
        found.push(
            Diagnostic::error(
                codes::FEW_APPROVERS,
                format!("{} people must approve, but the groups have {} in all", approval.min, people.len()),
                "add people to the groups in the estate, name more groups, or ask for fewer with `min`",
            )
            .at(text, declared.span, ""),
        );
    }
    found
}
