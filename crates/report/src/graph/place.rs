//! Where each box of a drawing lies, and the bends of its lines.

use std::collections::BTreeMap;

use petgraph::stable_graph::{NodeIndex, StableDiGraph};
use rust_sugiyama::configure::Config;

/// Boxes and bends above which the plain grid is used: the layered layout takes time in more than their square.
const LAYERED_UP_TO: usize = 700;
/// Lines above which the plain grid is used.
const LINES_UP_TO: usize = 2000;
/// From the edge of one column of boxes to the next.
const COLUMN_GAP: f64 = 56.0;
/// Between boxes of one column.
const ROW_GAP: f64 = 18.0;

/// A drawing with every place settled; distances in pixels, y downwards.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Placed {
    /// Width of the whole.
    pub(super) width: f64,
    /// Height of the whole.
    pub(super) height: f64,
    /// Centre of each box.
    pub(super) centres: Vec<(f64, f64)>,
    /// Points that each line passes between its boxes, in the order of the edges.
    pub(super) bends: Vec<Vec<(f64, f64)>>,
}

/// Places boxes of the given sizes from left to right, layer by layer.
pub(super) fn place(sizes: &[(f64, f64)], edges: &[(usize, usize)], layer: &[usize]) -> Placed {
    // A line that crosses layers gets a point of its own in each, so that it goes around boxes and not through them.
    let mut points = sizes.len();
    let mut chains: Vec<Vec<usize>> = Vec::with_capacity(edges.len());
    let mut layer_of = layer.to_vec();
    for &(from, to) in edges {
        let between = layer[to].saturating_sub(layer[from]).saturating_sub(1);
        chains.push((points..points + between).collect());
        layer_of.extend((0..between).map(|step| layer[from] + 1 + step));
        points += between;
    }
    let acyclic = edges.iter().all(|&(from, to)| layer[from] < layer[to]);
    let rows = if !acyclic || points > LAYERED_UP_TO || edges.len() > LINES_UP_TO {
        grid_rows(sizes, &layer_of)
    } else {
        layered_rows(sizes, points, edges, &chains)
    };
    settle(sizes, &layer_of, &rows, &chains)
}

/// Position of each point across the layers, by the layered layout.
fn layered_rows(sizes: &[(f64, f64)], points: usize, edges: &[(usize, usize)], chains: &[Vec<usize>]) -> Vec<f64> {
    let mut graph = StableDiGraph::<usize, ()>::new();
    let indexes: Vec<NodeIndex> = (0..points).map(|point| graph.add_node(point)).collect();
    for (&(from, to), chain) in edges.iter().zip(chains) {
        let mut last = from;
        for &point in chain.iter().chain([&to]) {
            graph.add_edge(indexes[last], indexes[point], ());
            last = point;
        }
    }
    let config = Config { vertex_spacing: ROW_GAP, dummy_vertices: false, ..Config::default() };
    // The layout goes from top to bottom; ours from left to right: its x is our y.
    let size = |_: NodeIndex, point: &usize| sizes.get(*point).map_or((8.0, 8.0), |&(width, height)| (height, width));
    let mut rows = vec![0.0; points];
    let mut below = 0.0;
    for (placed, _, _) in rust_sugiyama::from_graph(&graph, &size, &config) {
        let half = |ix: NodeIndex| sizes.get(ix.index()).map_or(4.0, |&(_, height)| height / 2.0);
        let least = placed.iter().map(|&(ix, (x, _))| x - half(ix)).fold(f64::INFINITY, f64::min);
        let most = placed.iter().map(|&(ix, (x, _))| x + half(ix)).fold(f64::NEG_INFINITY, f64::max);
        if !least.is_finite() || !most.is_finite() {
            continue;
        }
        for (ix, (x, _)) in placed {
            if let Some(row) = rows.get_mut(ix.index()) {
                *row = below + x - least;
            }
        }
        below += most - least + ROW_GAP;
    }
    rows
}

/// Position of each point across the layers, one below the other.
fn grid_rows(sizes: &[(f64, f64)], layer_of: &[usize]) -> Vec<f64> {
    let mut next: BTreeMap<usize, f64> = BTreeMap::new();
    layer_of
        .iter()
        .enumerate()
        .map(|(point, layer)| {
            let height = sizes.get(point).map_or(6.0, |&(_, height)| height);
            let top = next.entry(*layer).or_default();
            let centre = *top + height / 2.0;
            *top += height + ROW_GAP;
            centre
        })
        .collect()
}

