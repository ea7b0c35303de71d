//! The search for an order, with a clock: the library says how good, this says how long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Plan;
use report::{Model, OrderFinding};

use crate::args::Optimise;
use crate::failure::Failure;

/// The plan with the order that was found, and what was found; the plan itself if nobody asked.
pub(crate) fn searched(
    plan: Arc<Plan>,
    model: &Model,
    asked: Optimise,
    seed: u64,
    drawings: Option<u32>,
) -> Result<(Arc<Plan>, Option<OrderFinding>), Failure> {
    let Some(seconds) = asked.seconds else { return Ok((plan, None)) };
    if !model.is_grounded() {
        return Err(Failure::input(
            "plan-unordered",
            "no order can be searched for: no step says how long it takes",
            "give the longer steps an `expect`, or name a run that measured them with `--from-run`",
        ));
    }
    let (begin, limit) = (Instant::now(), Duration::from_secs(seconds.into()));
    let most = asked.schedules.unwrap_or(u64::MAX);
    let mut go_on = |built| built < most && begin.elapsed() < limit;
    let (plan, finding) = report::reorder(&plan, model, seed, drawings, &mut go_on).map_err(|error| {
        Failure::input(
            "plan-unordered",
            format!("no order can be searched for: {}", crate::failure::chain(&error)),
            "leave `--optimise` out, or look at `reinstate plan` without it",
        )
    })?;
    Ok((plan, Some(finding)))
}

/// What was found, as rows of a page.
pub(crate) fn rows(finding: &OrderFinding) -> String {
    let rows = report::order_lines(finding).into_iter();
    rows.map(|(name, line)| format!("{name:<14}{line}\n")).collect()
}
