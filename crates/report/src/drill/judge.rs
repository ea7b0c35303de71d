//! From the journals of a drill's runs to a judgement.

use engine::{ChaosMark, DrillMark, DrillObjectives, Millis};

use crate::drill::data::{DRILL_FORMAT, DrillChaos, DrillObjective, DrillReport, DrillStep, Leftover, Regression};
use crate::duration::{seconds, stamp};
use crate::report::{Report, Verdict, percentile};

/// What a drill is judged by. Reports are `None` of runs that were not created or never opened.
#[derive(Clone, Copy, Debug)]
pub struct DrillEvidence<'a> {
    /// Name of the drill.
    pub drill: &'a str,
    /// The time for which it was due.
    pub slot: Millis,
    /// Name of the run that is judged.
    pub run: &'a str,
    /// Hash of the runbook's text.
    pub runbook_hash: &'a str,
    /// When it was claimed.
    pub began: Millis,
    /// When it is over.
    pub ended: Millis,
    /// What the plan says of the drill; `None` if no plan was stored.
    pub mark: Option<&'a DrillMark>,
    /// The set-up's run.
    pub set_up: Option<&'a Report>,
    /// The runbook's run as of its first end: before it was taken back.
    pub judged: Option<&'a Report>,
    /// The same run as it stands now.
    pub now: Option<&'a Report>,
    /// The run of what is compared.
    pub compare: Option<&'a Report>,
    /// The clean-up's run.
    pub clean_up: Option<&'a Report>,
    /// What kept a part from being executed, in words.
    pub troubles: &'a [String],
    /// What chaos did in it, as the process knows it that let it in.
    pub chaos: Option<&'a DrillChaos>,
    /// The last drill before it that proved its runbook.
    pub last_good: Option<&'a DrillReport>,
}

/// Worse by more than this share than at the last good drill is a regression: drills differ by chance, too.
const TOLERANCE: f64 = 0.2;
/// A recovery time that is longer by less than this is none, whatever share it is.
const TOLERANCE_S: f64 = 5.0;

/// Judges a drill. It is good if it took place, every objective is met and nothing is left behind; what could not be
/// measured is not met.
#[must_use]
pub fn judge_drill(evidence: &DrillEvidence<'_>) -> DrillReport {
    let mark = evidence.mark;
    let mut drill = DrillReport {
        format: DRILL_FORMAT.to_owned(),
        drill: evidence.drill.to_owned(),
        slot: stamp(evidence.slot),
        run: evidence.run.to_owned(),
        runbook_hash: evidence.runbook_hash.to_owned(),
        seed: mark.map_or(0, |mark| mark.seed),
        listed: mark.map_or(0, |mark| mark.listed),
        earlier_s: mark.map_or(0.0, |mark| milliseconds(mark.earlier_ms)),
        began: stamp(evidence.began),
        ended: stamp(evidence.ended),
        troubles: evidence.troubles.to_vec(),
        ..DrillReport::default()
    };
    if let Some(set_up) = evidence.set_up.filter(|set_up| set_up.verdict != Verdict::Succeeded) {
        drill.troubles.push(format!("the set-up did not succeed: {}", set_up.headline));
    }
    match evidence.judged {
        Some(report) => measure(&mut drill, report),
        None => drill.troubles.push("the run never began".to_owned()),
    }
    if let Some(now) = evidence.now {
        taken_back(&mut drill, now, mark.is_some_and(|mark| mark.take_back));
    }
    if let Some(compare) = evidence.compare.filter(|compare| compare.verdict != Verdict::Succeeded) {
        drill.troubles.push(format!("the sandbox could not be compared: {}", compare.headline));
    }
    cleaned_up(&mut drill, evidence.clean_up);
    drill.objectives = objectives(mark.map(|mark| mark.objectives).unwrap_or_default(), &drill);
    if let Some(mark) = mark {
        narrow(&mut drill, mark);
    }
    let disturbed = mark.is_some_and(|mark| matches!(mark.chaos, Some(ChaosMark::Disturbed { .. })));
    if disturbed {
        // Delays are chaos's own.
        drill.objectives.retain(|one| !matches!(one.name.as_str(), "rto_p95" | "throughput_min"));
        drill.chaos = evidence.chaos.cloned();
        drill.troubles.extend(unproven(evidence.chaos).map(str::to_owned));
    }
    let bears = evidence.chaos.is_none_or(|chaos| chaos.findings.is_empty() && chaos.differences.is_empty());
    drill.good = bears
        && drill.troubles.is_empty()
        && drill.leftovers.is_empty()
        && drill.objectives.iter().all(|one| one.passed);
    if let Some(before) = evidence.last_good.filter(|_| !disturbed) {
        drill.against = Some(before.slot.clone());
        drill.regressions = regressions(before, &drill);
    }
    drill
}

