//! `plan`: what a run would do.

use std::path::Path;
use std::sync::Arc;

use engine::{ApprovalAt, Plan};
use report::{Drawings, Forecast, Model, OrderFinding};
use serde_json::Value;
use server::planning::view::{longest_path, no_return, scope, shared_undo, units};

use crate::args::{PlanCommand, Stored};
use crate::commands::report::fold;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::{order, out, plan_file, planning};

/// Seed of what is drawn and searched, so that the same files show the same plan.
const SEED: u64 = 1;

/// Shows the plan, with a better order if one was asked for and found.
pub(crate) async fn plan(args: &PlanCommand, json: bool) -> Result<Exit, Failure> {
    let plan = match planning::plan(&args.planned, json)? {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let model = model(&plan, args.from_run.as_deref(), &args.stored).await?;
    let (plan, finding) = order::searched(plan, &model, args.optimise, SEED, None)?;
    if let Some(path) = &args.output {
        plan_file::write(path, &plan)?;
    }
    let forecast = forecast(&plan, &model);
    let mut view = server::planning::plan_view(&plan, forecast.as_ref(), finding.as_ref());
    let preflight = if args.preflight { Some(planning::preflight(&plan).await?) } else { None };
    if json {
        if let Some(preflight) = &preflight {
            view["preflight"] = preflight.view();
        }
        out::json(&view);
    } else {
        let mut text = text(&plan, &view, forecast.as_ref(), finding.as_ref());
        if let Some(preflight) = &preflight {
            text.push_str(&format!("\n{}", preflight.text(true)));
        }
        text.push_str(&how_to_run(&plan, args.output.as_deref()));
        out::answer(&text);
    }
    Ok(if preflight.is_none_or(|preflight| preflight.passes()) { Exit::Done } else { Exit::BadInput })
}

/// What steps take: as `expect` says, or as an earlier run measured.
pub(crate) async fn model(plan: &Plan, from_run: Option<&str>, stored: &Stored) -> Result<Model, Failure> {
    let Some(name) = from_run else { return Ok(Model::expected(plan)) };
    let journal = stored.store.open().await?;
    Ok(Model::measured(plan, &fold(&*journal, name).await?))
}

/// How long it would take; `None` if nothing is known of how long steps take.
fn forecast(plan: &Arc<Plan>, model: &Model) -> Option<Forecast> {
    let how = Drawings { seeds: None, first_seed: SEED, changes: false };
    if model.is_grounded() { report::forecast(plan, model, how) } else { None }
}

/// What to type to run exactly this plan.
fn how_to_run(plan: &Plan, file: Option<&Path>) -> String {
    let hash = &plan.hash()[..16];
    match file {
        Some(file) => format!("\n\nrun it with   --plan-file {} --plan {hash}", file.display()),
        // An order that was searched for cannot be found again from the runbook alone.
        None if !plan.spec().extras.order.is_empty() => {
            "\n\nkeep it with  --output FILE, to run it with --plan-file FILE".to_owned()
        }
        None => format!("\n\nrun it with   --plan {hash}"),
    }
}

/// What has to be confirmed, a line each.
fn checklist(text: &mut String, items: &[String]) {
    items.iter().for_each(|item| text.push_str(&format!("\n      [ ] {}", report::plain(item))));
}

fn text(plan: &Plan, view: &Value, forecast: Option<&Forecast>, order: Option<&OrderFinding>) -> String {
    let spec = plan.spec();
    let mut text = format!(
        "{} on estate {}: {} sites, {} steps, {} units\n\nbatches",
        spec.origin.runbook,
        spec.origin.estate,
        plan.site_count(),
        spec.steps.len(),
        plan.unit_count(),
    );
    for ix in 0..plan.batch_count() {
        let batch = engine::BatchIx::from(ix as usize);
        let failures = spec.batches.max_failures[batch.ix()];
        text.push_str(&format!(
            "\n  {:>3}  {:>7} sites, stops at more than {failures} failed",
            ix + 1,
            plan.batch_sites(batch).len()
        ));
    }
    text.push_str("\n\nsteps");
    for step in plan.steps() {
        let spec_of = plan.step(step);
        let held: Vec<String> = spec_of
            .pools
            .iter()
            .map(|held| {
                let pool = &spec.pools[held.pool.ix()];
                let size = pool.slots.map_or_else(String::new, |slots| format!("={slots}"));
                format!("{}{size}", pool.name)
            })
            .collect();
        text.push_str(&format!(
            "\n  {:<24} {:<8} {:>8} units  {:<22} {}{}",
            spec_of.name,
            scope(plan, spec_of.scope),
            units(plan, step),
            plan.action(step).map_or("approval", |action| action.uses.as_str()),
            held.join(", "),
            match (spec_of.front_load, spec_of.finally) {
                (true, _) => " (front-loaded)",
                (_, true) => " (finally)",
                _ => "",
            },
        ));
        checklist(&mut text, plan.checklist(ApprovalAt::Step(step)));
    }
    for (of, what) in [(ApprovalAt::Start, "start"), (ApprovalAt::Batches, "each batch after the first")] {
        if !plan.checklist(of).is_empty() {
            text.push_str(&format!("\n\nto confirm before {what}"));
            checklist(&mut text, plan.checklist(of));
        }
    }
    text.push_str(&format!("\n\nlongest path  {}", longest_path(plan).join(" > ")));
    match forecast {
        Some(forecast) => {
            for (name, line) in report::forecast_lines(forecast) {
                text.push_str(&format!("\n{name:<14}{line}"));
            }
        }
        None => text.push_str("\nforecast      none: no step says how long it takes (`expect`)"),
    }
    if let Some(order) = order {
        text.push_str(&format!("\n{}", order::rows(order).trim_end()));
    }
    if let Some(loss) = view.get("data_loss_s").filter(|loss| !loss.is_null()) {
        text.push_str(&format!("\ndata loss     median {} s, worst {} s", loss["median"], loss["worst"]));
    }
    let new_ids = report::new_id_steps(plan);
    if !new_ids.is_empty() {
        text.push_str(&format!("\nnew IDs       each site gets one; {} tells which", new_ids.join(", ")));
    }
    let no_return = no_return(plan);
    let no_return =
        if no_return.is_empty() { "nothing: all can be taken back".to_owned() } else { no_return.join(", ") };
    text.push_str(&format!("\nno return     {no_return}"));
    let shared = shared_undo(plan);
    if !shared.is_empty() {
        text.push_str(&format!(
            "\nshared undo   {}: taken back with the whole run, not with one site",
            shared.join(", ")
        ));
    }
    text.push_str(&format!("\nhash          {}", plan.hash()));
    text
}
