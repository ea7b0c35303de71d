//! Gates: who may open one, and what happens if nobody does. No way leads from a time-out to an approval.

use crate::event::{Event, Failure, Gate};
use crate::ids::{BatchIx, Millis};
use crate::input::Rejection;
use crate::names::reads_like;
use crate::plan::{Approval, ApprovalAt, OnLapse, Work};
use crate::run::tables::{Ask, UnitState};
use crate::run::{Halt, Run};

/// A gate that waits for people, as they need to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The gate.
    pub gate: Gate,
    /// Who may decide, how many must approve, what a lapse does.
    pub approval: &'a Approval,
    /// When it was asked.
    pub since: Millis,
    /// When it lapses; `None` while it has, and the run is paused for it.
    pub due: Option<Millis>,
    /// Who has approved so far.
    pub approved_by: &'a [Box<str>],
    /// What has to be confirmed with an approval; empty if nothing has.
    pub checklist: &'a [String],
}

impl Run {
    /// Gates that wait for people, in the order in which they lie.
    pub fn requests(&self) -> impl Iterator<Item = Request<'_>> + '_ {
        self.asks.iter().filter_map(|(&gate, ask)| {
            let due = (ask.due != Millis::MAX).then_some(ask.due);
            let approval = self.approval(gate)?;
            let checklist = self.checklist(gate);
            Some(Request { gate, approval, since: ask.since, due, approved_by: &ask.by, checklist })
        })
    }

    /// What has to be confirmed with an approval of a gate; empty if nothing has.
    #[must_use]
    pub fn checklist(&self, gate: Gate) -> &[String] {
        self.place_of(gate).map_or(&[], |at| self.plan.checklist(at))
    }

    /// Where the plan has a gate's approval; `None` if it is no unit of the plan.
    pub(super) fn place_of(&self, gate: Gate) -> Option<ApprovalAt> {
        Some(match gate {
            Gate::Start => ApprovalAt::Start,
            Gate::Batch(_) => ApprovalAt::Batches,
            Gate::Unit(unit) => ApprovalAt::Step(self.plan.node_at(self.unit_at(unit)?.0).0),
        })
    }

    /// Says whether an actor may approve an open gate, as the verb would.
    ///
    /// # Errors
    /// Why they may not: it is not asked, they are in none of its groups, they asked for the run, or have approved before.
    pub fn may_be_approved_by(&self, gate: Gate, actor: &str) -> Result<(), Rejection> {
        self.may_approve(gate, actor)
    }

    /// What a gate asks for; `None` if it is no gate of the plan.
    #[must_use]
    pub fn approval(&self, gate: Gate) -> Option<&Approval> {
        match gate {
            Gate::Batch(batch) if batch.ix() >= self.batches.len() => None,
            _ => self.approval_at(self.place_of(gate)?),
        }
    }

    pub(super) fn approval_at(&self, at: ApprovalAt) -> Option<&Approval> {
        match at {
            ApprovalAt::Start => self.plan.spec().extras.start.as_ref(),
            ApprovalAt::Batches => self.plan.spec().batches.gate.as_ref(),
            ApprovalAt::Step(step) => match &self.plan.step(step).work {
                Work::Approval(approval) => Some(approval),
                Work::Action(_) => None,
            },
        }
    }

    /// Puts a gate before the people.
    pub(super) fn ask(&mut self, gate: Gate) {
        let timeout = self.approval(gate).map_or(0, |approval| approval.timeout_ms);
        let due = self.now.saturating_add(Millis::try_from(timeout).unwrap_or(Millis::MAX)).min(Millis::MAX - 1);
        self.asks.insert(gate, Ask { since: self.now, due, by: Vec::new() });
        self.asks_due.insert((due, gate));
    }

    /// Takes a gate back.
    pub(super) fn unask(&mut self, gate: Gate) {
        if let Some(ask) = self.asks.remove(&gate) {
            self.asks_due.remove(&(ask.due, gate));
        }
    }

    /// Whether an actor may decide on an open gate.
    pub(super) fn may_decide(&self, gate: Gate, actor: &str) -> Result<(), Rejection> {
        self.is_member(self.is_open(gate)?, actor)
    }

    /// What an open gate asks for, if anybody may decide on it.
    pub(super) fn is_open(&self, gate: Gate) -> Result<&Approval, Rejection> {
        let (Some(_), Some(approval)) = (self.asks.get(&gate), self.approval(gate)) else {
            return Err(Rejection::NotNow("nothing waits for this approval"));
        };
        if self.is_ending() && self.closing.is_none() {
            return Err(Rejection::NotNow("the run is ending already"));
        }
        Ok(approval)
    }

    /// Whether an actor belongs to a group that an approval names.
    pub(super) fn is_member(&self, approval: &Approval, actor: &str) -> Result<(), Rejection> {
        let groups = &self.plan.spec().extras.approvers;
        let member = groups
            .iter()
            .filter(|group| approval.from.contains(&group.name))
            .any(|group| group.members.iter().any(|name| name == actor));
        if member {
            Ok(())
        } else {
            Err(Rejection::NotApprover { actor: actor.to_owned(), groups: approval.from.clone() })
        }
    }

    /// Whether an actor may approve an open gate: not the own run, and once. `Ben` is not the second person of `ben`.
    pub(super) fn may_approve(&self, gate: Gate, actor: &str) -> Result<(), Rejection> {
        self.may_decide(gate, actor)?;
        self.is_second(gate, actor)
    }

