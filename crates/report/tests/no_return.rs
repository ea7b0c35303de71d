//! Points of no return: every step that changes something for good, and no other.
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod support;

use engine::{ActionUse, Approval, Need, OnLapse, PlanSpec, StepIx, Work};
use reinstate_report::points_of_no_return;

fn names(spec: &PlanSpec) -> Vec<&str> {
    points_of_no_return(spec).into_iter().map(|step| step.name.as_str()).collect()
}

fn need(step: u16) -> Need {
    Need { step: StepIx(step), require_all: false }
}

#[test]
fn without_any_undo_all_that_act_are_listed_in_order() {
    let mut spec = support::spec(&["a".to_owned(), "b".to_owned()], 1);
    assert_eq!(names(&spec).len(), spec.steps.len(), "an action that nothing is known of counts as one that acts");
    // The first step of the runbook now waits for one that stands after it.
    spec.steps[support::RECOVER as usize].needs.push(need(support::MEDIA));
    assert_eq!(names(&spec)[..3], ["catalogue", "media", "recover"]);
}

#[test]
fn what_is_harmless_asked_or_taken_back_is_not_listed() {
    let mut spec = support::spec(&["a".to_owned(), "b".to_owned()], 1);
    spec.extras.read_only = vec![false; spec.steps.len()];
    spec.extras.read_only[support::VALIDATE as usize] = true;
    spec.extras.read_only[support::BYSTANDERS as usize] = true;
    spec.steps[support::IDENTITY as usize].work =
        Work::Approval(Approval { from: vec!["leads".to_owned()], min: 1, timeout_ms: 1, on_timeout: OnLapse::Reject });
    spec.steps[support::CATALOGUE as usize].undo = Some(ActionUse {
        uses: "lab/delete@1".to_owned(),
        with: "{}".to_owned(),
        expect: String::new(),
        idempotent: true,
        has_probe: false,
    });
    // A step of `finally` comes last, wherever it stands.
    spec.steps[support::RECOVER as usize].finally = true;
    spec.steps[support::DATABASES as usize].needs = vec![need(support::CATALOGUE)];
    assert_eq!(names(&spec), ["databases", "media", "apps", "recover"]);
    spec.extras.read_only = vec![true; spec.steps.len()];
    assert!(names(&spec).is_empty());
}

#[test]
fn a_circle_ends() {
    let mut spec = support::spec(&["a".to_owned()], 1);
    spec.steps[support::CATALOGUE as usize].needs.push(need(support::VALIDATE));
    assert_eq!(names(&spec).len(), spec.steps.len());
}
