//! How a run stands, as data for programs: sites by state, open approvals, pools.

use engine::{Run, Scope, UnitIx};
use serde::Serialize;

use crate::duration::stamp;
use crate::fold::missing;
use crate::report::{SiteTally, site_tally};
use crate::typed::gate_word;

/// How a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// Sites by state, those that the plan leaves out among them.
    pub sites_by_state: SiteTally,
    /// Gates that wait for people.
    pub approvals: Vec<OpenApproval>,
    /// Pool instances of which something is in use, and all of pools that have one instance.
    pub pools: Vec<PoolStanding>,
    /// Units that wait for an operator.
    pub for_operator: Vec<String>,
}

/// A gate that waits for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OpenApproval {
    /// Its name, as `approve` takes it.
    pub gate: String,
    /// Groups of which an approver must be a member.
    pub from: Vec<String>,
    /// Who has approved.
    pub approved_by: Vec<String>,
    /// Approvers still missing.
    pub missing: usize,
    /// When it lapses; `null` while it has, and the run is paused for it.
    pub due: Option<String>,
}

/// An instance of a pool.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PoolStanding {
    /// Name of the pool.
    pub pool: String,
    /// Key of the instance; `null` for a pool of one instance.
    pub key: Option<String>,
    /// Slots in use by this run.
    pub used: u32,
    /// Slots that this run may use; `null` without a limit.
    pub slots: Option<u32>,
    /// Runs that share it; `null` for a pool of this run alone.
    pub sharers: Option<u32>,
}

/// Says how a run stands. Costs time in proportion to its sites.
#[must_use]
pub fn standing(run: &Run) -> Standing {
    let plan = run.plan();
    let approvals = run.requests().map(|request| OpenApproval {
        gate: gate_word(run, request.gate),
        from: request.approval.from.clone(),
        approved_by: request.approved_by.iter().map(ToString::to_string).collect(),
        missing: missing(&request),
        due: request.due.map(stamp),
    });
    let pools = run.pools().into_iter().filter_map(|usage| {
        let spec = plan.spec().pools.get(usage.pool.ix())?;
        let per = spec.per.filter(|&per| per != Scope::Run);
        let state = run.pool_state(usage.pool, usage.key)?;
        (usage.used > 0 || per.is_none()).then(|| PoolStanding {
            pool: spec.name.clone(),
            key: per.map(|per| plan.key_name(per, usage.key)),
            used: state.used,
            slots: state.slots,
            sharers: state.share.map(|share| share.runs),
        })
    });
    Standing {
        sites_by_state: site_tally(run),
        approvals: approvals.collect(),
        pools: pools.collect(),
        for_operator: run.for_operator().map(|unit: UnitIx| run.unit_name(unit)).collect(),
    }
}
