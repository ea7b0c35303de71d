//! From the tree to a runbook: every key read once, every error collected, names resolved.

pub(crate) mod approval;
pub(crate) mod batches;
mod finally;
pub(crate) mod keys;
mod pools;
mod retry;
mod steps;
mod targets;
pub(crate) mod values;
mod verify;

pub(crate) use approval::NOT_IN_APPROVAL;
pub(crate) use finally::NOT_IN_FINALLY;
pub(crate) use retry::defaults;
pub(crate) use steps::within as steps_within;

use std::collections::{BTreeMap, HashMap};

use engine::{ActionSpec, Objectives, Scope};

use crate::codes;
use crate::fields::Sink;
use crate::model::{Action, At, Ids, Runbook};
use crate::source::Span;
use crate::words;
use crate::yaml::Node;

/// What lowering needs from everywhere.
pub(crate) struct Scene<'a> {
    pub(crate) catalogue: &'a [ActionSpec],
    /// Names that the estate puts in the place of those that the runbook uses.
    pub(crate) actions: &'a BTreeMap<String, String>,
    /// Names and positions of the declared groups.
    pub(crate) groups: Vec<String>,
    pub(crate) pools: Vec<engine::PoolSpec>,
    pub(crate) steps: HashMap<String, usize>,
    /// Position of the first step of `finally`; all after it are of `finally` too.
    pub(crate) finally_from: usize,
    /// Key of the steps that run last, as people know it.
    pub(crate) last: &'static str,
    pub(crate) defaults: retry::Defaults,
}

impl Scene<'_> {
    /// Resolves the name of a scope.
    pub(crate) fn scope(&self, sink: &mut Sink<'_>, node: &Node, what: &str) -> Option<Scope> {
        let name = sink.text(node, what)?;
        let scope = self.scope_named(name);
        if scope.is_none() {
            let known = ["run", "batch", "site"].into_iter().chain(self.groups.iter().map(String::as_str));
            sink.error(
                codes::UNKNOWN_SCOPE,
                node.span,
                format!("there is no scope `{}`", words::short(name)),
                words::suggest(name, "scopes", known),
            );
        }
        scope
    }

    fn scope_named(&self, name: &str) -> Option<Scope> {
        match name {
            "run" => Some(Scope::Run),
            "batch" => Some(Scope::Batch),
            "site" => Some(Scope::Site),
            _ => self.groups.iter().position(|group| group == name).map(|ix| Scope::Group(ix.into())),
        }
    }

    /// Finds an action, or the estate's stand-in for it, reporting an unknown one.
    pub(crate) fn action(&self, sink: &mut Sink<'_>, node: &Node) -> Option<Action> {
        let written = sink.text(node, "`uses`")?;
        let spec = self.named(sink, node, written, "")?;
        let Some(uses) = self.actions.get(written) else { return Some(Action { spec, written: None }) };
        let spec = self.named(sink, node, uses, &format!(", which this estate names for `{written}`"))?;
        Some(Action { spec, written: Some(written.to_owned()) })
    }

    fn named(&self, sink: &mut Sink<'_>, node: &Node, uses: &str, whence: &str) -> Option<ActionSpec> {
        let found = self.catalogue.iter().find(|action| action.uses == uses);
        if found.is_none() {
            sink.error(
                codes::UNKNOWN_ACTION,
                node.span,
                format!("there is no action `{}`{whence}", words::short(uses)),
                words::suggest(uses, "actions", self.catalogue.iter().map(|action| action.uses.as_str())),
            );
        }
        found.cloned()
    }
}

