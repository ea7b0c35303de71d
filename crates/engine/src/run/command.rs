//! What a person may do, and when: every verb goes through here, and becomes one event.

use crate::event::{Again, Event, TakeOut};
use crate::input::{Command, Rejection};
use crate::run::approve::with_checks;
use crate::run::tables::{NodeState, UnitState};
use crate::run::{Halt, Run};

impl Run {
    /// Verbs that an ended run still takes: to try again, and to take back.
    pub(super) fn reopens(command: &Command) -> bool {
        matches!(
            command,
            Command::Retry { .. } | Command::TakeOut { how: TakeOut::Undo, .. } | Command::Cancel { undo: true }
        )
    }

    pub(super) fn command(&self, actor: Box<str>, reason: Box<str>, command: Command) -> Result<Vec<Event>, Rejection> {
        let not = |why: Option<&'static str>| why.map_or(Ok(()), |why| Err(Rejection::NotNow(why)));
        let event = match command {
            Command::Pause => {
                not(self.halt.is_some().then_some("the run is not running"))?;
                Event::Paused { actor, reason }
            }
            Command::Continue => {
                let paused = matches!(self.halt, Some(Halt::Paused { .. }));
                not((!paused).then_some("the run is not paused"))?;
                Event::Continued { actor, reason }
            }
            Command::Cancel { undo: false } => {
                not((self.is_ending() || self.closing.is_some()).then_some("the run is ending already"))?;
                Event::Cancelled { actor, reason }
            }
            Command::Cancel { undo: true } => {
                let busy = self.halt == Some(Halt::Unwinding) && self.end.is_none();
                not(busy.then_some("the run is being taken back already"))?;
                not((self.closing.is_some() && self.end.is_none()).then_some("the run is ending; do it when it has"))?;
                Event::Unwinding { actor, reason }
            }
            Command::Rule { unit, ruling } => {
                let row = self.units.get(unit.ix()).ok_or(Rejection::NoSuchUnit(unit.0))?;
                let listed = row.state.waits_for_operator();
                let doubtful = row.in_doubt() && matches!(row.state, UnitState::Ready | UnitState::Backoff);
                not((!listed && !doubtful).then_some("the unit does not wait for a ruling"))?;
                let asked = self.plan.action(self.step_key(unit).0).is_none();
                not((asked && ruling == crate::event::Ruling::Done)
                    .then_some("an approval is approved or rejected, not ruled done"))?;
                Event::Ruled { unit, ruling, actor, reason }
            }
            Command::Approve { gate, checked } => {
                self.may_approve(gate, &actor)?;
                self.is_checked(gate, &checked)?;
                let reason = with_checks(reason, self.checklist(gate));
                Event::Approved { gate, actor, reason }
            }
            Command::Reject { gate } => {
                self.may_decide(gate, &actor)?;
                Event::Rejected { gate, actor, reason }
            }
            Command::Retry { what } => {
                self.may_retry(what)?;
                Event::Retried { what, actor, reason }
            }
            Command::Overrule { node, item, how } => {
                not(self.why_no_decree(node, item, &how))?;
                let undoing = self.nodes[node.ix()].state == NodeState::Undoing;
                let last = self.closing.is_some() && self.plan.step(self.plan.node_at(node).0).finally;
                let ending = self.is_ending() || self.closing.is_some();
                not((ending && !undoing && !last).then_some("the run is ending already"))?;
                Event::Overruled { node, item, how, actor, reason }
            }
            Command::TakeOut { site, how } => {
                not((site.ix() >= self.sites.len()).then_some("there is no such site"))?;
                let ending = self.end.is_none() && (self.is_ending() || self.closing.is_some());
                not(ending.then_some("the run is ending already"))?;
                not(self.why_no_take_out(site, how))?;
                Event::TakenOut { site, how, actor, reason }
            }
            Command::Adopt { site, from, units } => {
                let row = *self.sites.get(site.ix()).ok_or(Rejection::NotInPlan("the site"))?;
                not((self.is_ending() || self.closing.is_some()).then_some("the run is ending already"))?;
                let free = matches!(row.taken, Some(TakeOut::Exclude | TakeOut::Release)) && row.end.is_some();
                not((!free).then_some("only a site that this run has excluded or released can be adopted"))?;
                let busy = self.is_at_work_after(Again::Site(site));
                not(busy.then_some("a shared step is at work; adopt when it has settled"))?;
                not(self.why_no_adoption(site, &units))?;
                Event::SiteAdopted { site, from: from.into(), units, actor, reason }
            }
            Command::SetPool { pool, slots } => {
                let spec = self.plan.spec().pools.get(pool.ix()).ok_or(Rejection::NotInPlan("the pool"))?;
                not((spec.slots.is_none()).then_some("the pool has a rate only, no slots"))?;
                let largest = self.plan.largest_use(pool).max(1);
                not((slots < largest).then_some("a step takes more slots at once than that"))?;
                Event::PoolSet { pool, slots, actor, reason }
            }
            Command::Amend { plan } => {
                self.may_amend(&plan, &actor)?;
                Event::Amended { plan, actor, reason }
            }
        };
        Ok(vec![event])
    }

