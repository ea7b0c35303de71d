//! What traces and logs are told of a run: one span a drive, and in it one an attempt.

use engine::{Mode, Run, UnitIx};
use tracing::{Span, field::Empty};

/// The span of a drive, from its lease to its rest.
pub(super) fn of_drive(run: &str, epoch: u64, state: &Run) -> Span {
    let spec = state.plan().spec();
    tracing::info_span!(
        "run",
        run,
        epoch,
        runbook = spec.origin.runbook,
        estate = spec.origin.estate,
        sites = state.plan().site_count()
    )
}

/// The span of an attempt, within that of its drive. The unit names its step and its site, batch or group.
pub(super) fn of_attempt(run: &str, state: &Run, (unit, attempt, mode): (UnitIx, u32, Mode)) -> Span {
    // Names are put together only if somebody listens.
    let span = tracing::info_span!(
        "attempt",
        otel.name = Empty,
        otel.status_code = Empty,
        run,
        step = Empty,
        unit = Empty,
        site = Empty,
        attempt,
        mode = ?mode,
        outcome = Empty,
        code = Empty,
    );
    if !span.is_disabled()
        && let Some(target) = state.target(unit)
    {
        let step = &state.plan().step(target.step).name;
        span.record("otel.name", step.as_str()).record("step", step.as_str()).record("unit", state.unit_name(unit));
        if let [site] = state.covers(unit, 2).as_slice() {
            span.record("site", state.plan().spec().sites.id(*site));
        }
    }
    span
}