    /// Whether an actor is another person than those who count already: who asked for the run, and who has approved.
    pub(super) fn is_second(&self, gate: Gate, actor: &str) -> Result<(), Rejection> {
        if reads_like(actor, &self.opened_by) {
            return Err(Rejection::OwnRun(actor.to_owned()));
        }
        if self.asks.get(&gate).is_some_and(|ask| ask.by.iter().any(|name| reads_like(name, actor))) {
            return Err(Rejection::ApprovedBefore(actor.to_owned()));
        }
        Ok(())
    }

    /// Says whether all of a gate's checklist is confirmed, each item by its text.
    ///
    /// # Errors
    /// [`Rejection::Unchecked`] with what is open, [`Rejection::NotOnChecklist`] for a text that nobody asked for.
    pub fn is_checked(&self, gate: Gate, checked: &[String]) -> Result<(), Rejection> {
        let list = self.checklist(gate);
        if let Some(other) = checked.iter().find(|text| !list.contains(text)) {
            return Err(Rejection::NotOnChecklist(other.clone()));
        }
        let open: Vec<String> = list.iter().filter(|item| !checked.contains(item)).cloned().collect();
        if open.is_empty() { Ok(()) } else { Err(Rejection::Unchecked(open)) }
    }

    /// The gate whose time is over, if any.
    pub(super) fn lapsed(&self, at: Millis) -> Option<Event> {
        let &(due, gate) = self.asks_due.first()?;
        (due <= at).then_some(Event::Lapsed { gate })
    }

    /// When the next gate lapses.
    pub(super) fn lapse_due(&self) -> Option<Millis> {
        self.asks_due.first().map(|&(due, _)| due)
    }

    /// Whether the time of a gate is over, noticed or not: nothing opens by coming late.
    pub(super) fn has_lapsed(&self, gate: Gate, at: Millis) -> bool {
        self.asks.get(&gate).is_some_and(|ask| ask.due <= at)
    }

    /// One more approval; the last one that is needed opens the gate.
    pub(super) fn approve(&mut self, gate: Gate, actor: &str) {
        let needed = self.approval(gate).map_or(usize::MAX, |approval| usize::from(approval.min.max(1)));
        let Some(ask) = self.asks.get_mut(&gate) else { return };
        ask.by.push(actor.into());
        if ask.by.len() < needed {
            return;
        }
        self.unask(gate);
        match gate {
            Gate::Start => self.begin(),
            Gate::Batch(batch) => self.batches[batch.ix()].approved = true,
            Gate::Unit(unit) => {
                self.failures.remove(&unit);
                self.settle_unit(unit, UnitState::Succeeded);
            }
        }
    }

    /// A gate stays shut: the run is cancelled, or the unit has failed for good.
    pub(super) fn reject(&mut self, gate: Gate, message: String) {
        self.unask(gate);
        match gate {
            Gate::Start | Gate::Batch(_) => {
                if !self.is_ending() {
                    self.halt = Some(Halt::Cancelling);
                }
            }
            Gate::Unit(unit) => {
                let hint = "`retry` asks again";
                let failure = Failure { code: "approval.rejected".into(), message: message.into(), hint: hint.into() };
                self.failures.insert(unit, Box::new(failure));
                self.give_up(unit);
            }
        }
    }

    /// Nobody decided in time.
    pub(super) fn lapse(&mut self, gate: Gate) {
        let Some(approval) = self.approval(gate) else { return };
        match approval.on_timeout {
            OnLapse::Reject => self.reject(gate, "nobody decided in time".to_owned()),
            OnLapse::Pause => {
                if let Some(ask) = self.asks.get_mut(&gate) {
                    self.asks_due.remove(&(ask.due, gate));
                    ask.due = Millis::MAX;
                }
                if self.halt.is_none() {
                    let reason = format!("nobody decided on {} in time", self.gate_name(gate));
                    self.halt = Some(Halt::Paused { actor: "approval".into(), reason: reason.into() });
                }
            }
        }
    }

    /// A continued run asks again where a lapse had paused it.
    pub(super) fn ask_again(&mut self) {
        let lapsed: Vec<Gate> =
            self.asks.iter().filter(|(_, ask)| ask.due == Millis::MAX).map(|(&gate, _)| gate).collect();
        for gate in lapsed {
            let by = self.asks.remove(&gate).map(|ask| ask.by).unwrap_or_default();
            self.ask(gate);
            if let Some(ask) = self.asks.get_mut(&gate) {
                ask.by = by;
            }
        }
    }

    /// Asks for the next batch once the one before is settled, so that the soak and the people's time run together.
    pub(super) fn ask_for_batch(&mut self, batch: BatchIx) {
        let gated = self.plan.spec().batches.gate.is_some() && batch.ix() < self.batches.len();
        if gated && !self.batches[batch.ix()].approved && !self.is_ending() {
            self.ask(Gate::Batch(batch));
        }
    }

    /// Whether a batch may open as far as people are concerned.
    pub(super) fn batch_is_approved(&self, batch: BatchIx) -> bool {
        let approved = self.batches.get(batch.ix()).is_some_and(|row| row.approved);
        batch.0 == 0 || self.plan.spec().batches.gate.is_none() || approved
    }

    /// Name of a gate for people: `start`, `batch 2`, or the unit's name.
    #[must_use]
    pub fn gate_name(&self, gate: Gate) -> String {
        match gate {
            Gate::Start => "start".to_owned(),
            Gate::Batch(batch) => format!("batch {}", u32::from(batch.0) + 1),
            Gate::Unit(unit) => self.unit_name(unit),
        }
    }
}

/// The reason of an approval with what was confirmed. It stands in the text, so that every reader of a journal shows it,
/// those of older versions among them.
pub(super) fn with_checks(reason: Box<str>, checklist: &[String]) -> Box<str> {
    if checklist.is_empty() { reason } else { format!("{reason} (checked: {})", checklist.join("; ")).into() }
}
