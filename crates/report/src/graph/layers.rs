//! Which layer each step is in, and which needs follow from others.

use petgraph::adj::List;
use petgraph::algo::toposort;
use petgraph::algo::tred::{dag_to_toposorted_adjacency_list, dag_transitive_reduction_closure};
use petgraph::graph::DiGraph;

/// Nodes above which needs that follow from others are drawn too: the reduction takes memory in the square of them.
const REDUCE_UP_TO: usize = 3000;

/// Edges of the transitive reduction, sorted; all edges if there is a cycle or too much of it.
pub(super) fn reduced(nodes: usize, edges: &[(usize, usize)]) -> Vec<(usize, usize)> {
    if nodes > REDUCE_UP_TO {
        return edges.to_vec();
    }
    let mut graph = DiGraph::<(), (), u32>::with_capacity(nodes, edges.len());
    let indexes: Vec<_> = (0..nodes).map(|_| graph.add_node(())).collect();
    for &(from, to) in edges {
        graph.add_edge(indexes[from], indexes[to], ());
    }
    let Ok(order) = toposort(&graph, None) else { return edges.to_vec() };
    let (list, _): (List<(), u32>, _) = dag_to_toposorted_adjacency_list(&graph, &order);
    let (reduction, _) = dag_transitive_reduction_closure(&list);
    let mut kept: Vec<(usize, usize)> = reduction
        .edge_indices()
        .filter_map(|edge| reduction.edge_endpoints(edge))
        .map(|(from, to)| (order[from as usize].index(), order[to as usize].index()))
        .collect();
    kept.sort_unstable();
    kept
}

/// Layer of each node: one after the last of its needs; nodes of a cycle come last.
pub(super) fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let mut open = vec![0_usize; nodes];
    let mut next = vec![Vec::new(); nodes];
    for &(from, to) in edges {
        open[to] += 1;
        next[from].push(to);
    }
    let mut layer = vec![None; nodes];
    let mut queue: Vec<usize> = (0..nodes).filter(|&node| open[node] == 0).collect();
    let mut deepest = 0;
    for &node in &queue {
        layer[node] = Some(0);
    }
    let mut at = 0;
    while let Some(&node) = queue.get(at) {
        at += 1;
        let own = layer[node].unwrap_or(0);
        deepest = deepest.max(own);
        for &to in &next[node] {
            layer[to] = layer[to].max(Some(own + 1));
            open[to] -= 1;
            if open[to] == 0 {
                queue.push(to);
            }
        }
    }
    let settled: Vec<bool> = open.iter().map(|&open| open == 0).collect();
    layer.iter().zip(settled).map(|(layer, settled)| if settled { layer.unwrap_or(0) } else { deepest + 1 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_others_is_left_out() {
        assert_eq!(reduced(3, &[(0, 1), (1, 2), (0, 2)]), [(0, 1), (1, 2)]);
        assert_eq!(reduced(2, &[(0, 1), (1, 0)]), [(0, 1), (1, 0)]);
        assert_eq!(reduced(0, &[]), []);
    }

    #[test]
    fn a_layer_comes_after_all_its_needs() {
        assert_eq!(layers(4, &[(0, 1), (1, 2), (0, 2), (0, 3)]), [0, 1, 2, 1]);
        assert_eq!(layers(3, &[(0, 1), (1, 2), (2, 1)]), [0, 1, 1]);
    }
}
