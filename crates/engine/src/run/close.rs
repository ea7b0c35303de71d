//! The end of a run: what is left is swept up, `finally` runs, and a run that had ended may go on.

use crate::event::{Event, RunEnd};
use crate::ids::NodeIx;
use crate::run::tables::NodeState;
use crate::run::{Halt, Run};

impl Run {
    /// What comes once nothing is left that could happen by itself: `finally`, then the end.
    pub(super) fn finish(&self) -> Option<Event> {
        if !self.flights.is_empty() {
            return None;
        }
        let end = self.end_now();
        if self.closing.is_some() {
            let all = self.settled_nodes as usize == self.nodes.len();
            let settled = all && self.to_close.is_empty() && self.to_probe.is_empty();
            return settled.then_some(Event::Ended { end });
        }
        let over = match self.halt {
            Some(Halt::Aborting | Halt::Cancelling) => self.to_probe.is_empty() && self.undo_wanted.is_empty(),
            Some(Halt::Unwinding) => {
                self.unwind.as_ref().is_some_and(|unwind| unwind.pending.iter().all(|&pending| pending == 0))
            }
            Some(Halt::Paused { .. }) | None => {
                self.begun
                    && self.settled_work == self.work_nodes
                    && self.settled_batches == self.batches.len()
                    && self.undos.is_empty()
                    && self.undo_wanted.is_empty()
            }
        };
        if !over {
            return None;
        }
        Some(if self.plan.has_finally() && self.begun { Event::Closing { end } } else { Event::Ended { end } })
    }

    /// How the run ends as things stand.
    pub(super) fn end_now(&self) -> RunEnd {
        match self.halt {
            Some(Halt::Cancelling | Halt::Unwinding) => RunEnd::Cancelled,
            Some(Halt::Aborting) => RunEnd::Failed,
            Some(Halt::Paused { .. }) | None => {
                let back = self.ended_sites.returned + self.ended_sites.degraded;
                if back == 0 && !self.sites.is_empty() {
                    RunEnd::Failed
                } else if self.flawed_nodes > 0 || self.ended_sites.returned as usize != self.sites.len() {
                    RunEnd::SucceededWithExceptions
                } else {
                    RunEnd::Succeeded
                }
            }
        }
    }

    /// Ends what has not, and lets `finally` go.
    pub(super) fn begin_finally(&mut self, end: RunEnd) {
        self.closing = Some(end);
        self.begun = true;
        self.sweep();
        for node in self.finally_nodes() {
            let (step, _) = self.plan.node_at(node);
            if self.plan.gated[step.ix()] {
                self.satisfy(node);
            }
        }
    }

    fn finally_nodes(&self) -> Vec<NodeIx> {
        let finally = |node: &NodeIx| self.plan.step(self.plan.node_at(*node).0).finally;
        (0..self.plan.node_count()).map(NodeIx).filter(finally).collect()
    }

    /// Cancels everything that has not ended, without a word to dependents: they are cancelled as well. A site that is
    /// in stays unfinished, one that is out ends.
    pub(super) fn sweep(&mut self) {
        let gates: Vec<_> = self.asks.keys().copied().collect();
        gates.into_iter().for_each(|gate| self.unask(gate));
        let plan = self.plan.clone();
        for node in (0..plan.node_count()).map(NodeIx) {
            let finally = plan.step(plan.node_at(node).0).finally;
            if finally || self.nodes[node.ix()].state.is_settled() {
                continue;
            }
            self.undecided.remove(&node);
            for unit in self.units_of(node).map(crate::ids::UnitIx) {
                if !self.units[unit.ix()].state.is_settled() {
                    self.unlist(unit);
                    self.units[unit.ix()].state = crate::run::tables::UnitState::Cancelled;
                }
            }
            self.set_node(node, NodeState::Cancelled);
            if let Some(site) = self.site_of(node) {
                self.sites[site.ix()].cut_off = true;
                self.close_if_done(site);
            }
        }
    }

    /// Lets a run that had ended go on; `finally` will run again at its end.
    pub(super) fn reopen(&mut self) {
        if self.end.take().is_none() {
            return;
        }
        self.closing = None;
        for node in self.finally_nodes() {
            self.reset_node(node, true);
            self.nodes[node.ix()].count = self.waits_now(node);
        }
    }
}
