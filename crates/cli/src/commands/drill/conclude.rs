//! The end of a drill: conducted, judged by what its journals say, and told to the history.

use std::sync::Arc;

use engine::{Event, Plan};
use report::{DrillEvidence, DrillReport, Fold, Report};
use runtime::{
    Clock, Conduct, ConductError, Conducted, DrillClaim, DrillResult, DrillRuns, JournalError, Launcher, Settings,
    Store, SystemClock,
};
use tokio_util::sync::CancellationToken;

use super::watch::Watch;
use crate::args::FindingFormat;
use crate::execute::kit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{out, people};

/// How findings of a drill are printed.
pub(super) fn how(json: bool) -> FindingFormat {
    if json { FindingFormat::Json } else { FindingFormat::Text }
}

/// Ends the drills of a name whose processes were lost: what has not ended is called off, then cleaned up and judged.
pub(super) async fn take_up(store: &Arc<dyn Store>, drill: &str, json: bool) -> Result<(), Failure> {
    for entry in store.unfinished_drills(Some(drill)).await? {
        let claim = entry.claim;
        if !json {
            out::note(&format!("drill {} was not ended: it is cleaned up first", claim.run));
        }
        let conducted = conduct(store, &claim.run, false, CancellationToken::new(), json).await?;
        let report = conclude(store, &claim, &conducted.troubles).await?;
        if !json {
            out::note(report::render_drill(&report).trim_end());
        }
    }
    Ok(())
}

/// Conducts a drill in this process.
pub(super) async fn conduct(
    store: &Arc<dyn Store>,
    run: &str,
    begins: bool,
    stop: CancellationToken,
    json: bool,
) -> Result<Conducted, Failure> {
    let mut watch = Watch::new(json);
    let kit = kit(store);
    let conduct = Conduct {
        store: &**store,
        holder: server::holder(),
        actor: people::actor(),
        equip: &|plan: &engine::Plan| kit.equip(plan),
        launcher: &|| Launcher::new(kit.connectors.clone()),
        clock: &SystemClock,
        observer: &mut watch,
        stop,
        settings: Settings::default(),
    };
    runtime::conduct(conduct, run, begins).await.map_err(|error| match error {
        ConductError::Journal(JournalError::Held { holder, .. }) => Failure::new(
            Exit::Held,
            "drill-held",
            format!("drill {run} goes on: {holder} conducts it"),
            "wait until it is over, or stop that process: the next call cleans up",
        ),
        ConductError::Journal(error) => error.into(),
        ConductError::Recover(error) => error.into(),
    })
}

/// Judges a drill by the journals of its runs and keeps the judgement.
pub(super) async fn conclude(
    store: &Arc<dyn Store>,
    claim: &DrillClaim,
    troubles: &[String],
) -> Result<DrillReport, Failure> {
    let names = DrillRuns::of(&claim.run);
    let now = SystemClock.now();
    let run = told(store, &names.run).await?;
    let set_up = told(store, &names.set_up).await?;
    let clean_up = told(store, &names.clean_up).await?;
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

async fn told(store: &Arc<dyn Store>, run: &str) -> Result<Option<Told>, Failure> {
    let mut judged: Option<Fold> = None;
    let mut now: Option<Fold> = None;
    let (mut ended, mut misfit) = (false, None);
    let recovered = runtime::recover(&**store, run, |folded, record| {
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
        Ok(recovered) => recovered.run.plan().clone(),
        Err(runtime::RecoverError::Journal(JournalError::NoSuchRun(_))) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if let Some(error) = misfit {
        return Err(Failure::trouble("report-fold", &error, "report this defect"));
    }
    let at = SystemClock.now();
    Ok(Some(Told { plan, judged: judged.map(|fold| fold.report(at)), now: now.map(|fold| fold.report(at)) }))
}
