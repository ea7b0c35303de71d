//! `check`: everything that can be known wrong without sites, in one pass.

mod actions;
mod expressions;
mod graph;
mod ids;
mod names;
mod returned;
pub(crate) mod schema;
mod secrets;
mod undo;

use std::collections::BTreeMap;

use engine::ActionSpec;

use crate::diagnostic::{self, Diagnostic, Text};
use crate::estate::Estate;
use crate::fields::Sink;
use crate::lower;
use crate::model::Runbook;
use crate::source::Source;
use crate::yaml;

pub(crate) use actions::{holds, idempotent, inputs, read_only};
pub(crate) use graph::Ancestors;
pub(crate) use ids::tells_new_id;
pub(crate) use secrets::{check as secrets, has_password, is_secret_word};

/// What checking gave.
#[derive(Clone, Debug)]
pub struct Checked {
    /// The runbook, if there is no error.
    pub runbook: Option<Runbook>,
    /// All findings in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads and checks a runbook against a catalogue of actions.
///
/// All errors are found in one pass; time and memory are bounded whatever the text is.
#[must_use]
pub fn check(source: &Source, catalogue: &[ActionSpec]) -> Checked {
    checked(source, catalogue, &BTreeMap::new())
}

/// Checks the steps of a runbook that was not read from a file of its own; its inputs, targets and pools are known to be
/// right.
pub(crate) fn steps(sink: &mut Sink<'_>, runbook: &mut Runbook) {
    let ancestors = graph::check(sink, runbook);
    expressions::check(sink, runbook, &ancestors);
    actions::check(sink, runbook);
    undo::check(sink, runbook, &ancestors);
}

/// Reads and checks a runbook as an estate would execute it: where the estate names a stand-in for an action, it is the
/// stand-in that `with` and the outputs are checked against.
#[must_use]
pub fn check_for(source: &Source, catalogue: &[ActionSpec], estate: &Estate) -> Checked {
    checked(source, catalogue, &estate.actions)
}

fn checked(source: &Source, catalogue: &[ActionSpec], stand_ins: &BTreeMap<String, String>) -> Checked {
    let text = Text::new(source);
    let root = match yaml::parse(&text) {
        Ok(root) => root,
        Err(diagnostic) => return Checked { runbook: None, diagnostics: vec![*diagnostic] },
    };
    let mut sink = Sink::new(&text);
    let mut runbook = lower::document(&mut sink, &root, catalogue, stand_ins);
    secrets::check(&mut sink, &root);
    let ancestors = graph::check(&mut sink, &runbook);
    expressions::check(&mut sink, &mut runbook, &ancestors);
    actions::check(&mut sink, &runbook);
    undo::check(&mut sink, &runbook, &ancestors);
    ids::check(&mut sink, &runbook);
    // What comes before what is known only when every `needs` is.
    if !diagnostic::has_errors(&sink.found) {
        returned::check(&mut sink, &runbook, &ancestors);
    }
    let diagnostics = diagnostic::in_order(sink.found);
    Checked { runbook: (!diagnostic::has_errors(&diagnostics)).then_some(runbook), diagnostics }
}
