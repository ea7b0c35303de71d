//! `drill run`: draw, plan, conduct, judge, keep.

use std::sync::Arc;

use report::DrillReport;
use runtime::{Clock, DrillClaim, DrillPlans, Store, SystemClock};
use tokio_util::sync::CancellationToken;

use super::conclude::{self, how};
use super::read::{self, Loaded};
use crate::args::DrillRun;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{self, Findings};
use crate::{files, out, signals};

/// Runs a drill now.
pub(super) async fn run(args: &DrillRun, json: bool) -> Result<Exit, Failure> {
    let loaded = match read::loaded(&args.file, json)? {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let store = store::open(&args.stored.store).await?;
    let stop = signals::stop_token();
    conclude::take_up(&store, loaded.drill.name(), json).await?;
    let report = match take_place(&store, &loaded, SystemClock.now(), args.seed, stop.clone(), json).await? {
        Ok(report) => report,
        Err(exit) => return Ok(exit),
    };
    if let Some(path) = &args.junit {
        files::write(path, report::render_drill_junit(&report).as_bytes())?;
    }
    if json {
        out::json(&report);
    } else {
        out::answer(report::render_drill(&report).trim_end());
    }
    Ok(match (report.good, stop.is_cancelled()) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Stopped,
        (false, false) => Exit::NotGood,
    })
}

/// Has a drill take place for a slot: it is claimed, conducted, judged and kept. What `stop` calls off is cleaned up all
/// the same.
async fn take_place(
    store: &Arc<dyn Store>,
    loaded: &Loaded,
    slot: engine::Millis,
    seed: Option<u64>,
    stop: CancellationToken,
    json: bool,
) -> Result<Result<DrillReport, Exit>, Failure> {
    let Some((claim, plans)) = prepared(loaded, slot, seed, json)? else { return Ok(Err(Exit::BadInput)) };
    if !json {
        let (drawn, all) = (plans.run.site_count(), loaded.list.len());
        out::note(&format!("drill {}: {drawn} of {all} sites; its clean-up is done whatever happens", claim.run));
    }
    match runtime::open_drill(&**store, &claim, &plans).await {
        Ok(true) => {}
        Ok(false) => {
            let message = format!("this slot of drill {} was claimed by another process", claim.drill);
            return Err(Failure::new(Exit::Held, "drill-claimed", message, "look at `reinstate drill list`"));
        }
        Err(error) => {
            // Nothing was done; the history says so.
            conclude::conclude(store, &claim, &[error.to_string()]).await?;
            return Err(error.into());
        }
    }
    let conducted = conclude::conduct(store, &claim.run, true, stop, json).await?;
    conclude::conclude(store, &claim, &conducted.troubles).await.map(Ok)
}

/// Plans a drill for a slot; `None` if something was found, which has been shown then.
fn prepared(
    loaded: &Loaded,
    slot: engine::Millis,
    seed: Option<u64>,
    json: bool,
) -> Result<Option<(DrillClaim, DrillPlans)>, Failure> {
    let Loaded { drill, runbook, estate, list } = loaded;
    let prepared = match drill.prepare(runbook, estate, list, slot, seed) {
        Ok(prepared) => prepared,
        Err(refused) => {
            let mut findings = Findings::new(how(json), json);
            findings.tell(&refused.diagnostics, refused.source(drill, runbook));
            findings.finish();
            return Ok(None);
        }
    };
    let plans = DrillPlans {
        set_up: prepared.set_up.map(planning::admit).transpose()?,
        run: planning::admit(prepared.run)?,
        clean_up: planning::admit(prepared.clean_up)?,
    };
    Ok(Some((claim_of(drill.name(), slot, &plans.run), plans)))
}

/// Claims are named by drill and slot, to the millisecond: whoever runs a drill twice in a second has two.
fn claim_of(drill: &str, slot: engine::Millis, plan: &Arc<engine::Plan>) -> DrillClaim {
    let time = chrono::DateTime::from_timestamp_millis(slot).unwrap_or_default();
    DrillClaim {
        drill: drill.to_owned(),
        slot,
        run: format!("{drill}-{}", time.format("%Y%m%dT%H%M%S%3fZ")),
        at: SystemClock.now(),
        runbook_hash: plan.spec().origin.runbook_hash(),
    }
}
