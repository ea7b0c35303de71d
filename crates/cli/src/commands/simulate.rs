//! `simulate`: how long a run would take, and what would hold it back.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::{Plan, PlanSpec};
use report::{Drawings, Forecast, OrderFinding};
use runbook::Estate;
use serde::Serialize;

use crate::args::{FindingFormat, Simulate};
use crate::commands::plan::model;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{self, Findings};
use crate::{order, out};

/// Forecasts a run before its first step.
pub(crate) async fn simulate(args: &Simulate, json: bool) -> Result<Exit, Failure> {
    let pools = pools(&args.pools)?;
    let mut findings = Findings::new(FindingFormat::Text, json);
    let Some(plan) = plan(args, &pools, &mut findings)? else {
        findings.finish();
        if args.estate.is_none() {
            out::note("hint: what reads `estate` or `secrets` needs `--estate FILE`");
        }
        return Ok(Exit::BadInput);
    };
    let model = model(&plan, args.from_run.as_deref(), &args.stored).await?;
    let (plan, finding) = order::searched(plan, &model, args.optimise, args.seed, args.seeds)?;
    let how = Drawings { seeds: args.seeds, first_seed: args.seed, changes: true };
    let forecast = report::forecast(&plan, &model, how).ok_or_else(|| {
        Failure::input(
            "simulate-endless",
            "the run would stand still before its end",
            "look at `reinstate plan`: something waits for what never comes",
        )
    })?;
    if json {
        out::json(&Simulated { forecast, order: finding });
    } else {
        let order = finding.map_or_else(String::new, |finding| format!("\n{}", order::rows(&finding)));
        out::answer(&format!("{}{order}", report::render_forecast(&forecast, out::width())));
    }
    Ok(Exit::Done)
}

/// The answer for programs.
#[derive(Serialize)]
struct Simulated {
    #[serde(flatten)]
    forecast: Forecast,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderFinding>,
}

/// The plan with the pools and batches that were asked for; `None` if something was found, which has been shown then.
fn plan(args: &Simulate, pools: &BTreeMap<String, u32>, findings: &mut Findings) -> Result<Option<Arc<Plan>>, Failure> {
    let inputs = planning::overrides(&args.inputs)?;
    let (runbook, estate) = match &args.estate {
        Some(estate) => planning::read_for(&args.runbook, estate, findings)?,
        None => {
            let none = Estate { name: "none".to_owned(), ..Estate::default() };
            (planning::read_runbook(&args.runbook, findings)?, Some(none))
        }
    };
    let Some(mut runbook) = runbook else { return Ok(None) };
    if let Some(sizes) = &args.batches {
        runbook = runbook.with_batch_sizes(sizes).map_err(|fact| {
            Failure::input(
                "simulate-batches",
                format!("--batches: {fact}"),
                "write sizes as in a runbook: 1,10,10%,rest",
            )
        })?;
    }
    let list = planning::read_sites(&args.sites, &runbook, findings)?;
    let (Some(estate), Some(list)) = (estate, list) else { return Ok(None) };
    match runbook::plan(&runbook, &estate, &list, &inputs, &BTreeMap::new()) {
        Ok(spec) => planning::admit(resized(spec, pools)?).map(Some),
        Err(found) => {
            findings.tell(&found, runbook.source());
            Ok(None)
        }
    }
}

/// Reads `--pool NAME=N`.
fn pools(given: &[String]) -> Result<BTreeMap<String, u32>, Failure> {
    let read = |text: &String| {
        let (name, slots) = text.split_once('=')?;
        let slots: u32 = slots.parse().ok().filter(|&slots| slots > 0)?;
        Some((name.to_owned(), slots))
    };
    given
        .iter()
        .map(|text| {
            read(text).ok_or_else(|| {
                Failure::input(
                    "simulate-pool",
                    format!("`--pool {}` is no pool with a number of slots", text.escape_debug()),
                    "write --pool NAME=N with N at least 1",
                )
            })
        })
        .collect()
}

fn resized(mut spec: PlanSpec, pools: &BTreeMap<String, u32>) -> Result<PlanSpec, Failure> {
    for (name, &slots) in pools {
        let Some(pool) = spec.pools.iter_mut().find(|pool| pool.name == *name) else {
            let known: Vec<&str> = spec.pools.iter().map(|pool| pool.name.as_str()).collect();
            return Err(Failure::input(
                "simulate-pool",
                format!("the runbook has no pool `{}`", name.escape_debug()),
                if known.is_empty() { "it has none".to_owned() } else { format!("its pools: {}", known.join(", ")) },
            ));
        };
        pool.slots = Some(slots);
    }
    Ok(spec)
}