/// Why a run in chaos says nothing of what it can bear.
fn unproven(chaos: Option<&DrillChaos>) -> Option<&'static str> {
    match chaos {
        None => Some("what chaos did was lost with the process that let it in"),
        Some(chaos) if chaos.failed + chaos.cut + chaos.twice + chaos.delayed == 0 => {
            Some("chaos disturbed nothing: no unit had an attempt to spare, or none was drawn")
        }
        Some(_) => None,
    }
}

fn narrow(drill: &mut DrillReport, mark: &DrillMark) {
    if let Some(ChaosMark::Disturbed { step, .. }) = &mark.chaos {
        let of = step.as_ref().map(|step| format!(" of step {step}")).unwrap_or_default();
        drill.narrowed.push(format!("attempts{of} were disturbed"));
    }
    if drill.sites < mark.asked {
        let (asked, sites) = (mark.asked, drill.sites);
        drill.narrowed.push(format!("the sample asks for {asked} sites, and {sites} took part"));
    }
}

fn measure(drill: &mut DrillReport, report: &Report) {
    drill.runbook.clone_from(&report.runbook);
    drill.estate.clone_from(&report.estate);
    let tally = report.sites_by_state;
    drill.sites = tally.given;
    let flawed = report.exceptions.iter().filter(|one| one.state == "returned").count();
    drill.returned = tally.returned.saturating_sub(u32::try_from(flawed).unwrap_or(u32::MAX));
    drill.exceptions = tally.given - drill.returned;
    // A degraded site is back, but not as it should be.
    let whole = || report.sites.iter().filter(|site| site.state == "returned");
    let mut back: Vec<i64> = whole().filter_map(|site| site.back_after_s).map(whole_ms).collect();
    back.sort_unstable();
    // A site that is not back takes longer than all that are.
    let late = (drill.sites as usize).saturating_sub(back.len());
    back.extend(std::iter::repeat_n(i64::MAX, late));
    let at = |percent| percentile(&back, percent).filter(|&ms| ms < i64::MAX).map(seconds);
    (drill.rto_p50_s, drill.rto_p95_s) = (at(50), at(95));
    let losses = report.sites.iter().filter(|site| site.back_after_s.is_some()).filter_map(|site| site.data_loss_s);
    // What a point was moved back by for the drill's sake, nobody would lose.
    drill.rpo_max_s = losses.max_by(f64::total_cmp).map(|loss| loss - drill.earlier_s);
    drill.throughput = (report.wall_s > 0.0).then(|| f64::from(drill.returned) / report.wall_s * 3_600.0);
    drill.steps = report
        .steps
        .iter()
        .map(|step| DrillStep {
            name: step.name.clone(),
            attempts: step.attempts,
            succeeded: step.units.succeeded,
            failed: step.units.failed + step.units.degraded + step.units.for_operator,
            p95_s: step.p95_s,
            undo_attempts: step.undo.as_ref().map(|undo| undo.attempts),
        })
        .collect();
    for failure in &report.finally_failures {
        drill.troubles.push(format!("{}: {}", failure.unit, failure.message));
    }
    if !matches!(report.verdict, Verdict::Succeeded | Verdict::SucceededWithExceptions) {
        let why = report.timeline.iter().rev().find_map(|moment| moment.reason.clone());
        drill.troubles.push(match why {
            Some(why) => format!("the run did not succeed: {}; {why}", report.headline),
            None => format!("the run did not succeed: {}", report.headline),
        });
    }
}

