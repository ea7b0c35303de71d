//! What drills of one name, or of one runbook, have shown over time.

use engine::Millis;
use serde::Serialize;

use crate::drill::data::DrillReport;

/// How the numbers of a drill went, the newest last.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Trend {
    /// Drills that were judged.
    pub drills: u32,
    /// Good ones among them.
    pub good: u32,
    /// Slot and 95th percentile of recovery times.
    pub rto_p95_s: Vec<(String, Option<f64>)>,
    /// Slot and sites back per hour.
    pub throughput: Vec<(String, Option<f64>)>,
    /// Failed units of each step over all of them, most first; steps without any are left out.
    pub failures: Vec<(String, u64)>,
}

/// What drills have proved of a runbook.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Readiness {
    /// `name:` of the runbook.
    pub runbook: String,
    /// Days since the last drill that proved it ended; `null` if there was none.
    pub days_since_good: Option<f64>,
    /// Whether the runbook's text is still the one of that drill.
    pub unchanged: bool,
    /// Steps that no drill has ever run.
    pub never_run: Vec<String>,
    /// Steps whose undo no drill has ever run.
    pub never_undone: Vec<String>,
}

/// Sums drills up; the reports come newest first, as histories list them.
#[must_use]
pub fn trend(newest_first: &[DrillReport]) -> Trend {
    let mut trend = Trend::default();
    for report in newest_first.iter().rev() {
        trend.drills += 1;
        trend.good += u32::from(report.good);
        trend.rto_p95_s.push((report.slot.clone(), report.rto_p95_s));
        trend.throughput.push((report.slot.clone(), report.throughput));
        for step in report.steps.iter().filter(|step| step.failed > 0) {
            match trend.failures.iter_mut().find(|(name, _)| *name == step.name) {
                Some((_, failed)) => *failed += step.failed,
                None => trend.failures.push((step.name.clone(), step.failed)),
            }
        }
    }
    trend.failures.sort_by_key(|(_, failed)| std::cmp::Reverse(*failed));
    trend
}

/// Says how ready a runbook is by what drills have run of it: its name, the hash of its text, and its steps with
/// whether each has an undo.
#[must_use]
pub fn readiness<'a>(
    runbook: &str,
    runbook_hash: &str,
    steps: impl IntoIterator<Item = (&'a str, bool)>,
    newest_first: &[DrillReport],
    last_good_ended: Option<Millis>,
    now: Millis,
) -> Readiness {
    let of_it: Vec<&DrillReport> = newest_first.iter().filter(|report| report.runbook == runbook).collect();
    let ran =
        |name: &str, undo: bool| {
            of_it.iter().flat_map(|report| &report.steps).filter(|step| step.name == name).any(|step| {
                if undo { step.undo_attempts.is_some_and(|attempts| attempts > 0) } else { step.attempts > 0 }
            })
        };
    let steps: Vec<(&str, bool)> = steps.into_iter().collect();
    let never = |undo: bool| {
        let open = steps.iter().filter(|(name, has_undo)| (!undo || *has_undo) && !ran(name, undo));
        open.map(|(name, _)| (*name).to_owned()).collect()
    };
    #[expect(clippy::cast_precision_loss, reason = "days are for people")]
    let days = |ended: Millis| (now - ended) as f64 / 86_400_000.0;
    Readiness {
        runbook: runbook.to_owned(),
        days_since_good: last_good_ended.map(days),
        unchanged: of_it
            .iter()
            .find(|report| report.proves())
            .is_some_and(|report| report.runbook_hash == runbook_hash),
        never_run: never(false),
        never_undone: never(true),
    }
}
