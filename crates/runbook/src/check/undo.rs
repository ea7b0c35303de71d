//! What can be taken back: the nature of each undo, and what `on_failure: undo` would leave behind.

use engine::{OnFailure, Scope};

use crate::check::{Ancestors, actions};
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::model::{Runbook, Step, Undo};
use crate::source::Span;

/// Most steps that a message names.
const MAX_NAMED: usize = 10;

pub(super) fn check(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors) {
    for step in &runbook.steps {
        if let Some(undo) = &step.undo {
            nature(sink, step, undo);
        }
    }
    // What stands in `defaults` is one place for many steps: one finding for all of them.
    let mut places: Vec<(Span, Vec<usize>)> = Vec::new();
    for (ix, step) in runbook.steps.iter().enumerate().filter(|(_, step)| step.on_failure == OnFailure::Undo) {
        match places.iter_mut().find(|(span, _)| *span == step.on_failure_at) {
            Some((_, steps)) => steps.push(ix),
            None => places.push((step.on_failure_at, vec![ix])),
        }
    }
    for (span, failing) in places {
        reach(sink, runbook, ancestors, span, &failing);
    }
}

fn nature(sink: &mut Sink<'_>, step: &Step, undo: &Undo) {
    if let Some(action) = step.action.as_ref().filter(|_| actions::read_only(step)) {
        sink.error(
            codes::UNDO_READ_ONLY,
            undo.span,
            format!("{} changes nothing, so there is nothing to take back", action.words()),
            "remove `undo`",
        );
    }
    let with = undo.with.as_ref();
    if !actions::idempotent(&undo.action.spec, with) && !actions::holds(&undo.action.spec.has_probe, with) {
        let warning = Diagnostic::warning(
            codes::UNDO_UNSURE,
            format!(
                "after a crash during this undo a person must find out whether it was done: {} can neither be applied twice nor asked",
                undo.action.words()
            ),
            actions::how_to_be_safe(&undo.action.spec)
                .unwrap_or_else(|| "use an action that is idempotent or has a probe, if there is one".to_owned()),
        );
        sink.push(warning.at(sink.text, undo.span, ""));
    }
}

/// What an undo of the sites of some failing steps takes back, and what it leaves.
fn reach(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors, span: Span, failing: &[usize]) {
    let steps = &runbook.steps;
    // Only steps of the site itself are taken back with it: those of a wider scope serve other sites too.
    let of_site = |step: &Step| step.scope == Scope::Site && !step.finally;
    if !steps.iter().any(|step| step.undo.is_some() && of_site(step)) {
        sink.error(
            codes::UNDO_NOTHING,
            span,
            "no step of a site has an `undo`, so nothing could be taken back",
            "give steps an `undo: { uses: ... }`, or write `on_failure: quarantine`",
        );
        return;
    }
    let remains: Vec<&str> = (0..steps.len())
        .filter(|&ix| of_site(&steps[ix]) && steps[ix].undo.is_none() && !actions::read_only(&steps[ix]))
        // The step that fails may have acted itself: an attempt can fail without anybody knowing how far it came.
        .filter(|&ix| failing.iter().any(|&fails| !ancestors.has(ix, fails)))
        .map(|ix| steps[ix].name.as_str())
        .collect();
    if remains.is_empty() {
        return;
    }
    let mut named: Vec<String> = remains.iter().take(MAX_NAMED).map(|name| format!("`{name}`")).collect();
    if remains.len() > MAX_NAMED {
        named.push(format!("{} more", remains.len() - MAX_NAMED));
    }
    let warning = Diagnostic::warning(
        codes::UNDO_REMAINS,
        format!("an undo would leave behind what these steps may have done by then: {}", named.join(", ")),
        "give each an `undo`, or let it need the step that may fail, so that it has not begun; a site with something left \
         behind ends as quarantined, not as undone",
    );
    sink.push(warning.at(sink.text, span, ""));
}
