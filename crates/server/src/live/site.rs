//! One site in detail, worked out when it is asked for.

use engine::{Column, Flight, KeyIx, Millis, NodeState, Scope, SiteIx, StepIx, UnitIx, UnitState, Values};
use report::{ExceptionReport, Fold, StoreSaid, Typed};
use serde::Serialize;

/// Units of one step shown; a `for_each` may have thousands.
const UNITS: usize = 200;

/// A site with its steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct SiteDetail {
    /// Its ID.
    pub id: String,
    /// Its number in the plan's order, from 0: its place in the grid.
    pub number: u32,
    /// Its row in the site list, one-based.
    pub row: u32,
    /// Its batch, from 1.
    pub batch: u32,
    /// `returned`, `degraded`, `quarantined`, `undone`, `excluded`, `released`, `undoing`, `restoring`, `waiting`.
    pub state: &'static str,
    /// What the site list says of it, by name.
    pub attributes: Vec<(String, String)>,
    /// The point in time to which its data is brought back.
    pub restore_point: Option<String>,
    /// What it waits for, or why it is out, in sentences.
    pub why: Vec<String>,
    /// What is to blame if it did not return cleanly.
    pub exception: Option<ExceptionReport>,
    /// Run from which it was adopted.
    pub adopted_from: Option<String>,
    /// Its steps, those that it shares with other sites among them, in the runbook's order.
    pub steps: Vec<StepOfSite>,
    /// What its stores say of the restore point; empty until it is back.
    pub stores: Vec<StoreOfSite>,
}

/// What one store said; see `report`.
pub(crate) type StoreOfSite = StoreSaid;

/// A step of a site.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct StepOfSite {
    /// Its name.
    pub step: String,
    /// `site`, or what it shares the step with: `run`, `batch`, or the name of a group.
    pub scope: &'static str,
    /// `waiting`, `undecided`, `active`, `succeeded`, `skipped`, `degraded`, `failed`, `cancelled`, `undoing`, `undone`.
    pub state: &'static str,
    /// Whether a person settled it.
    pub by_a_person: bool,
    /// Its units; more than one with `for_each`.
    pub units: Vec<AttemptsOf>,
    /// Units beyond those.
    pub more: usize,
}

/// A unit and its attempts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct AttemptsOf {
    /// Its name, as verbs take it.
    pub unit: String,
    /// `waiting`, `ready`, `running`, `backoff`, `asked`, `parked`, `stuck`, `succeeded`, `degraded`, `failed`, `cancelled`,
    /// `undone`.
    pub state: &'static str,
    /// Attempts started, probes among them.
    pub attempts: u32,
    /// Whether an attempt is in flight.
    pub in_flight: bool,
    /// Code of its last failure.
    pub code: Option<String>,
    /// The fact.
    pub message: Option<String>,
    /// What can be done about it.
    pub hint: Option<String>,
}

/// Tells all that the fold knows of a site. Costs time in proportion to the steps, and to what the site waits for.
#[must_use]
pub(crate) fn site_detail(fold: &Fold, site: SiteIx, now: Millis, typed: &Typed) -> SiteDetail {
    let run = fold.run();
    let plan = run.plan();
    let spec = plan.spec();
    let id = spec.sites.id(site).to_owned();
    let why = report::why(run, &id, now, typed).unwrap_or_default();
    let steps = plan.steps().filter_map(|step| step_of_site(fold, step, site)).collect();
    SiteDetail {
        number: site.0,
        row: spec.sites.source_rows.get(site.ix()).copied().unwrap_or(0),
        batch: u32::from(plan.batch_of(site).0) + 1,
        state: report::site_state(run, site),
        attributes: attributes(fold, site),
        restore_point: plan.restore_point(Scope::Site, KeyIx(site.0)).map(report::stamp),
        why: why.iter().map(|line| report::plain(line)).collect(),
        exception: fold.exception(site),
        adopted_from: run.adopted_from(site).map(str::to_owned),
        steps,
        stores: fold.site_audit(site).map(|audit| audit.stores).unwrap_or_default(),
        id,
    }
}

fn attributes(fold: &Fold, site: SiteIx) -> Vec<(String, String)> {
    let sites = &fold.plan().spec().sites;
    let text = |column: &Column| match (&column.values, sites.value(column, site)) {
        (Values::Timestamp(times), _) => times.get(site.ix()).map(|&time| report::stamp(time)).unwrap_or_default(),
        (_, serde_json::Value::String(text)) => text,
        (_, other) => other.to_string(),
    };
    sites.columns.iter().map(|column| (column.name.clone(), report::plain(&text(column)))).collect()
}

fn step_of_site(fold: &Fold, step: StepIx, site: SiteIx) -> Option<StepOfSite> {
    let run = fold.run();
    let plan = run.plan();
    let spec = plan.step(step);
    let key = plan.covering_key(Scope::Site, KeyIx(site.0), spec.scope)?;
    let node = plan.node(step, key);
    let units = run.units_of(node);
    let more = units.len().saturating_sub(UNITS);
    Some(StepOfSite {
        step: spec.name.clone(),
        scope: match spec.scope {
            Scope::Run => "run",
            Scope::Batch => "batch",
            Scope::Site => "site",
            Scope::Group(_) => "group",
        },
        state: node_word(run.node_state(node)),
        by_a_person: run.is_decreed(node),
        units: units.take(UNITS).map(|unit| attempts_of(fold, UnitIx(unit))).collect(),
        more,
    })
}

fn attempts_of(fold: &Fold, unit: UnitIx) -> AttemptsOf {
    let run = fold.run();
    let failure = run.failure(unit);
    let text = |text: &str| report::plain(text);
    let flight: Option<Flight> = run.flight(unit);
    AttemptsOf {
        unit: run.unit_name(unit),
        state: run.unit_state(unit).map_or("waiting", unit_word),
        attempts: run.attempts(unit),
        in_flight: flight.is_some(),
        code: failure.map(|failure| text(&failure.code)),
        message: failure.map(|failure| text(&failure.message)),
        hint: failure.map(|failure| text(&failure.hint)).filter(|hint| !hint.is_empty()),
    }
}

fn node_word(state: NodeState) -> &'static str {
    match state {
        NodeState::Waiting => "waiting",
        NodeState::Undecided => "undecided",
        NodeState::Active => "active",
        NodeState::Succeeded => "succeeded",
        NodeState::Skipped => "skipped",
        NodeState::Degraded => "degraded",
        NodeState::Failed => "failed",
        NodeState::Cancelled => "cancelled",
        NodeState::Undoing => "undoing",
        NodeState::Undone => "undone",
    }
}

fn unit_word(state: UnitState) -> &'static str {
    match state {
        UnitState::Waiting => "waiting",
        UnitState::Ready => "ready",
        UnitState::Running => "running",
        UnitState::Backoff => "backoff",
        UnitState::Asked => "asked",
        UnitState::Parked => "parked",
        UnitState::Stuck => "stuck",
        UnitState::Succeeded => "succeeded",
        UnitState::Degraded => "degraded",
        UnitState::Failed => "failed",
        UnitState::Cancelled => "cancelled",
        UnitState::Undone => "undone",
    }
}
