//! Tables of a report: batches, steps, pools, sites.

use engine::{
    BatchIx, Column, GroupIx, KeyIx, Millis, NodeState, PoolIx, Run, Scope, SiteEnd, SiteIx, StepIx, UnitIx, UnitState,
    Values, Work,
};

use crate::duration::{seconds, stamp};
use crate::fold::{Asks, Fold, asks};
use crate::report::exceptions::place;
use crate::report::rows::{BatchReport, PoolReport, SiteReport, SiteTally, StepReport, UndoReport, UnitTally};
use crate::report::spread::narrow;

/// Name of a scope for people.
pub(crate) fn scope_name(plan: &engine::Plan, scope: Scope) -> String {
    match scope {
        Scope::Run => "run".to_owned(),
        Scope::Batch => "batch".to_owned(),
        Scope::Site => "site".to_owned(),
        Scope::Group(GroupIx(group)) => {
            plan.spec().groups.get(usize::from(group)).map(|group| group.name.clone()).unwrap_or_default()
        }
    }
}

/// State of a site in a word, as `sites` has it: `returned`, `degraded`, `quarantined`, `undone`, `excluded`, `released`,
/// `undoing`, `restoring` or `waiting`.
#[must_use]
pub fn site_state(run: &Run, site: SiteIx) -> &'static str {
    match run.site_end(site) {
        _ if run.is_undoing(site) => "undoing",
        Some(SiteEnd::Returned) => "returned",
        Some(SiteEnd::Degraded) => "degraded",
        Some(SiteEnd::Quarantined) => "quarantined",
        Some(SiteEnd::Undone) => "undone",
        Some(SiteEnd::Excluded) => "excluded",
        Some(SiteEnd::Released) => "released",
        None if run.batch_times(run.plan().batch_of(site)).0.is_some() => "restoring",
        None => "waiting",
    }
}

/// Sites by state, counted one by one.
pub(crate) fn tally(run: &Run) -> SiteTally {
    let excluded_by_plan = narrow(run.plan().spec().extras.excluded.len());
    let mut tally = SiteTally { excluded: excluded_by_plan, excluded_by_plan, ..SiteTally::default() };
    tally.given = run.plan().site_count() + excluded_by_plan;
    for site in (0..run.plan().site_count()).map(SiteIx) {
        let count = match run.site_end(site) {
            _ if run.is_undoing(site) => &mut tally.undoing,
            Some(SiteEnd::Returned) => &mut tally.returned,
            Some(SiteEnd::Degraded) => &mut tally.degraded,
            Some(SiteEnd::Quarantined) => &mut tally.quarantined,
            Some(SiteEnd::Undone) => &mut tally.undone,
            Some(SiteEnd::Excluded) => &mut tally.excluded,
            Some(SiteEnd::Released) => &mut tally.released,
            None if run.batch_times(run.plan().batch_of(site)).0.is_some() => &mut tally.restoring,
            None => &mut tally.waiting,
        };
        *count += 1;
    }
    tally
}

/// Batches, with the number of sites that are back in each.
pub(super) fn batches(fold: &Fold, now: Millis) -> Vec<BatchReport> {
    let (run, plan) = (fold.run(), fold.plan());
    (0..plan.batch_count())
        .map(|number| {
            let batch = BatchIx::from(number as usize);
            let sites = plan.batch_sites(batch);
            let (opened, settled) = run.batch_times(batch);
            let back = sites.clone().filter(|&site| back(run, SiteIx(site))).count();
            let wall = opened.map(|opened| settled.unwrap_or(now).saturating_sub(opened).max(0));
            let failures = run.batch_failures(batch);
            let budget = plan.spec().batches.max_failures.get(batch.ix()).copied().unwrap_or(0);
            BatchReport {
                number: number + 1,
                sites: sites.end - sites.start,
                opened: opened.map(stamp),
                settled: settled.map(stamp),
                opened_after_s: opened.map(|at| seconds(fold.since_opening(at))),
                wall_s: wall.map(seconds),
                back: narrow(back),
                sites_per_hour: wall.and_then(|wall| per_hour(back, wall)),
                failures,
                budget,
                over_budget: failures > budget,
            }
        })
        .collect()
}

fn back(run: &Run, site: SiteIx) -> bool {
    matches!(run.site_end(site), Some(SiteEnd::Returned | SiteEnd::Degraded))
}

fn per_hour(count: usize, wall_ms: i64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    (count > 0 && wall_ms > 0).then(|| (count as f64 * 3_600_000.0 / wall_ms as f64 * 10.0).round() / 10.0)
}