/// Columns from layers, and no two boxes of a column over each other.
fn settle(sizes: &[(f64, f64)], layer_of: &[usize], rows: &[f64], chains: &[Vec<usize>]) -> Placed {
    let depth = layer_of.iter().copied().max().map_or(0, |last| last + 1);
    let mut widths = vec![0.0_f64; depth];
    for (&(width, _), &layer) in sizes.iter().zip(layer_of) {
        widths[layer] = widths[layer].max(width);
    }
    let mut left = 0.0;
    let mut columns = Vec::with_capacity(depth);
    for width in widths {
        columns.push(left + width / 2.0);
        left += width + COLUMN_GAP;
    }
    let mut ys = rows.to_vec();
    for layer in 0..depth {
        let mut column: Vec<usize> = (0..ys.len()).filter(|&point| layer_of[point] == layer).collect();
        column.sort_by(|&a, &b| ys[a].total_cmp(&ys[b]));
        let mut floor = f64::NEG_INFINITY;
        for point in column {
            let height = sizes.get(point).map_or(6.0, |&(_, height)| height);
            ys[point] = ys[point].max(floor + height / 2.0);
            floor = ys[point] + height / 2.0 + ROW_GAP / 2.0;
        }
    }
    let top = ys.iter().enumerate().map(|(point, y)| y - sizes.get(point).map_or(3.0, |size| size.1 / 2.0));
    let top = top.fold(f64::INFINITY, f64::min);
    let top = if top.is_finite() { top } else { 0.0 };
    let at = |point: usize| (columns[layer_of[point]], ys[point] - top);
    let centres: Vec<_> = (0..sizes.len()).map(at).collect();
    let bends: Vec<Vec<_>> = chains.iter().map(|chain| chain.iter().map(|&point| at(point)).collect()).collect();
    let bottoms = centres.iter().zip(sizes).map(|(&(_, y), &(_, height))| y + height / 2.0);
    let height = bottoms.chain(bends.iter().flatten().map(|&(_, y)| y + 3.0)).fold(0.0, f64::max);
    Placed { width: (left - COLUMN_GAP).max(0.0), height, centres, bends }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::layers::layers;

    fn laid(sizes: &[(f64, f64)], edges: &[(usize, usize)]) -> Placed {
        place(sizes, edges, &layers(sizes.len(), edges))
    }

    fn apart(placed: &Placed, sizes: &[(f64, f64)]) -> bool {
        let boxes: Vec<_> = placed.centres.iter().zip(sizes).collect();
        boxes.iter().enumerate().all(|(ix, (a, a_size))| {
            boxes[..ix].iter().all(|(b, b_size)| {
                (a.0 - b.0).abs() * 2.0 >= a_size.0 + b_size.0 || (a.1 - b.1).abs() * 2.0 >= a_size.1 + b_size.1
            })
        })
    }

    #[test]
    fn boxes_do_not_cover_each_other_and_needs_lie_to_the_left() {
        // A fixed scramble of edges over 60 nodes, each from a lower to a higher number.
        let sizes: Vec<_> = (0..60).map(|ix| (80.0 + f64::from(ix % 7) * 9.0, 40.0)).collect();
        let edges: Vec<(usize, usize)> =
            (1..60).flat_map(|to| [(to * 7 % to, to), (to * 31 % to, to), (to / 2, to)]).collect();
        let edges = super::super::layers::reduced(60, &edges);
        let placed = laid(&sizes, &edges);
        assert!(apart(&placed, &sizes));
        for &(from, to) in &edges {
            assert!(placed.centres[from].0 < placed.centres[to].0);
        }
        assert!(placed.centres.iter().all(|&(x, y)| x >= 0.0 && y >= 0.0 && x <= placed.width && y <= placed.height));
    }

    #[test]
    fn large_and_cyclic_graphs_get_a_grid() {
        let sizes = vec![(100.0, 40.0); 2500];
        let edges: Vec<(usize, usize)> = (0..2499).map(|ix| (ix / 50, ix + 1)).collect();
        assert!(apart(&laid(&sizes[..800], &edges[..700]), &sizes[..800]));
        assert!(laid(&sizes, &edges).height > 0.0);
        assert!(apart(&laid(&sizes[..3], &[(0, 1), (1, 2), (2, 1)]), &sizes[..3]));
        assert_eq!(laid(&[], &[]), Placed::default());
    }
}
