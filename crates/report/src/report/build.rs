//! Puts the report together.

use engine::{Millis, RunEnd, SiteEnd, SiteIx, Status};

use crate::duration::{count, seconds, stamp};
use crate::fold::Fold;
use crate::report::kinds::{Objective, Verdict};
use crate::report::rows::{Evidence, SiteTally, UnitTally};
use crate::report::spread::{narrow, objective};
use crate::report::{REPORT_FORMAT, Report, approvals, exceptions, remains, rows_of};

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
    let audit = crate::report::audit(fold);
    let differing = audit.as_ref().map_or(0, |audit| audit.differing as usize);
    let verdict = match verdict(&status, sites_by_state) {
        Verdict::Succeeded if differing > 0 => Verdict::SucceededWithExceptions,
        verdict => verdict,
    };
    let wall = fold.since_opening(as_of);
    let steps = rows_of::steps(fold);
    let mut units = UnitTally::default();
    for step in &steps {
        units.add(step.units);
    }
    let losses = rows_of::data_losses(fold);
    let exceptions = exceptions::exceptions(fold, end);
    let waiting_for_operator: Vec<_> = exceptions::waiting_for_operator(run).collect();
    let finally_failures = exceptions::finally_failures(fold);
    let approvals = approvals::approvals(fold);
    let overruled = remains::overruled(fold);
    let words = Words {
        failed: if units.failed > 0 && sites_by_state.quarantined == 0 { failed_work(&steps) } else { 0 },
        finally: finally_failures.len(),
        overruled: overruled.len(),
        approvals: approvals.iter().filter(|gate| gate.missing > 0).count(),
        for_operator: waiting_for_operator.len(),
        differing,
    };
    Report {
        format: REPORT_FORMAT,
        run: fold.name().to_owned(),
        runbook: origin.runbook.clone(),
        runbook_file: origin.runbook_file.clone(),
        sites_file: origin.sites_file.clone(),
        estate: origin.estate.clone(),
        plan: plan.hash().to_owned(),
        verdict,
        headline: headline(verdict, sites_by_state, &words),
        paused: match &status {
            Status::Paused { actor, reason } => Some(format!("{actor}: {reason}")),
            _ => None,
        },
        opened_by: fold.opened_by.clone(),
        uncertified: fold.plan().spec().extras.uncertified.clone(),
        opened: run.opened_at().map(stamp),
        ended: fold.ended_at.map(stamp),
        as_of: stamp(as_of),
        wall_s: seconds(wall),
        paused_s: seconds(fold.paused_until(as_of)),
        gap_s: seconds(fold.down_ms),
        reopened: fold.reopened,
        over_s: seconds(fold.over_ms),
        lower_bound_s: None,
        drivers: fold.drivers.clone(),
        sites_by_state,
        units,
        attempts: total(fold, |times| times.attempts),
        retries: total(fold, |times| times.retries),
        interrupted: total(fold, |times| times.interrupted + times.undo.interrupted),
        undo_attempts: total(fold, |times| times.undo.attempts),
        rulings: fold.rulings,
        returned_then_out: fold.backs.fallen(run).map(|site| plan.spec().sites.id(site).to_owned()).collect(),
        rto: rto(fold, sites_by_state, wall, verdict),
        rpo: rpo(fold, &losses),
        forecast: crate::forecast::rest(fold, as_of),
        batches: rows_of::batches(fold, as_of),
        pools: rows_of::pools(fold, wall),
        causes: exceptions::causes(&exceptions),
        exceptions,
        shared_failures: exceptions::shared_failures(fold),
        finally_failures,
        overruled,
        approvals,
        by_people: fold.acts.clone(),
        by_people_dropped: fold.acts_dropped,
        remains: remains::remains(fold),
        no_return: remains::no_return(fold),
        waiting_for_operator,
        resumes: fold.resumes.clone(),
        timeline: fold.moments.clone(),
        timeline_dropped: fold.moments_dropped,
        returned_over_time: curve(fold),
        sites: rows_of::sites(fold, &losses),
        audit,
        evidence: Evidence {
            plan: plan.hash().to_owned(),
            records: fold.records,
            head: fold.head.map(|head| head.to_string()),
            epoch: run.epoch(),
            newest_record: run.opened_at().map(|_| stamp(run.now())),
            made_by: concat!("reinstate ", env!("CARGO_PKG_VERSION")),
        },
        steps,
    }
}

