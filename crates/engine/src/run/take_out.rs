//! A person takes a site out of the run.

use crate::event::{SiteEnd, TakeOut};
use crate::ids::SiteIx;
use crate::run::Run;
use crate::run::tables::{BY_OPERATOR, SiteUndo, UnitState};

impl Run {
    /// Why a site cannot be taken out like this, if so.
    pub(super) fn why_no_take_out(&self, site: SiteIx, how: TakeOut) -> Option<&'static str> {
        let row = self.sites[site.ix()];
        let undoing = matches!(row.undo, SiteUndo::Wanted | SiteUndo::Running);
        let nodes = self.nodes_of_site(site);
        let units = || nodes.iter().flat_map(|&node| self.units_of(node)).map(|unit| self.units[unit as usize]);
        let back = matches!(row.end, Some(SiteEnd::Returned | SiteEnd::Degraded));
        match how {
            _ if undoing => Some("the site is being taken back already"),
            TakeOut::Undo if matches!(row.taken, Some(TakeOut::Exclude | TakeOut::Release)) => {
                Some("this run has nothing to take back of the site")
            }
            TakeOut::Undo if !units().any(|unit| unit.may_have_acted() || unit.state == UnitState::Running) => {
                Some("nothing of the site has acted, so there is nothing to take back")
            }
            TakeOut::Undo => None,
            _ if self.end.is_some() => Some("the run has ended"),
            TakeOut::Quarantine if row.is_out() => Some("the site is out already"),
            TakeOut::Quarantine if back => Some("the site is back; `undo` takes it back, with all that was done"),
            TakeOut::Exclude if row.is_out() || back => Some("the site has ended already"),
            TakeOut::Exclude if units().any(|unit| unit.attempts > 0) => {
                Some("the site has begun: quarantine, release or undo it")
            }
            TakeOut::Release if back => Some("the site is back, so there is nothing for another run to do"),
            TakeOut::Release if row.taken.is_some_and(|taken| taken != TakeOut::Quarantine) => {
                Some("the site is out already")
            }
            TakeOut::Release if units().any(|unit| unit.state == UnitState::Running) => {
                Some("an attempt of the site is in flight; quarantine it, and release it when that has landed")
            }
            TakeOut::Quarantine | TakeOut::Exclude | TakeOut::Release => None,
        }
    }

    /// Takes a site out.
    pub(super) fn take_out(&mut self, site: SiteIx, how: TakeOut) {
        if how == TakeOut::Undo {
            self.reopen();
            self.reopen_site(site);
            self.sites[site.ix()].undo = SiteUndo::Wanted;
        }
        self.sites[site.ix()].taken = Some(how);
        self.out_site(site, BY_OPERATOR);
        if how == TakeOut::Undo {
            self.sites[site.ix()].undo = SiteUndo::No;
            self.want_undo(site);
        } else {
            for node in self.nodes_of_site(site) {
                // What waits for its probe is not asked for any more: another run, or nobody, will.
                if how == TakeOut::Release {
                    self.drop_rest(node);
                }
            }
            self.close_if_done(site);
        }
    }
}
