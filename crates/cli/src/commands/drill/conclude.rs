//! Drills of this process: those that were lost are ended, one that is asked for takes place.

use std::sync::Arc;

use engine::ChaosMark;
use report::DrillReport;
use runbook::Occasion;
use runtime::{Clock, Store, SystemClock};
use server::drills::{Conductor, DrillError, LoadedDrill, Sandbox};
use tokio_util::sync::CancellationToken;

use super::watch::Watch;
use crate::args::{FindingFormat, Logged};
use crate::execute::kit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::Findings;
use crate::{out, people};

/// Ends the drills of a name whose processes were lost, and if one is about to begin in an estate, all that were lost there:
/// what has not ended is called off, then cleaned up and judged. One that goes on is told of, unless it is in the way.
pub(super) async fn take_up(
    store: &Arc<dyn Store>,
    drill: &str,
    begins_in: Option<&str>,
    json: bool,
) -> Result<(), Failure> {
    let (kit, actor, mut watch) = (kit(store, Logged::default().run_logs), people::actor(), Watch::new(json));
    let stop = CancellationToken::new();
    let mut conductor = Conductor { kit: &kit, clock: &SystemClock, actor: &actor, observer: &mut watch, stop };
    for entry in store.unfinished_drills(None).await? {
        let own = entry.claim.drill == drill;
        let there = match begins_in.filter(|_| !own) {
            Some(estate) => Sandbox::of(&**store, &entry.claim).await.may_be(estate),
            None => false,
        };
        if !own && !there {
            continue;
        }
        if !json {
            out::note(&format!("drill {} was not ended: it is cleaned up first", entry.claim.run));
        }
        let report = match conductor.end(&entry).await {
            Err(error @ DrillError::Elsewhere { .. }) if there || begins_in.is_none() => {
                if !json {
                    out::note(&error.to_string());
                }
                continue;
            }
            ended => ended?,
        };
        if !json {
            out::note(report::render_drill(&report).trim_end());
        }
    }
    Ok(())
}

/// Has a drill take place now. What `stop` calls off is cleaned up all the same. What was found instead of plans has been
/// shown.
pub(super) async fn take_place(
    store: &Arc<dyn Store>,
    loaded: &LoadedDrill,
    (seed, chaos): (Option<u64>, bool),
    stop: CancellationToken,
    json: bool,
) -> Result<Result<DrillReport, Exit>, Failure> {
    let now = SystemClock.now();
    let occasion = Occasion { slot: now, seed, chaos: chaos.then_some(ChaosMark::Undisturbed) };
    let ready = match loaded.ready(&occasion, now) {
        Ok(ready) => ready,
        Err(DrillError::Refused(refused)) => {
            let form = if json { FindingFormat::Json } else { FindingFormat::Text };
            let mut findings = Findings::new(form, json);
            findings.tell(&refused.diagnostics, refused.source(&loaded.drill, &loaded.runbook));
            findings.finish();
            return Ok(Err(Exit::BadInput));
        }
        Err(error) => return Err(error.into()),
    };
    if !json {
        let (drawn, all) = (ready.plans.run.site_count(), loaded.list.len());
        out::note(&format!("drill {}: {drawn} of {all} sites; its clean-up is done whatever happens", ready.claim.run));
    }
    let (kit, actor, mut watch) = (kit(store, Logged::default().run_logs), people::actor(), Watch::new(json));
    let mut conductor = Conductor { kit: &kit, clock: &SystemClock, actor: &actor, observer: &mut watch, stop };
    Ok(Ok(match chaos {
        true => conductor.take_place_in_chaos(loaded, &ready).await?,
        false => conductor.take_place(&ready).await?,
    }))
}