/// Sums up a number of all steps, those of an earlier plan among them.
fn total(fold: &Fold, of: impl Fn(&crate::fold::StepTimes) -> u64) -> u64 {
    fold.steps.iter().chain(fold.former_steps.iter().map(|(_, times)| times)).map(of).sum()
}

fn failed_work(steps: &[crate::report::StepReport]) -> u64 {
    steps.iter().filter(|step| !step.finally).map(|step| step.units.failed).sum()
}

/// The run's own end, held against the counts: a success that they do not bear out is not called one.
fn verdict(status: &Status, sites: SiteTally) -> Verdict {
    match status {
        Status::New => Verdict::New,
        Status::Running => Verdict::Running,
        Status::Closing => Verdict::Closing,
        Status::Paused { .. } => Verdict::Paused,
        Status::Aborting => Verdict::Aborting,
        Status::Cancelling => Verdict::Cancelling,
        Status::Unwinding => Verdict::Unwinding,
        Status::Ended(RunEnd::Succeeded) if sites.returned == sites.wanted() => Verdict::Succeeded,
        Status::Ended(RunEnd::Succeeded | RunEnd::SucceededWithExceptions) => Verdict::SucceededWithExceptions,
        Status::Ended(RunEnd::Failed) => Verdict::Failed,
        Status::Ended(RunEnd::Cancelled) => Verdict::Cancelled,
    }
}

/// What a headline tells beside the sites.
struct Words {
    failed: u64,
    finally: usize,
    overruled: usize,
    approvals: usize,
    for_operator: usize,
    /// Sites whose stores do not stand at one point.
    differing: usize,
}

fn headline(verdict: Verdict, sites: SiteTally, words: &Words) -> String {
    let of = format!("{} of {} returned", sites.returned, count(u64::from(sites.given), "site", "sites"));
    let over = verdict.is_over();
    let mut parts = vec![of];
    parts.extend(sites.others(over).into_iter().map(|(number, what)| format!("{number} {what}")));
    if over && words.failed > 0 {
        parts.push(count(words.failed, "unit failed", "units failed"));
    }
    let mut part = |number: usize, one: &str, many: &str| {
        if number > 0 {
            parts.push(count(number as u64, one, many));
        }
    };
    part(
        words.differing,
        "site whose stores disagree about its point",
        "sites whose stores disagree about their point",
    );
    part(words.finally, "unit of `finally` did not succeed", "units of `finally` did not succeed");
    part(words.overruled, "unit settled on a person's word", "units settled on a person's word");
    part(words.approvals, "approval is missing", "approvals are missing");
    part(words.for_operator, "unit waits for an operator", "units wait for an operator");
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
        .filter_map(|site| fold.backs.back_at(run, site).map(i64::from))
        .collect();
    let limit = plan.spec().objectives.rto_ms;
    let mut rto = objective(measured, limit);
    if let Some(limit) = limit {
        let late = wall > i64::try_from(limit).unwrap_or(i64::MAX) || verdict.is_over();
        let out = sites.quarantined + sites.undone + sites.undoing + sites.degraded + sites.released;
        let out = out + sites.excluded - sites.excluded_by_plan;
        rto.missing = out + if late { sites.restoring + sites.waiting } else { 0 };
        rto.met = if rto.beyond > 0 || rto.missing > 0 {
            Some(false)
        } else {
            (sites.returned == sites.wanted()).then_some(true)
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
    let sites = (0..fold.plan().site_count()).map(SiteIx);
    let mut times: Vec<u32> = sites.filter_map(|site| fold.backs.back_at(fold.run(), site)).collect();
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
