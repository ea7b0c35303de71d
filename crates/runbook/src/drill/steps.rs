//! `set_up` and `clean_up`: steps of the language, as runbooks of their own over the sites of the drill's runbook.
//!
//! Each becomes a run with a journal of its own (`adr/0002` of the runtime): clean-up then has all it needs in the store before
//! anything begins, whatever becomes of the run that it cleans up after.

use std::collections::HashMap;

use engine::{ActionSpec, Objectives};

use crate::check;
use crate::codes;
use crate::estate::Estate;
use crate::fields::{Fields, Sink};
use crate::lower::{self, Scene};
use crate::model::{BatchesDecl, Runbook, Step};
use crate::yaml::{Entry, Node};

/// What steps of a drill are read with.
pub(super) struct Ground<'a> {
    pub(super) catalogue: &'a [ActionSpec],
    pub(super) runbook: &'a Runbook,
    pub(super) estate: &'a Estate,
    pub(super) defaults: Option<&'a Node>,
}

/// Reads `set_up`: it is done before the run, and a drill that cannot be set up is called off.
pub(super) fn set_up(sink: &mut Sink<'_>, ground: &Ground<'_>, name: &str, entry: &Entry) -> Runbook {
    for step in sink.entries(&entry.value, "`set_up`") {
        let fields = sink.fields(&step.value, "a step", lower::keys::STEP);
        alone(sink, fields);
    }
    runbook(sink, ground, format!("{name}-set-up"), |sink, scene| lower::steps(sink, scene, Some(&entry.value), None))
}

/// Reads `compare`: its outputs say how the sandbox stands after the run, before anything is taken back.
pub(super) fn compare(sink: &mut Sink<'_>, ground: &Ground<'_>, name: &str, entry: &Entry) -> Runbook {
    for step in sink.entries(&entry.value, "`compare`") {
        let fields = sink.fields(&step.value, "a step", lower::keys::STEP);
        alone(sink, fields);
    }
    runbook(sink, ground, format!("{name}-compare"), |sink, scene| lower::steps(sink, scene, Some(&entry.value), None))
}

/// Reads `clean_up`: steps like those of `finally`, each of which is tried whatever became of the others.
pub(super) fn clean_up(sink: &mut Sink<'_>, ground: &Ground<'_>, name: &str, entry: Option<&Entry>) -> Runbook {
    runbook(sink, ground, format!("{name}-clean-up"), |sink, scene| match entry {
        Some(entry) => lower::steps(sink, scene, None, Some(&entry.value)),
        None => Vec::new(),
    })
}

/// Nobody is there to approve anything before a drill.
fn alone(sink: &mut Sink<'_>, fields: Fields<'_>) {
    if let Some(entry) = fields.entry("approval") {
        sink.error(
            codes::DRILL_WAITS,
            entry.key_span,
            "a step of a drill cannot have `approval` here: it takes place when nobody is there",
            "remove the step",
        );
    }
}

fn runbook(
    sink: &mut Sink<'_>,
    ground: &Ground<'_>,
    name: String,
    steps: impl FnOnce(&mut Sink<'_>, &mut Scene<'_>) -> Vec<Step>,
) -> Runbook {
    let of = ground.runbook;
    let mut scene = Scene {
        catalogue: ground.catalogue,
        actions: &ground.estate.actions,
        groups: of.targets.groups.iter().map(|group| group.name.clone()).collect(),
        pools: of.pools.iter().map(|pool| pool.spec.clone()).collect(),
        steps: HashMap::new(),
        finally_from: usize::MAX,
        last: "clean_up",
        defaults: Default::default(),
    };
    if let Some(node) = ground.defaults {
        scene.defaults = lower::defaults(sink, &scene, node);
    }
    let mut runbook = Runbook {
        source: sink.text.source.clone(),
        name,
        description: String::new(),
        inputs: of.inputs.clone(),
        targets: of.targets.clone(),
        ids: of.ids,
        restore_point: of.restore_point.clone(),
        objectives: Objectives::default(),
        pools: of.pools.clone(),
        batches: BatchesDecl::default(),
        steps: steps(sink, &mut scene),
        actions: ground.estate.actions.clone(),
    };
    check::steps(sink, &mut runbook);
    runbook
}
