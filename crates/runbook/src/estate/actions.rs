//! `actions` of an estate: which implementation stands in for an action that a runbook uses.

use std::collections::BTreeMap;

use engine::ActionSpec;

use crate::codes;
use crate::diagnostic::Diagnostic;
use crate::fields::Sink;
use crate::source::Span;
use crate::words;
use crate::yaml::{Entry, Node, Value};

/// Reads the map and reports what means nothing: an action that stands in for itself, a stand-in that has one itself,
/// and, if the catalogue is given, names that no action has.
pub(super) fn read(sink: &mut Sink<'_>, node: &Node, catalogue: Option<&[ActionSpec]>) -> BTreeMap<String, String> {
    let entries = sink.entries(node, "`actions`");
    let mut all = BTreeMap::new();
    for entry in entries {
        known(sink, &entry.key, entry.key_span, catalogue);
        let Some(target) = sink.text(&entry.value, "a stand-in for an action") else { continue };
        known(sink, target, entry.value.span, catalogue);
        if target == entry.key {
            sink.error(
                codes::ESTATE_ACTIONS,
                entry.value.span,
                format!("`{}` stands in for itself", words::short(target)),
                "remove the line: without one the runbook's own action is used",
            );
        } else if let Some(further) = entries.iter().find(|other| other.key == target) {
            chain(sink, entry, target, further);
        }
        all.insert(entry.key.clone(), target.to_owned());
    }
    all
}

fn known(sink: &mut Sink<'_>, uses: &str, span: Span, catalogue: Option<&[ActionSpec]>) {
    let Some(catalogue) = catalogue else { return };
    if !catalogue.iter().any(|action| action.uses == uses) {
        sink.error(
            codes::UNKNOWN_ACTION,
            span,
            format!("there is no action `{}`", words::short(uses)),
            words::suggest(uses, "actions", catalogue.iter().map(|action| action.uses.as_str())),
        );
    }
}

fn chain(sink: &mut Sink<'_>, entry: &Entry, target: &str, further: &Entry) {
    let last = match &further.value.value {
        Value::Text(last) if *last != entry.key => Some(words::short(last)),
        _ => None,
    };
    let diagnostic = Diagnostic::error(
        codes::ESTATE_ACTIONS,
        format!("`{}` stands in for `{}`, and has a stand-in itself", words::short(target), words::short(&entry.key)),
        match last {
            Some(last) => format!("name the last one: `{}: {last}`", words::short(&entry.key)),
            None => "keep one of the two lines: two actions cannot stand in for each other".to_owned(),
        },
    );
    let diagnostic = diagnostic.at(sink.text, entry.value.span, "").at(sink.text, further.key_span, "replaced here");
    sink.push(diagnostic);
}
