//! Puts the report together.

use engine::{Millis, RunEnd, SiteEnd, SiteIx, Status};

use crate::duration::{count, seconds, stamp};
use crate::fold::Fold;
use crate::report::kinds::{Objective, Verdict};
use crate::report::rows::{Evidence, SiteTally, UnitTally};
use crate::report::spread::{narrow, objective};
use crate::report::{REPORT_FORMAT, Report, exceptions, rows_of};

/// Points of the curve of returned sites at most.
const CURVE: usize = 240;

pub(crate) fn build(fold: &Fold, now: Millis) -> Report {
    let (run, plan) = (fold.run(), fold.plan());
    let origin = &plan.spec().origin;
    let as_of = fold.ended_at.unwrap_or_else(|| now.max(run.now()));
    let status = run.status();
    let end = match status {
        Status::Ended(end) => Some(end),
        _ => None,
    };
    let sites_by_state = rows_of::tally(run);
    let verdict = verdict(&status, sites_by_state);
    let wall = fold.since_opening(as_of);
    let steps = rows_of::steps(fold);
    let mut units = UnitTally::default();
    for step in &steps {
        units.add(step.units);
    }
    let losses = rows_of::data_losses(fold);
    let exceptions = exceptions::exceptions(fold, end);
    let waiting_for_operator = exceptions::waiting_for_operator(run);
    Report {
        format: REPORT_FORMAT,
        run: fold.name().to_owned(),
        runbook: origin.runbook.clone(),
        runbook_file: origin.runbook_file.clone(),
        sites_file: origin.sites_file.clone(),
        estate: origin.estate.clone(),
        plan: plan.hash().to_owned(),
        verdict,
        headline: headline(verdict, sites_by_state, units, waiting_for_operator.len()),
        paused: match &status {
            Status::Paused { actor, reason } => Some(format!("{actor}: {reason}")),
            _ => None,
        },
        opened_by: fold.opened_by.clone(),
        opened: run.opened_at().map(stamp),
        ended: fold.ended_at.map(stamp),
        as_of: stamp(as_of),
        wall_s: seconds(wall),
        paused_s: seconds(fold.paused_until(as_of)),
        gap_s: seconds(fold.down_ms),
        sites_by_state,
        units,
        attempts: steps.iter().map(|step| step.attempts).sum(),
        retries: steps.iter().map(|step| step.retries).sum(),
        interrupted: steps.iter().map(|step| step.interrupted).sum(),
        rulings: fold.rulings,
        returned_then_out: fold.fallen.iter().map(|&site| plan.spec().sites.id(site).to_owned()).collect(),
        rto: rto(fold, sites_by_state, wall, verdict),
        rpo: rpo(fold, &losses),
        forecast: crate::forecast::rest(fold, as_of),
        batches: rows_of::batches(fold, as_of),
        pools: rows_of::pools(fold, wall),
        causes: exceptions::causes(&exceptions),
        exceptions,
        shared_failures: exceptions::shared_failures(run),
        waiting_for_operator,
        resumes: fold.resumes.clone(),
        timeline: fold.moments.clone(),
        timeline_dropped: fold.moments_dropped,
        returned_over_time: curve(fold),
        sites: rows_of::sites(fold, &losses),
        evidence: Evidence {
            plan: plan.hash().to_owned(),
            records: fold.records,
            epoch: run.epoch(),
            newest_record: run.opened_at().map(|_| stamp(run.now())),
            made_by: concat!("reinstate ", env!("CARGO_PKG_VERSION")),
        },
        steps,
    }
}

/// The run's own end, held against the counts: a success that they do not bear out is not called one.
fn verdict(status: &Status, sites: SiteTally) -> Verdict {
    match status {
        Status::New => Verdict::New,
        Status::Running | Status::Closing => Verdict::Running,
        Status::Paused { .. } => Verdict::Paused,
        Status::Aborting => Verdict::Aborting,
        Status::Cancelling | Status::Unwinding => Verdict::Cancelling,
        Status::Ended(RunEnd::Succeeded) if sites.returned == sites.given => Verdict::Succeeded,
        Status::Ended(RunEnd::Succeeded | RunEnd::SucceededWithExceptions) => Verdict::SucceededWithExceptions,
        Status::Ended(RunEnd::Failed) => Verdict::Failed,
        Status::Ended(RunEnd::Cancelled) => Verdict::Cancelled,
    }
}

fn headline(verdict: Verdict, sites: SiteTally, units: UnitTally, for_operator: usize) -> String {
    let of = format!("{} of {} returned", sites.returned, count(u64::from(sites.given), "site", "sites"));
    let mut parts = vec![of];
    let mut part = |number: u32, what: &str| {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    };
    part(sites.degraded, "degraded");
    part(sites.quarantined, "quarantined");
    part(sites.undone, "undone");
    part(sites.excluded, "excluded");
    let over = verdict.is_over();
    part(sites.restoring, if over { "left unfinished" } else { "under way" });
    part(sites.waiting, if over { "never started" } else { "waiting" });
    if over && units.failed > 0 && sites.quarantined == 0 {
        parts.push(count(units.failed, "unit failed", "units failed"));
    }
    if for_operator > 0 {
        let number = u64::try_from(for_operator).unwrap_or(u64::MAX);
        parts.push(count(number, "unit waits for an operator", "units wait for an operator"));
    }
    let mut words = verdict.words().to_owned();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    format!("{words}: {}", parts.join(", "))
}

fn rto(fold: &Fold, sites: SiteTally, wall: i64, verdict: Verdict) -> Objective {
    let (run, plan) = (fold.run(), fold.plan());
    let measured = (0..plan.site_count())
        .map(SiteIx)
        .filter(|&site| run.site_end(site) == Some(SiteEnd::Returned))
        .filter_map(|site| fold.back_at.get(site.ix()).map(i64::from))
        .collect();
    let limit = plan.spec().objectives.rto_ms;
    let mut rto = objective(measured, limit);
    if let Some(limit) = limit {
        let late = wall > i64::try_from(limit).unwrap_or(i64::MAX) || verdict.is_over();
        let out = sites.quarantined + sites.undone + sites.excluded + sites.degraded;
        rto.missing = out + if late { sites.restoring + sites.waiting } else { 0 };
        rto.met = if rto.beyond > 0 || rto.missing > 0 {
            Some(false)
        } else {
            (sites.returned == sites.given).then_some(true)
        };
    }
    rto
}

fn rpo(fold: &Fold, losses: &[Option<i64>]) -> Objective {
    let limit = fold.plan().spec().objectives.rpo_ms;
    let mut rpo = objective(losses.iter().copied().flatten().collect(), limit);
    if limit.is_some() && rpo.measured > 0 {
        let all = rpo.measured == narrow(losses.len());
        rpo.met = if rpo.beyond > 0 { Some(false) } else { all.then_some(true) };
    }
    rpo
}

/// Sites that were back over time, thinned out evenly, the last point always kept.
fn curve(fold: &Fold) -> Vec<(f64, u32)> {
    let sites = fold.plan().site_count() as usize;
    let mut times: Vec<u32> = (0..sites).filter_map(|site| fold.back_at.get(site)).collect();
    times.sort_unstable();
    let stride = times.len().div_ceil(CURVE).max(1);
    let last = times.len().saturating_sub(1);
    times
        .iter()
        .enumerate()
        .filter(|(ix, _)| ix % stride == 0 || *ix == last)
        .map(|(ix, &ms)| (seconds(i64::from(ms)), narrow(ix + 1)))
        .collect()
}
