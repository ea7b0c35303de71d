//! The order of inserts.

use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use crate::postgres::catalog::Catalog;

/// Orders tables so that what a row points at is there before it; returns circles apart.
pub(super) fn inserts(catalog: &Catalog, members: &[usize]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut graph = DiGraph::<usize, ()>::with_capacity(members.len(), catalog.foreign_keys.len());
    let nodes: BTreeMap<usize, _> = members.iter().map(|&table| (table, graph.add_node(table))).collect();
    let mut circles = Vec::new();
    for key in &catalog.foreign_keys {
        if let (Some(&child), Some(&parent)) = (nodes.get(&key.child), nodes.get(&key.parent)) {
            graph.update_edge(child, parent, ());
        }
    }
    let mut order = Vec::with_capacity(members.len());
    // Tarjan's components come out with what they point at before them.
    for component in tarjan_scc(&graph) {
        let mut tables: Vec<usize> = component.iter().map(|node| graph[*node]).collect();
        tables.sort_unstable();
        let itself = component.first().is_some_and(|node| graph.contains_edge(*node, *node));
        order.extend(&tables);
        if tables.len() > 1 || itself {
            circles.push(tables);
        }
    }
    (order, circles)
}
