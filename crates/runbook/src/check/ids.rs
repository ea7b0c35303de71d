//! `ids`: whether sites keep their IDs, and whether the steps agree with that.

use engine::Scope;

use crate::check::schema;
use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::model::{Ids, Runbook, Step};
use crate::yaml::{Entry, Node, Value};

/// The input by which an action is told the IDs to write.
const REMAP: &str = "remap";
/// The output by which a step tells the new ID of its site.
const NEW_ID: &str = "new_id";

pub(super) fn check(sink: &mut Sink<'_>, runbook: &Runbook) {
    let mut remaps = 0;
    for step in &runbook.steps {
        let own = step.action.as_ref().map(|action| (action, step.with.as_ref(), step.span));
        let undo = step.undo.as_ref().map(|undo| (&undo.action, undo.with.as_ref(), undo.span));
        for (action, with, span) in own.into_iter().chain(undo) {
            let Some(entry) = with.and_then(|with| entry(with, REMAP)) else {
                let takes = schema::known_properties(&action.spec.input).is_some_and(|known| known.contains(&REMAP));
                if takes && runbook.ids.value == Ids::Remap {
                    let message = format!("sites get new IDs, but `{}` is not told of them", step.name);
                    let hint = "give it `remap: { tenant: \"${{ steps.NAME.outputs.new_id }}\" }`";
                    let warning = Diagnostic::warning(codes::REMAP_NOTHING, message, hint);
                    sink.push(warning.at(sink.text, span, ""));
                }
                continue;
            };
            remaps += 1;
            if runbook.ids.value == Ids::Original {
                sink.error(
                    codes::REMAP_ORIGINAL,
                    entry.key_span,
                    format!("`{}` writes new IDs, but the runbook says that sites keep theirs", step.name),
                    "write `ids: remap` above the steps, or remove this input",
                );
            }
        }
    }
    if runbook.ids.value == Ids::Original {
        return;
    }
    let mut warn = |message: &str, hint: &str| {
        let warning = Diagnostic::warning(codes::REMAP_NOTHING, message, hint);
        sink.push(warning.at(sink.text, runbook.ids.span, ""));
    };
    if remaps == 0 {
        warn(
            "sites get new IDs, but no step has an input `remap`, so that no database is told of them",
            "give `remap: { tenant: \"${{ steps.NAME.outputs.new_id }}\" }` to the steps that restore rows, or write `ids: original`",
        );
    }
    if !runbook.steps.iter().any(tells_new_id) {
        warn(
            "sites get new IDs, but no step of a site tells which, so that no report can say it",
            "select it where the ID is made: `outputs: { new_id: /id }` of http/request@1",
        );
    }
}

/// Says whether a step may tell the new ID of its site: its inputs select that output, its action always has it, or the
/// action's outputs are whatever it answers.
pub(crate) fn tells_new_id(step: &Step) -> bool {
    let Some(action) = step.action.as_ref().filter(|_| step.scope == Scope::Site && !step.synthesised) else {
        return false;
    };
    let (input, output) = (&action.spec.input, &action.spec.output);
    let selects = step.with.as_ref().and_then(|with| entry(with, "outputs"));
    match schema::known_properties(output) {
        _ if selects.is_some_and(|outputs| entry(&outputs.value, NEW_ID).is_some()) => true,
        Some(known) => known.into_iter().any(|name| name == NEW_ID),
        None => schema::property(input, "outputs").is_none(),
    }
}

fn entry<'n>(node: &'n Node, key: &str) -> Option<&'n Entry> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|entry| entry.key == key && entry.value.value != Value::Null)
}
