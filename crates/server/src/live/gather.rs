//! From a fold to a snapshot.

use engine::{RunEnd, Status};
use report::Fold;

use crate::live::snapshot::{Snapshot, State, Step, Tone};
use crate::live::{survey, waits};

/// Sums a run up. Costs time in proportion to its plan, not to its history.
pub(super) fn gather(fold: &Fold, now: engine::Millis, known: Snapshot) -> Snapshot {
    let run = fold.run();
    Snapshot {
        state: state(run),
        sites: survey::sites(run),
        batches: survey::batches(run),
        steps: steps(fold),
        pools: survey::pools(run),
        waits: waits::waits(fold, now),
        opened_at: run.opened_at(),
        last_at: run.opened_at().map(|_| run.now()),
        in_flight: run.in_flight(),
        line: report::status_line(run, now),
        ..known
    }
}

fn steps(fold: &Fold) -> Vec<Step> {
    let mut steps = survey::steps(fold.run());
    for (step, times) in steps.iter_mut().zip(fold.step_times()) {
        step.retries = times.retries;
        step.typical_ms = times.durations.percentile(50).and_then(|ms| i64::try_from(ms).ok());
    }
    steps
}

fn state(run: &engine::Run) -> State {
    let status = run.status();
    let (word, tone) = match &status {
        Status::New => ("not started", Tone::Care),
        Status::Running if run.is_waiting_for_operator() => ("WAITS FOR PEOPLE", Tone::Care),
        Status::Running => ("running", Tone::Good),
        Status::Paused { .. } => ("PAUSED", Tone::Care),
        Status::Aborting => ("ABORTING", Tone::Bad),
        Status::Cancelling => ("CANCELLING", Tone::Bad),
        Status::Unwinding => ("TAKING EVERYTHING BACK", Tone::Bad),
        Status::Closing => ("finishing", Tone::Good),
        Status::Ended(RunEnd::Succeeded) => ("ended: succeeded", Tone::Good),
        Status::Ended(RunEnd::SucceededWithExceptions) => ("ended: SUCCEEDED WITH EXCEPTIONS", Tone::Care),
        Status::Ended(RunEnd::Failed) => ("ended: FAILED", Tone::Bad),
        Status::Ended(RunEnd::Cancelled) => ("ended: CANCELLED", Tone::Bad),
    };
    let detail = match &status {
        Status::Paused { actor, reason } => report::plain(&format!("by {actor}: {reason}")),
        _ => String::new(),
    };
    let over = matches!(status, Status::Ended(_));
    let paused = matches!(status, Status::Paused { .. });
    State { word, detail, tone, over, paused, waits: run.is_waiting_for_operator() }
}

#[cfg(test)]
pub(super) mod tests;
