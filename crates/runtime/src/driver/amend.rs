//! An amendment on its way: it waits until every group is durable, and what is in flight follows by name.

use std::collections::{BTreeMap, VecDeque};

use engine::{Carry, Plan, Run, UnitIx};

use crate::driver::equip::{Equip, Equipment};
use crate::driver::launch::Launcher;
use crate::driver::request::Request;

/// Amendments that wait, and where attempts in flight lay before those that came.
#[derive(Default)]
pub(super) struct Amendments {
    waiting: VecDeque<(u64, Request)>,
    moved: Vec<BTreeMap<UnitIx, UnitIx>>,
}

impl Amendments {
    /// Keeps an amendment until nothing is on its way to the journal: starts in a group are numbered by the old plan.
    pub(super) fn push(&mut self, id: u64, request: Request) {
        self.waiting.push_back((id, request));
    }

    pub(super) fn pop(&mut self) -> Option<(u64, Request)> {
        self.waiting.pop_front()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Number of amendments so far; an attempt that is launched now is numbered by the plan after them.
    pub(super) fn count(&self) -> usize {
        self.moved.len()
    }

    /// Notes where attempts in flight lie after an amendment.
    pub(super) fn came(&mut self, before: &Run, after: &Run) {
        let carry = Carry::new(before.plan(), after.plan());
        let moved = before.pending().filter_map(|pending| {
            let unit = carry.unit(pending.unit, |unit| before.unit_at(unit), |node| after.units_of(node))?;
            Some((pending.unit, unit))
        });
        self.moved.push(moved.collect());
    }

    /// The number now of a unit that was launched after so many amendments.
    pub(super) fn now(&self, unit: UnitIx, launched: usize) -> Option<UnitIx> {
        let later = self.moved.get(launched..).unwrap_or_default();
        later.iter().try_fold(unit, |unit, moved| moved.get(&unit).copied())
    }
}

/// Equips the plan of an amendment, or says why it cannot be executed here.
pub(super) fn equipped(bytes: &[u8], launcher: &Launcher, equip: &dyn Equip) -> Result<Equipment, String> {
    let plan = Plan::decode(bytes).map_err(|error| error.to_string())?;
    if let Some(uses) = launcher.missing(&plan) {
        return Err(format!("the process that drives the run has no action {uses}"));
    }
    equip.equip(&plan)
}
