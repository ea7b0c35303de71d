//! When sites came back, through everything that takes them back in or out again.

use std::collections::BTreeSet;

use engine::{Again, Event, Run, SiteEnd, SiteIx};

use crate::fold::times::Offsets;

/// When each site came back, and which were back before.
#[derive(Clone, Debug)]
pub(crate) struct Backs {
    at: Offsets,
    /// Sites that were back and are, or were, not any more, in the order in which that happened.
    lost: Vec<SiteIx>,
    known: BTreeSet<SiteIx>,
}

impl Backs {
    pub(super) fn new(sites: usize) -> Self {
        Self { at: Offsets::new(sites), lost: Vec::new(), known: BTreeSet::new() }
    }

    /// Milliseconds from the run's opening until a site was back, if it is.
    pub(crate) fn back_at(&self, run: &Run, site: SiteIx) -> Option<u32> {
        let back = matches!(run.site_end(site), Some(SiteEnd::Returned | SiteEnd::Degraded));
        self.at.get(site.ix()).filter(|_| back)
    }

    /// Whether a site was back once and then was not any more.
    pub(crate) fn was_back(&self, site: SiteIx) -> bool {
        self.known.contains(&site)
    }

    /// Sites that were back and are out now, in the order in which they fell.
    pub(crate) fn fallen<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = SiteIx> + 'a {
        let out = |end: SiteEnd| !matches!(end, SiteEnd::Returned | SiteEnd::Degraded);
        self.lost.iter().copied().filter(move |&site| run.is_undoing(site) || run.site_end(site).is_some_and(out))
    }

    /// Notes the end of a site. A good end after another good end keeps the time of the first.
    pub(super) fn ended(&mut self, site: SiteIx, end: SiteEnd, offset: i64) {
        match end {
            SiteEnd::Returned | SiteEnd::Degraded => self.at.set_first(site.ix(), offset),
            SiteEnd::Quarantined | SiteEnd::Undone | SiteEnd::Excluded | SiteEnd::Released => self.lose(site),
        }
    }

    /// Notes that a person had a site gone over again: what it was before does not count any more.
    pub(super) fn reopened(&mut self, run: &Run, event: &Event) {
        let site = match event {
            Event::Retried { what: Again::Site(site) | Again::From(site, _), .. }
            | Event::TakenOut { site, .. }
            | Event::SiteAdopted { site, .. } => *site,
            Event::Retried { what: Again::Unit(unit), .. } => match site_of(run, run.unit_at(*unit).map(|at| at.0)) {
                Some(site) => site,
                None => return,
            },
            Event::Overruled { node, .. } => match site_of(run, Some(*node)) {
                Some(site) => site,
                None => return,
            },
            _ => return,
        };
        if run.site_end(site).is_none() {
            self.lose(site);
        }
    }

    fn lose(&mut self, site: SiteIx) {
        if self.at.clear(site.ix()) && self.known.insert(site) {
            self.lost.push(site);
        }
    }
}

/// Site of a node of site scope.
pub(crate) fn site_of(run: &Run, node: Option<engine::NodeIx>) -> Option<SiteIx> {
    let (step, key) = run.plan().node_at(node?);
    (run.plan().step(step).scope == engine::Scope::Site).then_some(SiteIx(key.0))
}