/// Lowers a document; what could not be read is left out and reported.
pub(crate) fn document(
    sink: &mut Sink<'_>,
    root: &Node,
    catalogue: &[ActionSpec],
    actions: &BTreeMap<String, String>,
) -> Runbook {
    let top = sink.fields(root, "the runbook", keys::RUNBOOK);
    let schema = top.need(sink, "schema", "start with `schema: runbook/v1`");
    version(sink, schema, "runbook/v1");
    let name = top.need(sink, "name", "give the runbook a name: `name: my-restore`").and_then(|node| {
        let name = sink.text(node, "`name`")?;
        sink.name(name, node.span, "a runbook", &[]);
        Some(name.to_owned())
    });
    let description = top.get("description").and_then(|node| sink.text(node, "`description`")).unwrap_or_default();
    let inputs = top.get("inputs").map(|node| values::inputs(sink, node)).unwrap_or_default();
    let target_node = top.need(sink, "targets", "declare what is restored: `targets: { kind: site, attributes: {} }`");
    let targets = target_node.map(|node| targets::targets(sink, node)).unwrap_or_default();
    let groups: Vec<String> = targets.groups.iter().map(|group| group.name.clone()).collect();
    let ids = top.get("ids").and_then(|node| {
        let word = sink.word(node, "`ids`", &[("original", Ids::Original), ("remap", Ids::Remap)])?;
        Some(At::new(word, node.span))
    });
    let restore_point = top.get("restore_point").and_then(|node| targets::restore_point(sink, node, &targets));
    let objectives = top.get("objectives").map(|node| objectives(sink, node)).unwrap_or_default();
    let mut scene = Scene {
        catalogue,
        actions,
        groups,
        pools: Vec::new(),
        steps: HashMap::new(),
        finally_from: usize::MAX,
        last: "finally",
        defaults: retry::Defaults::default(),
    };
    let pools = top.get("pools").map(|node| pools::pools(sink, &scene, node)).unwrap_or_default();
    scene.pools = pools.iter().map(|pool| pool.spec.clone()).collect();
    let batches = top.get("batches").map(|node| batches::batches(sink, node)).unwrap_or_default();
    if let Some(node) = top.get("defaults") {
        scene.defaults = retry::defaults(sink, &scene, node);
    }
    let verify = target_node.and_then(verify::find);
    let list = top.need(sink, "steps", "declare at least one step below `steps:`");
    let steps = steps::all(sink, &mut scene, verify, list, top.get("finally"));
    Runbook {
        source: sink.text.source.clone(),
        name: name.unwrap_or_default(),
        description: description.to_owned(),
        inputs,
        targets,
        ids: ids.unwrap_or(At::new(Ids::Original, first(root.span))),
        restore_point,
        objectives,
        pools,
        batches,
        steps,
        actions: actions.clone(),
    }
}

/// Reads steps that are not those of a runbook: a map of `steps`, one of `finally`, or both.
pub(crate) fn steps(
    sink: &mut Sink<'_>,
    scene: &mut Scene<'_>,
    list: Option<&Node>,
    finally: Option<&Node>,
) -> Vec<crate::model::Step> {
    steps::all(sink, scene, None, list, finally)
}

/// Checks the `schema:` line.
pub(crate) fn version(sink: &mut Sink<'_>, node: Option<&Node>, wanted: &str) {
    let Some(node) = node else { return };
    let Some(found) = sink.text(node, "`schema`") else { return };
    if found != wanted {
        sink.error(
            codes::BAD_VERSION,
            node.span,
            format!("this file is `{}`, not `{wanted}`", words::short(found)),
            format!("write `schema: {wanted}`, or use a version of reinstate that reads it"),
        );
    }
}

fn objectives(sink: &mut Sink<'_>, node: &Node) -> Objectives {
    let fields = sink.fields(node, "`objectives`", keys::OBJECTIVES);
    Objectives {
        rto_ms: fields.get("rto").and_then(|node| sink.duration(node, "`rto`", false)),
        rpo_ms: fields.get("rpo").and_then(|node| sink.duration(node, "`rpo`", true)),
    }
}

/// Where a missing list would have been.
pub(crate) fn first(span: Span) -> Span {
    Span::new(span.start, span.start)
}
