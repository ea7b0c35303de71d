//! `amend`: another runbook for what a run has not started.

use std::collections::BTreeMap;

use engine::{Amendment, Plan};
use runtime::{Clock, SystemClock};
use serde_json::json;
use server::certificate::demanded_of_amended;
use server::planning::means_plan;
use server::verbs::{Verb, VerbError};

use crate::args::{Amend, FindingFormat};
use crate::ask::{self, Asked};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::planning::{self, Findings};
use crate::{out, planning::overrides};

/// Shows what another runbook would change of a run, and changes it if that was agreed.
pub(crate) async fn amend(args: Amend, json: bool) -> Result<Exit, Failure> {
    let store = args.stored.store.open().await?;
    let run = runtime::recover(&*store, &args.name, |_, _| {}).await?.run;
    let mut findings = Findings::new(FindingFormat::Text, json);
    let inputs = overrides(&args.planned.inputs)?;
    let excluded = run.plan().spec().extras.excluded.iter();
    let mut exclude: BTreeMap<String, String> = excluded.map(|site| (site.id.clone(), site.reason.clone())).collect();
    exclude.extend(planning::left_out(&args.planned.exclude)?);
    let resolved = planning::resolve(&args.planned, &inputs, &exclude, &mut findings)?;
    let Some(plan) = resolved.filter(|_| findings.errors() == 0) else {
        findings.finish();
        return Ok(Exit::BadInput);
    };
    let from = run.plan().hash();
    if let Some(looked) = args.from.as_deref().filter(|looked| !means_plan(looked, from)) {
        return Err(VerbError::PlanOther { from: looked.to_owned(), now: from.to_owned() }.into());
    }
    if plan.hash() == from {
        out::answer("nothing differs");
        return Ok(Exit::Done);
    }
    let amendment = run.amendment(&plan).map_err(|why| {
        Failure::input(
            "not-amendable",
            why.to_string(),
            "what has begun stays as it is: change what comes later, or start a new run that adopts the sites",
        )
    })?;
    if !json {
        out::answer(&report::amendment_lines(&amendment).join("\n"));
    }
    let agreed = match &args.plan {
        Some(hash) if means_plan(hash, plan.hash()) => true,
        Some(hash) => {
            return Err(Failure::input(
                "plan-changed",
                format!("the amended plan is {}, not {hash}", plan.hash()),
                "look at the difference, and give the hash it shows (at least 8 characters)",
            ));
        }
        None => args.yes,
    };
    if agreed {
        let guard = planning::guard(&args.planned.estate)?;
        let plans = (run.plan().as_ref(), plan.as_ref());
        demanded_of_amended(&*store, &args.name, plans, guard.as_ref(), SystemClock.now()).await?;
    }
    let reason = args.reason.as_deref().unwrap_or_default();
    let asked = if agreed {
        let verb = Verb::amend(run.plan(), &plan)?;
        Some(ask::take(&*store, &args.name, reason, &verb).await?)
    } else {
        None
    };
    tell(&args, (from, &plan), &amendment, asked, json);
    Ok(Exit::Done)
}

fn tell(args: &Amend, (from, plan): (&str, &Plan), amendment: &Amendment, asked: Option<Asked>, json: bool) {
    if json {
        let mut told = report::amendment_json(amendment);
        told["run"] = json!(args.name);
        told["plan"] = json!(plan.hash());
        told["from"] = json!(from);
        told["applied"] = json!(asked.is_some());
        out::json(&told);
        return;
    }
    out::answer(&match asked {
        None => {
            format!(
                "nothing is changed yet; to apply it, repeat this with --reason ... --from {} --plan {}",
                &from[..16],
                &plan.hash()[..16]
            )
        }
        Some(Asked::OfDriver) => "amended by the process that drives the run".to_owned(),
        Some(Asked::InJournal) => format!(
            "amended; nobody drives the run now: `reinstate resume {} --store {}` goes on",
            args.name, args.stored.store
        ),
    });
}
