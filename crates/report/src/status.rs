//! The run in one line.

use engine::{Millis, Run, RunEnd, Status};

use crate::duration::{count, span};
use crate::escape::plain;

/// One line for `status` and for progress: how the run stands, sites by state, the open batch, what is in flight and
/// what waits for a person. No colour, no line feed. Costs nothing that grows with the run but its batches.
#[must_use]
pub fn status_line(run: &Run, now: Millis) -> String {
    let tally = run.tally();
    let left_out = u32::try_from(run.plan().spec().extras.excluded.len()).unwrap_or(u32::MAX);
    let given = run.plan().site_count().saturating_add(left_out);
    let word = match run.status() {
        Status::New => "not started".to_owned(),
        Status::Running => "running".to_owned(),
        Status::Paused { actor, reason } => format!("paused by {} ({})", plain(&actor), plain(&reason)),
        Status::Aborting => "aborting".to_owned(),
        Status::Cancelling => "cancelling".to_owned(),
        Status::Unwinding => "taking everything back".to_owned(),
        Status::Closing => "finishing".to_owned(),
        Status::Ended(RunEnd::Succeeded) => "succeeded".to_owned(),
        Status::Ended(RunEnd::SucceededWithExceptions) => "succeeded with exceptions".to_owned(),
        Status::Ended(RunEnd::Failed) => "failed".to_owned(),
        Status::Ended(RunEnd::Cancelled) => "cancelled".to_owned(),
    };
    let mut parts = vec![format!("{} of {} returned", tally.returned, count(u64::from(given), "site", "sites"))];
    let over = matches!(run.status(), Status::Ended(_));
    for (number, what) in [
        (tally.degraded, "degraded"),
        (tally.quarantined, "quarantined"),
        (tally.undone, "undone"),
        (tally.excluded, "excluded"),
        (left_out, "excluded by the plan"),
        (tally.released, "released"),
        (tally.restoring, if over { "left unfinished" } else { "under way" }),
        (tally.waiting, if over { "never started" } else { "waiting" }),
    ] {
        if number > 0 {
            parts.push(format!("{number} {what}"));
        }
    }
    if !over {
        let batches = run.plan().batch_count();
        let open = (0..batches).rev().find(|&ix| run.batch_times(engine::BatchIx::from(ix as usize)).0.is_some());
        if let Some(open) = open {
            parts.push(format!("batch {} of {batches}", open + 1));
        }
        if run.in_flight() > 0 {
            parts.push(format!("{} in flight", count(run.in_flight() as u64, "attempt", "attempts")));
        }
        let gates = run.requests().count();
        if gates > 0 {
            parts.push(count(gates as u64, "gate waits for approval", "gates wait for approval"));
        }
        let waiting = run.for_operator().count();
        if waiting > 0 {
            parts.push(count(waiting as u64, "unit waits for you", "units wait for you"));
        }
    }
    let age = run.opened_at().map(|opened| {
        let until = if over { run.now() } else { now.max(run.now()) };
        format!("; {}", span(until.saturating_sub(opened)))
    });
    format!("{word}: {}{}", parts.join(", "), age.unwrap_or_default())
}