/// Units of a step by state.
pub(crate) fn units_of_step(run: &Run, step: StepIx) -> UnitTally {
    let plan = run.plan();
    let mut tally = UnitTally::default();
    for key in (0..plan.key_count(plan.step(step).scope)).map(KeyIx) {
        let node = plan.node(step, key);
        let of_node = run.node_state(node);
        let site = crate::fold::site_of(run, Some(node));
        let left = plan.step(step).undo.is_some() && site.is_some_and(|site| run.is_left(site));
        for unit in run.units_of(node) {
            tally.total += 1;
            let state = run.unit_state(UnitIx(unit)).unwrap_or(UnitState::Waiting);
            let undoing = !state.is_settled() && run.next_mode(UnitIx(unit)).is_undo();
            *match (state, of_node) {
                (UnitState::Parked | UnitState::Stuck, _) => &mut tally.for_operator,
                _ if undoing => &mut tally.undoing,
                (UnitState::Failed, _) if left && run.may_have_acted(UnitIx(unit)) => &mut tally.stays,
                // Units of a node that never became active say nothing by themselves.
                (UnitState::Waiting, NodeState::Skipped) => &mut tally.skipped,
                // What is or was taken back without this unit: nothing of it had acted.
                (UnitState::Waiting, NodeState::Cancelled | NodeState::Undoing | NodeState::Undone) => {
                    &mut tally.cancelled
                }
                (UnitState::Waiting, NodeState::Failed) => &mut tally.failed,
                (UnitState::Waiting, NodeState::Degraded) => &mut tally.degraded,
                (UnitState::Waiting, _) => &mut tally.waiting,
                (UnitState::Ready, _) => &mut tally.ready,
                (UnitState::Running, _) => &mut tally.running,
                (UnitState::Backoff, _) => &mut tally.backoff,
                (UnitState::Asked, _) => &mut tally.asked,
                (UnitState::Succeeded, _) => &mut tally.succeeded,
                (UnitState::Degraded, _) => &mut tally.degraded,
                (UnitState::Failed, _) => &mut tally.failed,
                (UnitState::Cancelled, _) => &mut tally.cancelled,
                (UnitState::Undone, _) => &mut tally.undone,
            } += 1;
        }
    }
    tally
}

/// Steps in the runbook's order.
pub(super) fn steps(fold: &Fold) -> Vec<StepReport> {
    let (run, plan) = (fold.run(), fold.plan());
    plan.steps()
        .zip(&fold.steps)
        .map(|(step, times)| {
            let spec = plan.step(step);
            let ms = |value: Option<u64>| value.map(|ms| seconds(i64::try_from(ms).unwrap_or(i64::MAX)));
            StepReport {
                name: spec.name.clone(),
                scope: scope_name(plan, spec.scope),
                uses: match &spec.work {
                    Work::Action(action) => action.uses.clone(),
                    Work::Approval(_) => "approval".to_owned(),
                },
                place: place(plan, step),
                needs: spec.needs.iter().map(|need| plan.step(need.step).name.clone()).collect(),
                units: units_of_step(run, step),
                attempts: times.attempts,
                retries: times.retries,
                interrupted: times.interrupted,
                in_doubt: times.doubtful,
                p50_s: ms(times.durations.percentile(50)),
                p95_s: ms(times.durations.percentile(95)),
                max_s: ms(times.durations.max()),
                wait_p50_s: ms(times.waits.percentile(50)),
                busy_s: seconds(i64::try_from(times.busy_ms).unwrap_or(i64::MAX)),
                finally: spec.finally,
                undo: spec.undo.as_ref().map(|undo| UndoReport {
                    uses: undo.uses.clone(),
                    attempts: times.undo.attempts,
                    refused: times.undo.refused,
                    in_doubt: times.undo.doubtful,
                    interrupted: times.undo.interrupted,
                    p50_s: ms(times.undo.durations.percentile(50)),
                    p95_s: ms(times.undo.durations.percentile(95)),
                    max_s: ms(times.undo.durations.max()),
                }),
            }
        })
        .collect()
}

