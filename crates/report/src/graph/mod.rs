//! Drawings of a runbook's graph: text, Mermaid, DOT, SVG; for a run with its counts.

mod layers;
mod place;
mod svg;
mod words;

use engine::{ApprovalAt, Plan, Run};

use crate::report::{Report, UnitTally, scope_name, units_of_step};

/// A step as it is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphNode {
    /// Name.
    pub name: String,
    /// Scope in a word: `site`, `batch`, `run`, or a group.
    pub scope: String,
    /// Positions of the steps it needs, in the drawing.
    pub needs: Vec<usize>,
    /// Its units by state, for a run.
    pub units: Option<UnitTally>,
    /// Things that people confirm before it lets pass.
    pub checks: usize,
    /// Whether it belongs to `finally`, and so comes after all that does not, whatever it needs.
    pub finally: bool,
}

/// What the colour of a step says; the words and numbers beside it say it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// Not part of a run.
    Plain,
    /// Nothing of it has started.
    Waiting,
    /// Under way.
    Running,
    /// Some unit waits for an operator or for approval.
    Operator,
    /// Everything succeeded or was skipped.
    Done,
    /// Settled, some units degraded or cancelled, none failed.
    Flawed,
    /// Some unit failed.
    Failed,
}

impl Tint {
    /// Class name in SVG, DOT and Mermaid.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Operator => "operator",
            Self::Done => "done",
            Self::Flawed => "flawed",
            Self::Failed => "failed",
        }
    }
}

impl GraphNode {
    /// What its colour says.
    #[must_use]
    pub fn tint(&self) -> Tint {
        let Some(units) = self.units else { return Tint::Plain };
        let fine = units.succeeded + units.skipped;
        if units.failed > 0 {
            Tint::Failed
        } else if units.for_operator + units.asked > 0 {
            Tint::Operator
        } else if units.settled() == units.total && units.total > 0 {
            if fine == units.total { Tint::Done } else { Tint::Flawed }
        } else if units.settled() + units.running + units.backoff + units.ready > 0 {
            Tint::Running
        } else {
            Tint::Waiting
        }
    }

    /// Its second line: scope, and for a run how far it is.
    pub(crate) fn caption(&self) -> String {
        let scope = if self.finally { format!("{} · finally", self.scope) } else { self.scope.clone() };
        let Some(units) = self.units else {
            return match self.checks {
                0 => scope,
                checks => format!("{scope} · {checks} to check"),
            };
        };
        let mut caption = format!("{scope} · {}/{}", units.succeeded + units.skipped, units.total);
        for (number, what) in [
            (units.failed, "failed"),
            (units.degraded, "degraded"),
            (units.undone, "undone"),
            (units.stays, "stays"),
            (units.undoing, "being undone"),
            (units.asked, "to approve"),
            (units.for_operator, "for you"),
            (units.running, "now"),
        ] {
            if number > 0 {
                caption = format!("{caption} · {number} {what}");
            }
        }
        caption
    }
}

/// A graph of steps that can be drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drawing {
    /// Title, shown where the form has room for one.
    pub title: String,
    /// Steps in the runbook's order.
    pub nodes: Vec<GraphNode>,
}

impl Drawing {
    /// The graph of a plan, without any run.
    #[must_use]
    pub fn of_plan(plan: &Plan) -> Self {
        let nodes = plan.spec().steps.iter().zip(plan.steps()).map(|(step, ix)| GraphNode {
            name: step.name.clone(),
            scope: scope_name(plan, step.scope),
            needs: step.needs.iter().map(|need| need.step.ix()).collect(),
            units: None,
            checks: plan.checklist(ApprovalAt::Step(ix)).len(),
            finally: step.finally,
        });
        Self { title: plan.spec().origin.runbook.clone(), nodes: nodes.collect() }
    }

    /// The graph of a run with its units by state. Costs time in proportion to the units.
    #[must_use]
    pub fn of_run(run: &Run) -> Self {
        let mut drawing = Self::of_plan(run.plan());
        for (node, step) in drawing.nodes.iter_mut().zip(run.plan().steps()) {
            node.units = Some(units_of_step(run, step));
        }
        drawing
    }

    /// The graph of a report's steps with their units by state.
    #[must_use]
    pub fn of_report(report: &Report) -> Self {
        let steps = report
            .steps
            .iter()
            .map(|step| (step.name.as_str(), step.scope.as_str(), step.needs.iter().map(String::as_str).collect()));
        let mut drawing = Self::of_steps(report.runbook.clone(), steps);
        for (node, step) in drawing.nodes.iter_mut().zip(&report.steps) {
            (node.units, node.finally) = (Some(step.units), step.finally);
        }
        drawing
    }

    /// The graph of steps by name: name, scope, and the names of what each needs. Names of needs that no step has are
    /// left out, so that a runbook with faults can be drawn too.
    pub fn of_steps<'a>(
        title: impl Into<String>,
        steps: impl IntoIterator<Item = (&'a str, &'a str, Vec<&'a str>)>,
    ) -> Self {
        let steps: Vec<_> = steps.into_iter().collect();
        let position: std::collections::BTreeMap<&str, usize> =
            steps.iter().enumerate().rev().map(|(ix, (name, ..))| (*name, ix)).collect();
        let nodes = steps.iter().map(|(name, scope, needs)| GraphNode {
            name: (*name).to_owned(),
            scope: (*scope).to_owned(),
            needs: needs.iter().filter_map(|need| position.get(need).copied()).collect(),
            ..GraphNode::default()
        });
        Self { title: title.into(), nodes: nodes.collect() }
    }

    /// Needs that follow from no others, as (needed, needing): drawn are these only. All of them if there is a cycle.
    fn edges(&self) -> Vec<(usize, usize)> {
        layers::reduced(self.nodes.len(), &self.all_edges())
    }

    /// Layer of each step.
    fn layers(&self, edges: &[(usize, usize)]) -> Vec<usize> {
        let mut layers = layers::layers(self.nodes.len(), edges);
        let of_each = |finally: bool| self.nodes.iter().zip(&layers).filter(move |(node, _)| node.finally == finally);
        let before = of_each(false).map(|(_, layer)| layer + 1).max().unwrap_or(0);
        for (layer, node) in layers.iter_mut().zip(&self.nodes) {
            *layer += if node.finally { before } else { 0 };
        }
        layers
    }

    fn all_edges(&self) -> Vec<(usize, usize)> {
        let len = self.nodes.len();
        let mut edges: Vec<(usize, usize)> = self
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(ix, node)| node.needs.iter().map(move |&need| (need, ix)))
            .filter(|&(need, ix)| need < len && need != ix)
            .collect();
        edges.sort_unstable();
        edges.dedup();
        edges
    }
}
