//! The steps as a graph: order, cycles, dependents, gates and longest ways.

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use crate::ids::StepIx;
use crate::plan::layout::Dependent;
use crate::plan::spec::{PlanSpec, Scope, StepSpec};

/// Time assumed for an attempt of a step of which nothing is known, in milliseconds.
pub const UNKNOWN_MS: u64 = 1_000;

/// Builds the graph with an edge from each needed step to the step that needs it.
fn graph(spec: &PlanSpec) -> DiGraph<(), ()> {
    let mut graph = DiGraph::with_capacity(spec.steps.len(), spec.steps.len() * 2);
    for _ in &spec.steps {
        graph.add_node(());
    }
    for (ix, step) in spec.steps.iter().enumerate() {
        for need in &step.needs {
            graph.update_edge(NodeIndex::new(need.step.ix()), NodeIndex::new(ix), ());
        }
    }
    graph
}

/// Steps in an order in which each comes after its needs, or the steps of a cycle.
pub(crate) fn order(spec: &PlanSpec) -> Result<Vec<StepIx>, Vec<StepIx>> {
    let graph = graph(spec);
    match toposort(&graph, None) {
        Ok(order) => Ok(order.into_iter().map(|node| StepIx::from(node.index())).collect()),
        Err(_) => {
            let cycle = tarjan_scc(&graph).into_iter().find(|part| part.len() > 1).unwrap_or_default();
            Err(cycle.into_iter().rev().map(|node| StepIx::from(node.index())).collect())
        }
    }
}

/// Who waits for each step.
pub(crate) fn dependents(spec: &PlanSpec) -> Vec<Vec<Dependent>> {
    let mut dependents = vec![Vec::new(); spec.steps.len()];
    for (ix, step) in spec.steps.iter().enumerate() {
        for need in &step.needs {
            let from = spec.steps[need.step.ix()].scope;
            dependents[need.step.ix()].push(Dependent {
                step: StepIx::from(ix),
                require_all: need.require_all,
                covers: covers(from, step.scope),
            });
        }
    }
    dependents
}

/// Whether a key of `wide` that shares a site with a key of `narrow` always covers all of it.
pub(crate) fn covers(wide: Scope, narrow: Scope) -> bool {
    wide == narrow || wide == Scope::Run || narrow == Scope::Site
}

/// Steps whose nodes wait for their batch to open. A step that needs one of its own scope is held back by that one;
/// without sites there is no batch to wait for.
pub(crate) fn gated(spec: &PlanSpec) -> Vec<bool> {
    spec.steps
        .iter()
        .map(|step| {
            let held = step.needs.iter().any(|need| {
                let needed = &spec.steps[need.step.ix()];
                needed.scope == step.scope && !needed.front_load
            });
            // What belongs to `finally` waits for the end of everything else instead.
            !held && (step.finally || (!step.front_load && !spec.batches.ends.is_empty()))
        })
        .collect()
}

/// Time that an attempt of a step is taken to last, in milliseconds, at least 1: the middle of `expect`, a second if it has none.
pub(super) fn expected_ms(step: &StepSpec) -> u64 {
    match step.expect_ms {
        (0, 0) => UNKNOWN_MS,
        (low, high) => low.midpoint(high).max(1),
    }
}

/// Rank of each step by its longest way to the end of the runbook; 0 for the longest.
pub(crate) fn ranks(spec: &PlanSpec, order: &[StepIx]) -> Vec<u16> {
    let mut tail: Vec<u64> = spec.steps.iter().map(expected_ms).collect();
    let own = tail.clone();
    for &step in order.iter().rev() {
        for need in &spec.steps[step.ix()].needs {
            tail[need.step.ix()] = tail[need.step.ix()].max(own[need.step.ix()].saturating_add(tail[step.ix()]));
        }
    }
    let mut by_tail: Vec<usize> = (0..tail.len()).collect();
    by_tail.sort_by_key(|&step| (std::cmp::Reverse(tail[step]), step));
    let mut ranks = vec![0; tail.len()];
    for (rank, step) in by_tail.into_iter().enumerate() {
        ranks[step] = u16::try_from(rank).unwrap_or(u16::MAX);
    }
    ranks
}

/// For each step, the steps that come after it, directly or through others, in the runbook's order.
pub(crate) fn descendants(spec: &PlanSpec, order: &[StepIx]) -> Vec<Vec<StepIx>> {
    let mut after: Vec<std::collections::BTreeSet<StepIx>> = vec![std::collections::BTreeSet::new(); spec.steps.len()];
    for &step in order.iter().rev() {
        let own = after[step.ix()].clone();
        for need in &spec.steps[step.ix()].needs {
            after[need.step.ix()].insert(step);
            after[need.step.ix()].extend(own.iter().copied());
        }
    }
    after.into_iter().map(|steps| steps.into_iter().collect()).collect()
}