/// Pools in the runbook's order. `wall_ms` is the time that there was.
pub(super) fn pools(fold: &Fold, wall_ms: i64) -> Vec<PoolReport> {
    let (run, plan) = (fold.run(), fold.plan());
    let usage = run.pools();
    plan.spec()
        .pools
        .iter()
        .enumerate()
        .map(|(ix, pool)| {
            let pool_ix = PoolIx::from(ix);
            let instances = pool.per.map_or(1, |per| plan.key_count(per));
            let held: u128 = plan
                .steps()
                .zip(&fold.steps)
                .map(|(step, times)| {
                    let uses = plan.step(step).pools.iter().find(|held| held.pool == pool_ix);
                    let busy = u128::from(times.busy_ms) + u128::from(times.undo.busy_ms);
                    uses.map_or(0, |held| u128::from(held.slots) * busy)
                })
                .sum();
            let sizes = fold.pool_sizes.get(&pool.name).map_or(&[][..], Vec::as_slice);
            let there = u128::from(instances) * slots_over_time(pool.slots.unwrap_or(0), sizes, wall_ms);
            #[expect(clippy::cast_precision_loss, reason = "a share for people")]
            let busy_share = (there > 0).then(|| (held as f64 / there as f64 * 1000.0).round() / 1000.0);
            PoolReport {
                name: pool.name.clone(),
                per: pool.per.map(|per| scope_name(plan, per)),
                instances,
                slots: sizes.last().map(|&(_, slots)| slots).or(pool.slots),
                shared: pool.shared,
                busy_share,
                in_use: usage.iter().filter(|usage| usage.pool == pool_ix).map(|usage| u64::from(usage.used)).sum(),
            }
        })
        .collect()
}

/// Slots times milliseconds of a pool that began with some slots and was set to others later.
fn slots_over_time(first: u32, sizes: &[(i64, u32)], wall_ms: i64) -> u128 {
    let mut sum = 0;
    let (mut since, mut slots) = (0, first);
    for &(at, next) in sizes.iter().chain(&[(wall_ms, 0)]) {
        sum += u128::from(slots) * u128::from(u64::try_from(at.saturating_sub(since)).unwrap_or(0));
        (since, slots) = (at, next);
    }
    sum
}

/// Milliseconds of data that each site lost: from its restore point to its deletion; `None` where either is unknown.
///
/// The deletion is the timestamp attribute `deleted_at`. Where a step of a group of the site asks for the point that
/// all of the group share (`restore_point`), the earliest counts: that is where some store of the site was brought back.
pub(super) fn data_losses(fold: &Fold) -> Vec<Option<i64>> {
    let plan = fold.plan();
    let spec = plan.spec();
    let sites = plan.site_count() as usize;
    let Some(Column { values: Values::Timestamp(deleted), .. }) = spec.sites.column("deleted_at") else {
        return vec![None; sites];
    };
    let asked = |scope: Scope| plan.steps().any(|step| plan.step(step).scope == scope && asks(plan, step) == Asks::Key);
    let groups = (0..spec.groups.len()).map(|group| Scope::Group(GroupIx::from(group)));
    let common: Vec<Scope> = groups.filter(|scope| asked(*scope)).collect();
    (0..sites)
        .map(|row| {
            let own = spec.sites.restore_points.get(row).copied();
            let site = SiteIx::from(row);
            let shared = common.iter().filter_map(|&scope| {
                plan.covering_key(Scope::Site, KeyIx(site.0), scope).and_then(|key| plan.restore_point(scope, key))
            });
            let point = own.into_iter().chain(shared).min()?;
            Some(deleted.get(row)?.saturating_sub(point))
        })
        .collect()
}

/// Every site: those of the plan in its order, then those that it leaves out, in the order of the list.
pub(super) fn sites(fold: &Fold, losses: &[Option<i64>]) -> Vec<SiteReport> {
    let (run, plan) = (fold.run(), fold.plan());
    let overruled = super::remains::overruled_steps(fold);
    let new_ids = fold.new_ids.by_site();
    let of_plan = (0..plan.site_count()).map(SiteIx).map(|site| {
        let taken = run.taken_out(site).and_then(|_| fold.people.taken.get(&site));
        let steps = overruled.get(&site).into_iter().flatten();
        SiteReport {
            id: plan.spec().sites.id(site).to_owned(),
            row: plan.spec().sites.source_rows.get(site.ix()).copied().unwrap_or(0),
            batch: Some(u32::from(plan.batch_of(site).0) + 1),
            state: site_state(run, site),
            back_after_s: fold.backs.back_at(run, site).map(|ms| seconds(i64::from(ms))),
            data_loss_s: losses.get(site.ix()).copied().flatten().map(seconds),
            out_by: taken.map(|(actor, _)| actor.to_string()),
            reason: taken.map(|(_, reason)| reason.to_string()),
            new_id: new_ids.get(&site).map(|id| (*id).to_owned()),
            adopted_from: run.adopted_from(site).map(str::to_owned),
            overruled: steps.map(|&step| plan.step(step).name.clone()).collect(),
        }
    });
    let left_out = plan.spec().extras.excluded.iter().map(|site| SiteReport {
        id: site.id.clone(),
        row: site.row,
        batch: None,
        state: "excluded",
        back_after_s: None,
        data_loss_s: None,
        out_by: Some("plan".to_owned()),
        reason: Some(site.reason.clone()),
        new_id: None,
        adopted_from: None,
        overruled: Vec::new(),
    });
    of_plan.chain(left_out).collect()
}
