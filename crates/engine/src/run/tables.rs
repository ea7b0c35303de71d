//! States of nodes, units and sites, stored by column: about 10 bytes a unit.

use crate::event::{Mode, SiteEnd, TakeOut};
use crate::ids::Millis;

/// State of a node.
///
/// ```text
/// Waiting -> Undecided -> Active -> Succeeded | Degraded | Failed | Cancelled
///    |           '------> Skipped
///    '--> Skipped | Cancelled
/// ```
/// What is settled may go back to `Waiting` when an operator has it tried again, or on to `Undoing -> Undone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum NodeState {
    /// Some need is not settled.
    Waiting,
    /// Its needs are satisfied; its `if` or `for_each` is to be evaluated.
    Undecided,
    /// Its units may start.
    Active,
    /// Every unit succeeded.
    Succeeded,
    /// Its condition was false, or it had no item.
    Skipped,
    /// Some unit failed and counts as done.
    Degraded,
    /// Some unit failed.
    Failed,
    /// It will not run: a need failed, or its site is out.
    Cancelled,
    /// What it did is being taken back.
    Undoing,
    /// What it did was taken back.
    Undone,
}

impl NodeState {
    /// Whether nothing of it will be applied any more.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self >= Self::Succeeded
    }

    /// Whether dependents may start.
    #[must_use]
    pub fn is_satisfied(self) -> bool {
        matches!(self, Self::Succeeded | Self::Skipped | Self::Degraded)
    }
}

/// State of a unit.
///
/// ```text
/// Waiting -> Ready <-> Running -> Succeeded | Degraded | Failed
///              ^          |-> Backoff -> Ready
///              |          '-> Parked | Stuck  (operator)
///              '-- any of Waiting, Ready, Backoff, Asked -> Cancelled
/// Waiting -> Asked -> Succeeded | Failed   (an approval)
/// ```
/// While its effect is taken back a unit goes the same way once more, from `Waiting` to `Undone`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum UnitState {
    /// Its node waits.
    Waiting,
    /// It waits for slots only.
    Ready,
    /// An attempt is in flight.
    Running,
    /// It waits for the time of its next attempt.
    Backoff,
    /// It waits for people to approve.
    Asked,
    /// In doubt, without a probe or an idempotent action: an operator must say.
    Parked,
    /// Failed under `on_failure: pause`, or its undo failed: an operator must say.
    Stuck,
    /// Done.
    Succeeded,
    /// Failed, counts as done.
    Degraded,
    /// Failed.
    Failed,
    /// It will not run.
    Cancelled,
    /// Its effect was taken back.
    Undone,
}

impl UnitState {
    /// Whether it is over.
    #[must_use]
    pub fn is_settled(self) -> bool {
        self >= Self::Succeeded
    }

    /// Whether it waits for a ruling.
    #[must_use]
    pub fn waits_for_operator(self) -> bool {
        matches!(self, Self::Parked | Self::Stuck)
    }
}

/// What is kept of a unit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitRow {
    pub(crate) state: UnitState,
    flags: u8,
    /// Attempts that counted as failures.
    pub(crate) failures: u16,
    /// Attempts started, probes among them; the number of the last.
    pub(crate) attempts: u32,
}

const PROBE_NEXT: u8 = 1;
const MAY_HAVE_ACTED: u8 = 2;
const IN_DOUBT: u8 = 4;
const UNDOING: u8 = 8;

impl UnitRow {
    pub(crate) const NEW: Self = Self { state: UnitState::Waiting, flags: 0, failures: 0, attempts: 0 };

    pub(crate) fn next_mode(self) -> Mode {
        match (self.is_undoing(), self.flags & PROBE_NEXT != 0) {
            (false, false) => Mode::Apply,
            (false, true) => Mode::Probe,
            (true, false) => Mode::Undo,
            (true, true) => Mode::ProbeUndo,
        }
    }

    /// Whether its effect is being taken back.
    pub(crate) fn is_undoing(self) -> bool {
        self.flags & UNDOING != 0
    }

    /// Begins to take its effect back: a life of its own, with attempts and doubts of its own. One that has begun
    /// already keeps its doubts.
    pub(crate) fn begin_undo(&mut self) {
        self.state = UnitState::Waiting;
        self.failures = 0;
        if !self.is_undoing() {
            self.flags = MAY_HAVE_ACTED | UNDOING;
        }
    }

    /// Its effect was taken back.
    pub(crate) fn undone(&mut self) {
        self.state = UnitState::Undone;
        self.flags = 0;
    }

    /// Its effect stays although it was to be taken back.
    pub(crate) fn leave(&mut self) {
        self.state = UnitState::Failed;
        // An undo that did not succeed may have taken back a part.
        self.flags = MAY_HAVE_ACTED | IN_DOUBT;
    }

