//! The graph of needs: circles, ancestors, and batches that could never finish.

use engine::Scope;
use petgraph::graphmap::DiGraphMap;

use crate::codes;
use crate::fields::Sink;
use crate::lower::batches;
use crate::model::{Runbook, Step};

/// For each step the steps before it, as bits.
#[derive(Debug)]
pub(crate) struct Ancestors {
    rows: Vec<Vec<u64>>,
}

impl Ancestors {
    /// Says whether `before` certainly comes before `step`.
    pub(crate) fn has(&self, step: usize, before: usize) -> bool {
        self.rows.get(step).and_then(|row| row.get(before / 64)).is_some_and(|bits| bits >> (before % 64) & 1 == 1)
    }

    fn of(steps: &[Step], order: &[usize]) -> Self {
        let words = steps.len().div_ceil(64);
        let mut rows = vec![vec![0_u64; words]; steps.len()];
        for &step in order {
            let mut row = std::mem::take(&mut rows[step]);
            for need in &steps[step].needs {
                row[need.step / 64] |= 1 << (need.step % 64);
                for (word, more) in row.iter_mut().zip(&rows[need.step]) {
                    *word |= more;
                }
            }
            rows[step] = row;
        }
        Self { rows }
    }
}

/// Checks the graph and returns the ancestors; those of steps in a circle are incomplete.
pub(crate) fn check(sink: &mut Sink<'_>, runbook: &Runbook) -> Ancestors {
    let steps = &runbook.steps;
    let mut graph: DiGraphMap<usize, ()> = DiGraphMap::new();
    for (ix, step) in steps.iter().enumerate() {
        graph.add_node(ix);
        for need in &step.needs {
            graph.add_edge(need.step, ix, ());
        }
    }
    let order = match petgraph::algo::toposort(&graph, None) {
        Ok(order) => order,
        Err(_) => {
            for circle in petgraph::algo::tarjan_scc(&graph) {
                if circle.len() > 1 || steps[circle[0]].needs.iter().any(|need| need.step == circle[0]) {
                    report_circle(sink, steps, &circle);
                }
            }
            return Ancestors::of(steps, &(0..steps.len()).collect::<Vec<_>>());
        }
    };
    let ancestors = Ancestors::of(steps, &order);
    if batches::several(&runbook.batches.sizes) {
        deadlocks(sink, runbook, &ancestors);
    }
    ancestors
}

fn report_circle(sink: &mut Sink<'_>, steps: &[Step], circle: &[usize]) {
    // Walk along needs within the strongly connected part until a step comes again: that is one shortest-enough circle.
    let start = circle.iter().copied().min().unwrap_or_default();
    let mut walked = vec![start];
    let mut at = start;
    while let Some(need) = steps[at].needs.iter().find(|need| circle.contains(&need.step)) {
        at = need.step;
        if let Some(from) = walked.iter().position(|&seen| seen == at) {
            walked.drain(..from);
            break;
        }
        walked.push(at);
    }
    let mut names: Vec<&str> = walked.iter().take(20).map(|&ix| steps[ix].name.as_str()).collect();
    if walked.len() > 20 {
        names.push("...");
    }
    names.push(&steps[walked[0]].name);
    let first = &steps[walked[0]];
    let next = walked.get(1).copied().unwrap_or(walked[0]);
    let span = first.needs.iter().find(|need| need.step == next).map_or(first.span, |need| need.span);
    sink.error(
        codes::CYCLE,
        span,
        format!("steps need each other in a circle: {}", names.join(" -> ")),
        "remove one of these needs; `a -> b` means that a needs b",
    );
}

fn narrow(scope: Scope) -> bool {
    matches!(scope, Scope::Site | Scope::Batch)
}

/// A step of the first batch must not wait for sites of later ones: the second batch opens only after the first.
fn deadlocks(sink: &mut Sink<'_>, runbook: &Runbook, ancestors: &Ancestors) {
    let steps = &runbook.steps;
    let held: Vec<Option<usize>> = steps
        .iter()
        .enumerate()
        .map(|(wide, step)| {
            if narrow(step.scope) {
                return None;
            }
            (0..steps.len())
                .find(|&site| ancestors.has(wide, site) && narrow(steps[site].scope) && !steps[site].front_load)
        })
        .collect();
    for step in steps.iter().filter(|step| narrow(step.scope) && !step.finally) {
        for need in &step.needs {
            if let Some(site) = held[need.step] {
                let wide = &steps[need.step].name;
                sink.error2(
                    codes::BATCH_DEADLOCK,
                    (need.span, (steps[site].span, "a step of each site, also of later batches")),
                    format!(
                        "the first batch could never finish: `{}` waits for `{wide}`, which waits for `{}` of all its sites",
                        step.name, steps[site].name
                    ),
                    format!(
                        "give `{}` `front_load: true`, give `{wide}` the scope `site` or `batch`, or use one batch",
                        steps[site].name
                    ),
                );
            }
        }
    }
}