/// Effects that the run was to take back and has not; which undo steps were tried is known only now.
fn taken_back(drill: &mut DrillReport, now: &Report, wished: bool) {
    for (step, told) in drill.steps.iter_mut().zip(&now.steps) {
        step.undo_attempts = told.undo.as_ref().map(|undo| undo.attempts);
    }
    if wished {
        drill.leftovers.extend(now.remains.iter().map(|remains| Leftover {
            part: "take_back".to_owned(),
            unit: remains.unit.clone(),
            message: remains.message.clone(),
        }));
    }
}

fn cleaned_up(drill: &mut DrillReport, clean_up: Option<&Report>) {
    let Some(report) = clean_up else { return };
    let part = || "clean_up".to_owned();
    drill.leftovers.extend(report.finally_failures.iter().map(|failure| Leftover {
        part: part(),
        unit: failure.unit.clone(),
        message: failure.message.clone(),
    }));
    // What is neither done nor told above was not tried: a step before it failed.
    for step in &report.steps {
        let told = report.finally_failures.iter().filter(|failure| failure.step == step.name).count() as u64;
        let open = (step.units.total - step.units.succeeded - step.units.skipped).saturating_sub(told);
        if open > 0 {
            let message = format!("{open} of {} units were not done", step.units.total);
            drill.leftovers.push(Leftover { part: part(), unit: step.name.clone(), message });
        }
    }
}

fn objectives(asked: DrillObjectives, drill: &DrillReport) -> Vec<DrillObjective> {
    let mut all = Vec::new();
    let mut add = |name: &str, asked: Option<f64>, measured: Option<f64>, most: bool| {
        let Some(asked) = asked else { return };
        let passed = measured.is_some_and(|measured| if most { measured <= asked } else { measured >= asked });
        all.push(DrillObjective { name: name.to_owned(), asked, measured, passed });
    };
    add("rto_p95", asked.rto_p95_ms.map(milliseconds), drill.rto_p95_s, true);
    add("rpo_max", asked.rpo_max_ms.map(milliseconds), drill.rpo_max_s, true);
    add("throughput_min", asked.throughput_min, drill.throughput, false);
    let took_place = drill.sites > 0;
    add("exceptions", asked.exceptions.map(f64::from), took_place.then_some(f64::from(drill.exceptions)), true);
    all
}

fn regressions(before: &DrillReport, now: &DrillReport) -> Vec<Regression> {
    let mut all = Vec::new();
    if let (Some(then), Some(rto)) = (before.rto_p95_s, now.rto_p95_s)
        && rto > then * (1.0 + TOLERANCE)
        && rto > then + TOLERANCE_S
    {
        all.push(Regression { name: "rto_p95".to_owned(), before: then, now: rto });
    }
    // Samples of other sizes have other throughputs by nature.
    if let (Some(then), Some(rate)) = (before.throughput, now.throughput)
        && before.sites == now.sites
        && rate < then * (1.0 - TOLERANCE)
        && now.rto_p95_s.zip(before.rto_p95_s).is_none_or(|(rto, then)| rto > then + TOLERANCE_S)
    {
        all.push(Regression { name: "throughput".to_owned(), before: then, now: rate });
    }
    all
}

#[expect(clippy::cast_possible_truncation, reason = "recovery times are far below the largest number")]
fn whole_ms(seconds: f64) -> i64 {
    (seconds * 1_000.0).round() as i64
}

fn milliseconds(ms: u64) -> f64 {
    seconds(i64::try_from(ms).unwrap_or(i64::MAX))
}