    /// Goes back to the start; what may have happened is not forgotten.
    pub(crate) fn again(&mut self) {
        self.state = UnitState::Waiting;
        self.failures = 0;
        self.flags &= !PROBE_NEXT;
    }

    pub(crate) fn set_probe_next(&mut self, probe: bool) {
        if probe {
            self.flags |= PROBE_NEXT;
        } else {
            self.flags &= !PROBE_NEXT;
        }
    }

    /// Whether some attempt was not surely refused: what an undo must take back.
    pub(crate) fn may_have_acted(self) -> bool {
        self.flags & MAY_HAVE_ACTED != 0
    }

    pub(crate) fn set_may_have_acted(&mut self) {
        self.flags |= MAY_HAVE_ACTED;
    }

    /// Whether it is not known if its effect is there.
    pub(crate) fn in_doubt(self) -> bool {
        self.flags & IN_DOUBT != 0
    }

    pub(crate) fn set_in_doubt(&mut self, doubt: bool) {
        if doubt {
            self.flags |= IN_DOUBT;
        } else {
            self.flags &= !IN_DOUBT;
        }
    }
}

/// What is kept of a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NodeRow {
    pub(crate) state: NodeState,
    pub(crate) marks: u8,
    /// While waiting: needs not settled. While active: units not settled.
    pub(crate) count: u32,
}

/// A need was not satisfied: cancelled once all are settled.
pub(crate) const BLOCKED: u8 = 1;
/// Some unit failed.
pub(crate) const FAILED: u8 = 2;
/// Some unit was degraded.
pub(crate) const DEGRADED: u8 = 4;
/// Some unit was cancelled.
pub(crate) const CANCELLED: u8 = 8;

/// Its condition was evaluated and holds; its items are still to be.
pub(crate) const DECIDED: u8 = 16;
/// An operator settled it, whatever it waited for.
pub(crate) const DECREED: u8 = 32;
/// An amendment would have it run, but came too late.
pub(crate) const LATE: u8 = 64;

/// An attempt in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flight {
    /// Number of the attempt.
    pub attempt: u32,
    /// What is called.
    pub mode: Mode,
    /// When it started.
    pub started_at: Millis,
    /// When it must be over.
    pub deadline: Millis,
}

/// In `out_by`: the site is in.
pub(crate) const IN: u32 = u32::MAX;
/// In `out_by`: an operator took the site out.
pub(crate) const BY_OPERATOR: u32 = u32::MAX - 1;

/// What is kept of a site.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SiteRow {
    /// Node that put it out, [`BY_OPERATOR`] or [`IN`].
    pub(crate) out_by: u32,
    /// Site steps that are not settled.
    pub(crate) open: u16,
    pub(crate) degraded: bool,
    /// A step of it will not run although it is in.
    pub(crate) cut_off: bool,
    /// How an operator took it out.
    pub(crate) taken: Option<TakeOut>,
    pub(crate) undo: SiteUndo,
    pub(crate) end: Option<SiteEnd>,
}

impl SiteRow {
    pub(crate) fn is_out(self) -> bool {
        self.out_by != IN
    }

    /// Whether it counts against its batch's budget: a person's decision does not.
    pub(crate) fn is_failure(self) -> bool {
        self.is_out() && self.out_by != BY_OPERATOR
    }
}

/// How far the undo of a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SiteUndo {
    /// Nothing of it is to be taken back.
    No,
    /// Its attempts in flight are waited for.
    Wanted,
    /// Its steps are taken back, the last first.
    Running,
    /// Everything was taken back.
    Clean,
    /// Something stays: a step without undo, or one whose undo was given up.
    Left,
}

/// What is kept of a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BatchRow {
    pub(crate) opened_at: Option<Millis>,
    pub(crate) settled_at: Option<Millis>,
    /// Sites that have not ended.
    pub(crate) open_sites: u32,
    /// Batch steps that are not settled.
    pub(crate) open_nodes: u32,
    /// Sites that are out.
    pub(crate) failures: u32,
    /// Whether its exceeded budget was acted upon.
    pub(crate) noted: bool,
    /// Whether its gate was opened.
    pub(crate) approved: bool,
}

/// A gate that waits for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    /// When it was asked.
    pub(crate) since: Millis,
    /// When it lapses; `Millis::MAX` once it has and the run is paused for it.
    pub(crate) due: Millis,
    /// Who has approved.
    pub(crate) by: Vec<Box<str>>,
}

/// How far a taking back is, step by step of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unwind {
    /// Units that are still to be taken back, per step.
    pub(crate) pending: Vec<u32>,
    /// Whether those of the step were let go.
    pub(crate) released: Vec<bool>,
}
