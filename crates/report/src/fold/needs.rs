//! Who waits for whom and for which batch, as far as timings need it.

use engine::{BatchIx, KeyIx, Plan, Scope, SiteIx};

/// Says of each step whether its nodes wait for their batch, or, of a `finally` step, for everything else; one that needs
/// a step of its own scope is held by that.
pub(crate) fn gated(plan: &Plan) -> Vec<bool> {
    let steps = &plan.spec().steps;
    steps
        .iter()
        .map(|step| {
            let held = step.needs.iter().map(|need| &steps[need.step.ix()]);
            (step.finally || !step.front_load)
                && !held.clone().any(|needed| needed.scope == step.scope && !needed.front_load)
        })
        .collect()
}

/// Batch that a key of a scope waits for: the first of its sites' batches.
pub(crate) fn gate_of(plan: &Plan, scope: Scope, key: KeyIx) -> BatchIx {
    match scope {
        Scope::Run => BatchIx(0),
        Scope::Batch => BatchIx::from(key.ix()),
        Scope::Site => plan.batch_of(SiteIx(key.0)),
        Scope::Group(_) => plan.sites_of(scope, key).next().map_or(BatchIx(0), |site| plan.batch_of(site)),
    }
}

/// Calls for each key of `to` that shares a site with a key of `from`; a key may come more than once.
pub(crate) fn each_shared(plan: &Plan, from: Scope, key: KeyIx, to: Scope, mut call: impl FnMut(KeyIx)) {
    if let Some(key) = plan.covering_key(from, key, to) {
        call(key);
        return;
    }
    let mut last = None;
    for site in plan.sites_of(from, key) {
        let key = plan.covering_key(Scope::Site, KeyIx(site.0), to);
        if let Some(key) = key.filter(|_| key != last) {
            call(key);
        }
        last = key;
    }
}
