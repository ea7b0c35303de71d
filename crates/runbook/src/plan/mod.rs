//! Runbook + sites + estate + inputs -> a plan with no choice left open.

mod batches;
mod decide;
mod exclude;
mod groups;
mod inputs;
mod order;
mod points;
mod probe;
mod steps;

pub(crate) use order::subset;
pub(crate) use probe::keys_of;

use std::collections::BTreeMap;

use engine::{Origin, PLAN_FORMAT, PlanSpec};

use crate::approvers;
use crate::codes;
use crate::diagnostic::{self, Diagnostic, Text};
use crate::estate::Estate;
use crate::evaluate::Programs;
use crate::model::Runbook;
use crate::sites::SiteList;
use crate::source::Span;

/// Most sites of a plan.
const MAX_SITES: usize = 10_000_000;

/// Resolves everything that can be known before a run; overrides are texts by the names of inputs, excluded sites are
/// reasons by ID.
///
/// # Errors
/// If the runbook was checked for other `actions` than the estate's ([`crate::check_for`]), an input is missing or wrong, a secret or variable is not in the estate, an approval cannot be given by anybody
/// in the estate, an excluded ID is not in the list or none is left, an expression fails for a site, or a site would
/// lose more data than allowed; each names step, site and row.
pub fn plan(
    runbook: &Runbook,
    estate: &Estate,
    list: &SiteList,
    overrides: &BTreeMap<String, String>,
    exclude: &BTreeMap<String, String>,
) -> Result<PlanSpec, Vec<Diagnostic>> {
    planned(runbook, estate, list, overrides, exclude, 0)
}

/// Plans, with restore points so much earlier than the runbook's.
pub(crate) fn planned(
    runbook: &Runbook,
    estate: &Estate,
    list: &SiteList,
    overrides: &BTreeMap<String, String>,
    exclude: &BTreeMap<String, String>,
    earlier_ms: u64,
) -> Result<PlanSpec, Vec<Diagnostic>> {
    let text = Text::new(&runbook.source);
    let mut found = Vec::new();
    if list.is_empty() || list.len() > MAX_SITES {
        found.push(
            Diagnostic::error(
                codes::PLAN_LIMIT,
                format!("the list has {} sites", list.len()),
                format!("give 1 to {MAX_SITES} sites"),
            )
            .at(&text, Span::default(), ""),
        );
        return Err(found);
    }
    if runbook.actions != estate.actions {
        found.push(
            Diagnostic::error(
                codes::ESTATE_ACTIONS,
                format!("the runbook was not checked for the `actions` of the estate `{}`", estate.name),
                "check it for the estate that it is planned for",
            )
            .at(&text, Span::default(), ""),
        );
        return Err(found);
    }
    let inputs = inputs::resolve(runbook, overrides, &text, &mut found);
    let (rows, excluded) = exclude::kept(list, exclude, &text, &mut found);
    let sites = order::sorted(&runbook.targets, &list.sites, rows);
    let batches = batches::cut(&runbook.batches, sites.len());
    let mut spec = PlanSpec {
        format: PLAN_FORMAT,
        origin: Origin {
            runbook: runbook.name.clone(),
            runbook_file: runbook.source.name.clone(),
            runbook_text: runbook.source.text.clone(),
            sites_file: list.name.clone(),
            estate: estate.name.clone(),
        },
        sites,
        groups: Vec::new(),
        batches,
        pools: runbook.pools.iter().map(|pool| pool.spec.clone()).collect(),
        steps: Vec::new(),
        items: Vec::new(),
        inputs: inputs.to_string(),
        estate: estate.to_json().to_string(),
        objectives: runbook.objectives,
        extras: engine::Extras { excluded, ..engine::Extras::default() },
    };
    approvers::fill(runbook, estate, &mut spec, &text, &mut found);
    if diagnostic::has_errors(&found) {
        return Err(found);
    }
    groups::fill(runbook, &mut spec, &text, &mut found);
    if diagnostic::has_errors(&found) {
        return Err(found);
    }
    points::fill(runbook, &mut spec, earlier_ms, &text, &mut found);
    steps::fill(runbook, &mut spec);
    match Programs::new(&spec) {
        Ok(programs) => {
            decide::decide(runbook, &mut spec, &programs, &text, &mut found);
            probe::probe(runbook, &spec, &programs, &text, &mut found);
        }
        Err(broken) => found.extend(broken.into_iter().map(|broken| {
            let place = runbook.steps.get(broken.step).map(|step| step.span).unwrap_or_default();
            Diagnostic::error(
                codes::EXPR_SYNTAX,
                format!("{} in `{}`", broken.failed.fact, broken.failed.expression),
                "check the runbook again",
            )
            .at(&text, place, "")
        })),
    }
    let found = diagnostic::in_order(found);
    if diagnostic::has_errors(&found) { Err(found) } else { Ok(spec) }
}
