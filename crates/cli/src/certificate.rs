//! The passed drill that an estate demands of the runbook of a large run, and going without it.

use engine::{Millis, Plan, PlanSpec};
use report::stamp;
use runbook::{Estate, Guard};
use runtime::Drills;

use crate::failure::Failure;

/// Refuses a run whose runbook no drill has passed with lately enough; the drill may have had any name.
pub(crate) async fn demanded(
    drills: &dyn Drills,
    plan: &Plan,
    guard: Option<Guard>,
    now: Millis,
) -> Result<(), Failure> {
    let spec = plan.spec();
    let Some(rule) = guard.and_then(|guard| guard.certificate) else { return Ok(()) };
    if plan.site_count() <= rule.above || spec.extras.uncertified.is_some() {
        return Ok(());
    }
    let passed = drills.certificate(&spec.origin.runbook_hash()).await?.and_then(|entry| entry.result);
    let oldest = now.saturating_sub(i64::try_from(rule.max_age_ms).unwrap_or(i64::MAX));
    let fact = match passed {
        Some(drill) if drill.ended_at >= oldest => return Ok(()),
        Some(drill) => format!("the last drill that this runbook has passed ended {}", stamp(drill.ended_at)),
        None => "no drill has passed with this text of the runbook".to_owned(),
    };
    let sites = plan.site_count();
    Err(Failure::input(
        "runbook-uncertified",
        format!("{fact}, and the estate {} demands one for {sites} sites", spec.origin.estate),
        "run a drill with it into this store (`reinstate drill run`), or give `--uncertified REASON`, which a second \
         person must approve",
    ))
}

/// Marks a plan as going without: a second person approves its start, however small it is.
pub(crate) fn waived(mut spec: PlanSpec, estate: &Estate, reason: &str) -> Result<PlanSpec, Failure> {
    if reason.trim().is_empty() {
        return Err(Failure::input("uncertified-form", "`--uncertified` gives no reason", "say why it cannot wait"));
    }
    let guard = estate.guard.as_ref().filter(|guard| guard.certificate.is_some());
    let Some(guard) = guard else {
        let fact = format!("the estate {} demands no drill", estate.name);
        return Err(Failure::input("uncertified-idle", fact, "leave `--uncertified` out"));
    };
    let Some(approval) = &guard.approval else {
        let fact = format!("the estate {} names nobody who may let a run go without a drill", estate.name);
        return Err(Failure::input("uncertified-final", fact, "run a drill, or give its `guard` an `approval`"));
    };
    spec.extras.start = Some(approval.clone());
    spec.extras.uncertified = Some(reason.to_owned());
    Ok(spec)
}
