//! A drill for a terminal, bad news first.

use std::fmt::Write as _;

use engine::Millis;

use crate::drill::data::{DrillObjective, DrillReport};
use crate::drill::history::Trend;
use crate::duration::span;
use crate::escape::plain;

/// Leftovers that are shown; all are counted.
const SHOWN: usize = 10;

/// Renders a judgement as text.
#[must_use]
pub fn render_drill(drill: &DrillReport) -> String {
    let mut text = format!(
        "{}: drill {} of {}, {} of {} sites back as they should be, seed {}\n",
        if drill.good { "GOOD" } else { "NOT GOOD" },
        drill.drill,
        drill.slot,
        drill.returned,
        drill.sites,
        drill.seed
    );
    for trouble in &drill.troubles {
        let _ = writeln!(text, "  {}", plain(trouble));
    }
    for objective in &drill.objectives {
        let word = if objective.passed { "met   " } else { "MISSED" };
        let measured = objective.measured.map_or_else(|| "not measured".to_owned(), |number| shown(objective, number));
        let _ = writeln!(
            text,
            "  {word} {:<14} asked {}, measured {measured}",
            objective.name,
            shown(objective, objective.asked)
        );
    }
    if !drill.leftovers.is_empty() {
        let _ = writeln!(text, "  {} left behind:", drill.leftovers.len());
    }
    for leftover in drill.leftovers.iter().take(SHOWN) {
        let _ = writeln!(text, "    {} {}: {}", leftover.part, plain(&leftover.unit), plain(&leftover.message));
    }
    if let Some(chaos) = &drill.chaos {
        let _ = writeln!(
            text,
            "  chaos: {} attempts failed, {} cut off, {} delivered twice, {} delayed{}",
            chaos.failed,
            chaos.cut,
            chaos.twice,
            chaos.delayed,
            if chaos.compared { "" } else { "; the sandbox was not compared (`compare`)" }
        );
        for found in &chaos.findings {
            let what = if found.kind == "half_done" { "leaves a half-done effect" } else { "is NOT IDEMPOTENT" };
            let _ = writeln!(
                text,
                "  step {} {what}: {} {}",
                plain(&found.step),
                plain(&found.unit),
                plain(&found.message)
            );
        }
        for difference in chaos.differences.iter().take(SHOWN) {
            let _ = writeln!(text, "  DIFFERS: {}", plain(difference));
        }
        if !chaos.answers.is_empty() {
            let steps = plain(&chaos.answers.join(", "));
            let _ = writeln!(text, "  answer otherwise when delivered twice, which no step reads: {steps}");
        }
        if !chaos.untouched.is_empty() {
            let _ = writeln!(text, "  never disturbed: {}", plain(&chaos.untouched.join(", ")));
        }
        if !chaos.spared.is_empty() {
            let _ = writeln!(
                text,
                "  not cut off or repeated, since not idempotent by their own word: {}",
                plain(&chaos.spared.join(", "))
            );
        }
    }
    for step in drill.steps.iter().filter(|step| step.failed > 0) {
        let _ = writeln!(text, "  step {}: {} failed", plain(&step.name), step.failed);
    }
    let idle: Vec<&str> = drill.steps.iter().filter(|step| step.attempts == 0).map(|step| step.name.as_str()).collect();
    if !idle.is_empty() && idle.len() < drill.steps.len() {
        let _ = writeln!(text, "  steps that did not run: {}", plain(&idle.join(", ")));
    }
    for less in &drill.narrowed {
        let _ = writeln!(text, "  proves nothing of the runbook: {}", plain(less));
    }
    if let Some(against) = &drill.against {
        if drill.regressions.is_empty() {
            let _ = writeln!(text, "  not worse than the last good drill, {against}");
        }
        for regression in &drill.regressions {
            let (name, then, now) = (&regression.name, regression.before, regression.now);
            let _ = writeln!(text, "  WORSE than the last good drill, {against}: {name} was {then:.1}, is {now:.1}");
        }
    }
    text
}

/// Renders how drills went, one line each, the newest last.
#[must_use]
pub fn render_trend(trend: &Trend) -> String {
    let mut text = format!("{} of {} drills good\n", trend.good, trend.drills);
    for ((slot, rto), (_, rate)) in trend.rto_p95_s.iter().zip(&trend.throughput) {
        let rto = rto.map_or_else(|| "-".to_owned(), |seconds| span(whole(seconds)));
        let rate = rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"));
        let _ = writeln!(text, "  {slot}  rto_p95 {rto:>14}  {rate:>8} sites/h");
    }
    for (step, failed) in &trend.failures {
        let _ = writeln!(text, "  step {}: {failed} failed over all", plain(step));
    }
    text
}

fn shown(objective: &DrillObjective, number: f64) -> String {
    match objective.name.as_str() {
        "rto_p95" | "rpo_max" => span(whole(number)),
        "throughput_min" => format!("{number:.1} sites/h"),
        _ => format!("{number:.0}"),
    }
}

#[expect(clippy::cast_possible_truncation, reason = "lengths of time are far below the largest number")]
fn whole(seconds: f64) -> Millis {
    (seconds * 1_000.0) as Millis
}
