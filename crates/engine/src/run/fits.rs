//! Which event may follow which state: a record from a journal is applied only if the run could have written it, so that
//! damaged or foreign journals end in a named refusal, never in a wrong state or a panic.

use crate::event::{Event, Mode, Then};
use crate::ids::{NodeIx, UnitIx};
use crate::input::{Command, Misfit};
use crate::plan::{ForEach, When};
use crate::run::tables::{DECIDED, NodeState, UnitState};
use crate::run::{Halt, Run};

impl Run {
    /// Checks that an event refers to what exists, in a state in which it can happen.
    pub(super) fn fits(&self, event: &Event) -> Result<(), Misfit> {
        self.why_not(event).map_or(Ok(()), |why| Err(Misfit { event: event.name(), why }))
    }

    fn why_not(&self, event: &Event) -> Option<String> {
        let not = |fits: bool, why: &str| (!fits).then(|| why.to_owned());
        if let Event::Opened { plan, .. } = event {
            let fits = self.opened_at.is_none() && **plan == *self.plan.hash();
            return not(fits, "it opens another plan, or opens twice");
        }
        let reopens = match event {
            Event::Retried { .. } | Event::Unwinding { .. } => true,
            Event::TakenOut { how, .. } => *how == crate::event::TakeOut::Undo,
            _ => false,
        };
        if self.opened_at.is_none() || (self.end.is_some() && !reopens) {
            return Some("the run is not open, or over".to_owned());
        }
        match event {
            Event::Opened { .. } | Event::Clock | Event::Ended { .. } => None,
            Event::Closing { .. } => {
                not(self.closing.is_none() && self.flights.is_empty(), "it is closing, or at work")
            }
            Event::Approved { gate, .. } | Event::Rejected { gate, .. } | Event::Lapsed { gate } => {
                not(self.asks.contains_key(gate), "nothing waits for this approval")
            }
            Event::Granted { instance, sharers, .. } => {
                not(self.ready.is_shared(*instance) && *sharers > 0, "there is no such shared pool")
            }
            Event::Retried { .. }
            | Event::Overruled { .. }
            | Event::TakenOut { .. }
            | Event::SiteAdopted { .. }
            | Event::PoolSet { .. }
            | Event::Unwinding { .. }
            | Event::Amended { .. } => self.why_not_verb(event),
            Event::Adopted { epoch, .. } => not(*epoch > self.epoch, "its epoch is not newer"),
            Event::Started { unit, attempt, mode } => self.why_not_start(*unit, *attempt, *mode),
            Event::Succeeded { unit, .. } | Event::Refused { unit, .. } | Event::InDoubt { unit, .. } => {
                not(self.unit_state(*unit) == Some(UnitState::Running), "the unit is not in flight")
            }
            Event::NotBegun { unit, then } => {
                let fits = match (self.flight(*unit), then) {
                    (Some(flight), Then::ProbeAt(_)) => flight.mode.is_probe(),
                    (Some(flight), Then::ApplyAt(_) | Then::Drop) => !flight.mode.is_probe(),
                    _ => false,
                };
                not(fits, "the unit is not in flight, or its attempt is followed by another one")
            }
            Event::Ruled { unit, .. } => {
                let row = self.units.get(unit.ix());
                let waits = row.is_some_and(|row| {
                    let doubtful = row.in_doubt() && matches!(row.state, UnitState::Ready | UnitState::Backoff);
                    row.state.waits_for_operator() || doubtful
                });
                not(waits, "the unit does not wait for a ruling")
            }
            Event::Decided { node, .. } => not(self.is_undecided(*node, false), "the node's condition is not open"),
            Event::Expanded { node, items } => {
                let room = self.units.len().saturating_add(items.len()) <= u32::MAX as usize;
                not(room && self.is_undecided(*node, true), "the node's items are not open")
            }
            Event::Unevaluable { node, .. } => {
                let open = self.is_undecided(*node, false) || self.is_undecided(*node, true);
                not(open, "the node has nothing to evaluate")
            }
            Event::BatchOpened { batch } => {
                let next = batch.ix() == self.settled_batches && self.halt.is_none();
                let shut = self.batches.get(batch.ix()).is_some_and(|row| row.opened_at.is_none());
                not(next && shut, "it is not the next batch")
            }
            Event::BatchSettled { batch } => {
                let open = self.batches.get(batch.ix()).is_some_and(|row| row.opened_at.is_some());
                not(open && batch.ix() == self.settled_batches, "it is not the open batch")
            }
            Event::BudgetExceeded { batch } => not(self.over_budget.contains(batch), "its budget is not exceeded"),
            Event::SiteEnded { site, end } => {
                let closes = self.to_close.contains(site) && *end == self.end_of(*site);
                not(closes, "the site does not end so now")
            }
            Event::Paused { .. } => not(self.halt.is_none(), "the run is not running"),
            Event::Continued { .. } => not(matches!(self.halt, Some(Halt::Paused { .. })), "the run is not paused"),
            Event::Cancelled { .. } => not(!self.is_ending(), "the run is ending already"),
        }
    }

    fn why_not_start(&self, unit: UnitIx, attempt: u32, mode: Mode) -> Option<String> {
        let Some(row) = self.units.get(unit.ix()) else { return Some("there is no such unit".to_owned()) };
        if row.state != UnitState::Ready {
            return Some(format!("unit {} is {:?}", unit.0, row.state));
        }
        if row.attempts.checked_add(1) != Some(attempt) || row.next_mode() != mode {
            return Some(format!("attempt {attempt} of unit {} is not the next", unit.0));
        }
        let allowed = !self.starts_nothing() || (self.is_ending() && mode != Mode::Apply);
        (!allowed).then(|| "the run starts nothing".to_owned())
    }

    /// A verb in a journal was admitted once; it must be one that would be again.
    fn why_not_verb(&self, event: &Event) -> Option<String> {
        let command = match event {
            Event::Retried { what, .. } => Command::Retry { what: *what },
            Event::Overruled { node, item, how, .. } => {
                Command::Overrule { node: *node, item: *item, how: how.clone() }
            }
            Event::TakenOut { site, how, .. } => Command::TakeOut { site: *site, how: *how },
            Event::SiteAdopted { site, from, units, .. } => {
                Command::Adopt { site: *site, from: from.to_string(), units: units.clone() }
            }
            Event::PoolSet { pool, slots, .. } => Command::SetPool { pool: *pool, slots: *slots },
            Event::Unwinding { .. } => Command::Cancel { undo: true },
            Event::Amended { plan, actor, .. } => {
                return self.may_amend(plan, actor).err().map(|why| why.to_string());
            }
            _ => return None,
        };
        self.command("".into(), "".into(), command).err().map(|why| why.to_string())
    }

    /// Whether a node waits for its condition, or, `items`, for its items.
    fn is_undecided(&self, node: NodeIx, items: bool) -> bool {
        let Some(row) = self.nodes.get(node.ix()) else { return false };
        let step = self.plan.step(self.plan.node_at(node).0);
        let condition_open = matches!(step.when, When::Later(_)) && row.marks & DECIDED == 0;
        let items_open = !condition_open && matches!(step.for_each, ForEach::Later(_)) && !self.has_items(node);
        row.state == NodeState::Undecided && if items { items_open } else { condition_open }
    }
}
