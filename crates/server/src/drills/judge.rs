//! The judgement of a drill, by what the journals of its runs say, told to the history.

use std::sync::Arc;

use engine::{Event, Millis, Plan};
use report::{DrillChaos, DrillEvidence, DrillReport, Fold, Report};
use runtime::{DrillClaim, DrillResult, DrillRuns, JournalError, Store};

use crate::drills::DrillError;
use crate::words::chain;

/// Judges a drill by the journals of its runs and keeps the judgement.
pub(super) async fn judge(
    store: &dyn Store,
    claim: &DrillClaim,
    troubles: &[String],
    chaos: Option<DrillChaos>,
    now: Millis,
) -> Result<DrillReport, DrillError> {
    let names = DrillRuns::of(&claim.run);
    let run = told(store, &names.run, now).await?;
    let set_up = told(store, &names.set_up, now).await?;
    let clean_up = told(store, &names.clean_up, now).await?;
    let mut troubles = troubles.to_vec();
    for (part, told) in [("set-up", &set_up), ("clean-up", &clean_up)] {
        if told.as_ref().is_some_and(|told| told.now.is_none() && !told.plan.spec().steps.is_empty()) {
            troubles.push(format!("the {part} never began"));
        }
    }
    let last_good = store.last_good_drill(&claim.drill).await?.and_then(|entry| entry.result);
    let last_good = last_good.and_then(|result| DrillReport::from_json(&result.bytes));
    let reports = |told: &Option<Told>| told.as_ref().and_then(|told| told.now.clone());
    let (set_up, now_run, clean_up) = (reports(&set_up), reports(&run), reports(&clean_up));
    let report = report::judge_drill(&DrillEvidence {
        drill: &claim.drill,
        slot: claim.slot,
        run: &claim.run,
        runbook_hash: &claim.runbook_hash,
        began: claim.at,
        ended: now,
        mark: run.as_ref().and_then(|told| told.plan.spec().extras.drill.as_ref()),
        set_up: set_up.as_ref(),
        judged: run.as_ref().and_then(|told| told.judged.as_ref()),
        now: now_run.as_ref(),
        clean_up: clean_up.as_ref(),
        troubles: &troubles,
        last_good: last_good.as_ref(),
        chaos: chaos.as_ref(),
    });
    let result =
        DrillResult { ended_at: now, good: report.good, sites: report.sites, bytes: report.to_json().into_bytes() };
    store.finish_drill(&claim.drill, claim.slot, &result).await?;
    Ok(report)
}

/// A run as its journal tells it; no reports of one that was never opened.
struct Told {
    plan: Arc<Plan>,
    /// As of its first end.
    judged: Option<Report>,
    now: Option<Report>,
}

async fn told(store: &dyn Store, run: &str, at: Millis) -> Result<Option<Told>, DrillError> {
    let mut judged: Option<Fold> = None;
    let mut now: Option<Fold> = None;
    let (mut ended, mut misfit) = (false, None);
    let recovered = runtime::recover(store, run, |folded, record| {
        let new = || Fold::new(folded.plan().clone()).named(run);
        if !ended && let Err(error) = judged.get_or_insert_with(new).push(record) {
            misfit = Some(error);
        }
        ended |= matches!(record.event, Event::Ended { .. });
        if let Err(error) = now.get_or_insert_with(new).push(record) {
            misfit = Some(error);
        }
    })
    .await;
    let plan = match recovered {
        Ok(recovered) => {
            let head = recovered.chain.head();
            now.iter_mut().for_each(|now| now.note_head(head));
            recovered.run.plan().clone()
        }
        Err(runtime::RecoverError::Journal(JournalError::NoSuchRun(_))) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(error) = misfit {
        return Err(DrillError::Unjudged(chain(&error)));
    }
    Ok(Some(Told { plan, judged: judged.map(|fold| fold.report(at)), now: now.map(|fold| fold.report(at)) }))
}
