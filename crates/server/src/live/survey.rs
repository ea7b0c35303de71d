//! Nodes and sites of a run, counted: the cost is that of its plan, whatever its history.

use engine::{BatchIx, KeyIx, NodeIx, NodeState, PoolIx, Run, SiteEnd, SiteIx, Status};

use crate::live::snapshot::{Batch, Pool, Sites, Step};

/// Counts sites by state, each in the state that lists of sites give it.
pub(super) fn sites(run: &Run) -> Sites {
    let left_out = u32::try_from(run.plan().spec().extras.excluded.len()).unwrap_or(u32::MAX);
    let given = run.plan().site_count().saturating_add(left_out);
    let mut sites = Sites { given, excluded: left_out, ..Sites::default() };
    for site in (0..run.plan().site_count()).map(SiteIx) {
        let count = match report::site_state(run, site) {
            "returned" => &mut sites.returned,
            "degraded" => &mut sites.degraded,
            "quarantined" => &mut sites.quarantined,
            "undone" => &mut sites.undone,
            "undoing" => {
                sites.undone += 1;
                &mut sites.undoing
            }
            "excluded" => &mut sites.excluded,
            "released" => &mut sites.released,
            "restoring" => &mut sites.under_way,
            _ => &mut sites.waiting,
        };
        *count += 1;
    }
    sites
}

/// Sites that ended as given, at most `limit` of them, and how many there are in all.
pub(crate) fn ended_as(run: &Run, end: SiteEnd, limit: usize) -> (Vec<SiteIx>, usize) {
    let mut found = Vec::new();
    let mut count = 0;
    for site in (0..run.plan().site_count()).map(SiteIx).filter(|&site| run.site_end(site) == Some(end)) {
        count += 1;
        if found.len() < limit {
            found.push(site);
        }
    }
    (found, count)
}

/// Counts the nodes of each step by state.
pub(super) fn steps(run: &Run) -> Vec<Step> {
    let plan = run.plan();
    let name = |step| Step { name: report::plain(&plan.step(step).name), ..Step::default() };
    let mut steps: Vec<Step> = plan.steps().map(name).collect();
    for (step, ix) in steps.iter_mut().zip(plan.steps()) {
        // The nodes of a step lie side by side.
        let first = plan.node(ix, KeyIx(0)).0;
        let nodes = first..first + plan.key_count(plan.step(ix).scope);
        for node in nodes.map(NodeIx) {
            let count = match run.node_state(node) {
                NodeState::Waiting | NodeState::Undecided | NodeState::Active => &mut step.waiting,
                NodeState::Succeeded => &mut step.done,
                NodeState::Skipped | NodeState::Cancelled => &mut step.not_run,
                NodeState::Degraded => &mut step.degraded,
                NodeState::Failed => &mut step.failed,
                NodeState::Undoing | NodeState::Undone => &mut step.undone,
            };
            *count += 1;
        }
    }
    // Several units of one node lie side by side, so each node counts once.
    let mut last = None;
    for pending in run.pending() {
        let Some((node, _)) = run.unit_at(pending.unit) else { continue };
        if last.replace(node) == Some(node) || run.node_state(node).is_settled() {
            continue;
        }
        if let Some(step) = steps.get_mut(plan.node_at(node).0.ix()) {
            step.running += 1;
            step.waiting = step.waiting.saturating_sub(1);
        }
    }
    steps
}

/// Counts the sites of each batch that have ended.
pub(super) fn batches(run: &Run) -> Vec<Batch> {
    let plan = run.plan();
    let over = matches!(run.status(), Status::Ended(_));
    let mut settled_before = true;
    let mut list = Vec::new();
    for ix in (0..plan.batch_count()).map(|ix| BatchIx::from(ix as usize)) {
        let sites = plan.batch_sites(ix);
        let (opened, settled) = run.batch_times(ix);
        let state = match (opened, settled) {
            (_, Some(_)) => "settled",
            (Some(_), None) if over => "cut short",
            (Some(_), None) => "open",
            (None, None) if over => "never opened",
            (None, None) if run.request(engine::Gate::Batch(ix)).is_some() => "approval",
            (None, None) if settled_before && ix.ix() > 0 => "soaks",
            (None, None) => "waits",
        };
        settled_before = settled.is_some();
        let ended = sites.clone().filter(|&site| run.site_end(SiteIx(site)).is_some()).count();
        list.push(Batch {
            number: u32::from(ix.0) + 1,
            state,
            sites: u32::try_from(sites.len()).unwrap_or(u32::MAX),
            ended: u32::try_from(ended).unwrap_or(u32::MAX),
            out: run.batch_failures(ix),
            budget: plan.spec().batches.max_failures.get(ix.ix()).copied().unwrap_or(0),
        });
    }
    list
}

/// Adds the instances of each pool up.
pub(super) fn pools(run: &Run) -> Vec<Pool> {
    let named = run.plan().spec().pools.iter();
    let mut pools: Vec<Pool> =
        named.map(|pool| Pool { name: report::plain(&pool.name), slots: Some(0), ..Pool::default() }).collect();
    for (usage, waiting) in run.pools().into_iter().zip(run.held_back()) {
        let PoolIx(ix) = usage.pool;
        let Some(pool) = pools.get_mut(usize::from(ix)) else { continue };
        pool.instances += 1;
        pool.used = pool.used.saturating_add(usage.used);
        pool.waiting = pool.waiting.saturating_add(waiting);
        if usage.slots == u32::MAX {
            pool.slots = None;
        } else {
            pool.slots = pool.slots.map(|slots| slots.saturating_add(usage.slots));
            pool.full += u32::from(usage.used >= usage.slots);
        }
    }
    pools
}