    fn may_retry(&self, what: Again) -> Result<(), Rejection> {
        let not = |why: Option<&'static str>| why.map_or(Ok(()), |why| Err(Rejection::NotNow(why)));
        if self.end.is_some() {
            not(self
                .is_ending()
                .then_some("the run was cancelled or aborted; start a new one, which can adopt its sites"))?;
        } else {
            let ending = self.is_ending() || self.closing.is_some();
            let undoing =
                matches!(what, Again::Unit(unit) if self.units.get(unit.ix()).is_some_and(|row| row.is_undoing()));
            not((ending && !undoing).then_some("the run is ending; retry when it has"))?;
        }
        match what {
            Again::Unit(unit) => {
                let row = *self.units.get(unit.ix()).ok_or(Rejection::NoSuchUnit(unit.0))?;
                let (node, _) = self.unit_at(unit).ok_or(Rejection::NoSuchUnit(unit.0))?;
                match row.state {
                    UnitState::Stuck if self.goes_on(unit) => return Ok(()),
                    UnitState::Stuck => {}
                    UnitState::Parked => not(Some("it is not known whether it acted; `resolve` it first"))?,
                    UnitState::Failed | UnitState::Degraded | UnitState::Cancelled => {}
                    _ => not(Some("the unit has not failed"))?,
                }
                let finally = self.plan.step(self.plan.node_at(node).0).finally;
                not(finally.then_some("`finally` runs again when the run ends again"))?;
                if let Some(site) = self.site_of(node) {
                    not(self.why_not_again(site))?;
                }
            }
            Again::Site(site) => {
                not((site.ix() >= self.sites.len()).then_some("there is no such site"))?;
                not(self.why_not_again(site))?;
            }
            Again::From(site, step) => {
                let known = site.ix() < self.sites.len() && step.ix() < self.plan.spec().steps.len();
                not((!known).then_some("there is no such site or step"))?;
                let spec = self.plan.step(step);
                let own = spec.scope == crate::plan::Scope::Site && !spec.finally;
                not((!own).then_some("only a step of the site itself can be gone back to"))?;
                not(self.why_not_from(site))?;
            }
            Again::Quarantined => {
                let any = self.sites.iter().any(|row| row.is_out() && row.taken.is_none());
                not((!any).then_some("no site is quarantined"))?;
                let busy = self.sites.iter().enumerate().any(|(ix, row)| {
                    row.is_out() && row.taken.is_none() && self.why_not_again(crate::ids::SiteIx::from(ix)).is_some()
                });
                not(busy.then_some("attempts of quarantined sites are still in flight; retry when they have landed"))?;
            }
        }
        let busy = self.is_at_work_after(what);
        not(busy.then_some("an attempt of it, or of a step after it, is in flight; retry when that has landed"))
    }

    /// Why the own steps of a site cannot be gone back to: something of it is in flight, or it is being taken back.
    fn why_not_from(&self, site: crate::ids::SiteIx) -> Option<&'static str> {
        let busy = self
            .nodes_of_site(site)
            .iter()
            .any(|&node| self.units_of(node).any(|unit| self.units[unit as usize].state == UnitState::Running));
        if busy {
            return Some("an attempt of the site is in flight; pause, and retry when it has landed");
        }
        match self.why_not_again(site) {
            Some("nothing of the site has failed") => None,
            other => other,
        }
    }

    /// Why units cannot be taken over with a site.
    pub(super) fn why_no_adoption(
        &self,
        site: crate::ids::SiteIx,
        units: &[(crate::ids::UnitIx, u32)],
    ) -> Option<&'static str> {
        let foreign = units.iter().any(|&(unit, _)| {
            self.unit_at(unit).and_then(|(node, _)| self.site_of(node)) != Some(site)
                || self.plan.action(self.step_key(unit).0).is_none()
        });
        foreign.then_some("a unit belongs to another site")
    }
}
