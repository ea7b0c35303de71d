//! Planning: what a run would do, shown before anything is launched.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use engine::Plan;
use report::{Drawings, Model};
use runbook::{Diagnostic, Guard, Source};
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::{Permission, Role, Who};
use crate::api::acted::acted;
use crate::api::body::Body;
use crate::api::{Problem, runs};
use crate::app::App;
use crate::certificate::{self, CertificateError};
use crate::home::{Home, Shelf, ShelfError, Shelves};
use crate::planning::preflight::Preflight;
use crate::planning::{Texts, plan_of, plan_view};

/// Longest body of a plan: a list of some hundred thousand sites.
pub(crate) const BODY_MAX: usize = 64 << 20;
/// Findings told of one text.
const FINDINGS: usize = 500;

/// Lists the files of the daemon's folder, of which plans can be made.
#[utoipa::path(get, path = "/api/v1/home", tag = "plans",
    responses((status = 200, body = Shelves), (status = "default", body = Problem)))]
pub(crate) async fn home(State(app): State<Arc<App>>) -> Json<Shelves> {
    Json(app.home.list())
}

/// A file of the daemon's folder by its `name`, or a `text` that is sent along.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Given {
    /// Name of a file; with `text`, the name by which findings call it.
    pub(crate) name: Option<String>,
    /// The text itself.
    pub(crate) text: Option<String>,
}

#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Planning {
    /// The runbook.
    pub(crate) runbook: Given,
    /// The estate. To send a text takes the role admin: an estate says who approves, and what secrets are read.
    pub(crate) estate: Given,
    /// The site list, CSV or JSON.
    pub(crate) sites: Given,
    /// Values of inputs, by name.
    #[serde(default)]
    pub(crate) inputs: BTreeMap<String, String>,
    /// Reasons for leaving sites out, by ID.
    #[serde(default)]
    pub(crate) exclude: BTreeMap<String, String>,
    /// Whether the estate is asked, reading only, whether the plan can work.
    #[serde(default)]
    pub(crate) preflight: bool,
    /// The reason for going without the passed drill that the estate demands; a second person must approve it then.
    pub(crate) uncertified: Option<String>,
}

impl Planning {
    /// What was asked, for the audit log: names, and what was sent along by its hash.
    pub(crate) fn told(&self) -> Value {
        let named = |given: &Given| match (&given.name, &given.text) {
            (name, Some(text)) => json!({ "name": name, "sent": blake3::hash(text.as_bytes()).to_hex().as_str() }),
            (name, None) => json!({ "name": name }),
        };
        json!({
            "runbook": named(&self.runbook), "estate": named(&self.estate), "sites": named(&self.sites),
            "uncertified": self.uncertified,
        })
    }
}

/// A plan, or why there is none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Shown {
    /// The plan: hash, batches, steps with their units, what cannot be taken back, forecast. `null` if there is none.
    #[schema(value_type = Option<Object>)]
    pub(crate) plan: Option<Value>,
    /// Whether whoever launches it must type the number of its sites back. It does no harm to do so always.
    pub(crate) count_asked: bool,
    /// The approval that it waits for before it starts, by somebody else than who launches it.
    #[schema(value_type = Option<Object>)]
    pub(crate) second_person: Option<Value>,
    /// Findings, by text, with places and hints.
    #[schema(value_type = Vec<Object>)]
    pub(crate) findings: Vec<Value>,
    /// What the estate said, if it was asked.
    #[schema(value_type = Option<Object>)]
    pub(crate) preflight: Option<Value>,
}

/// Makes a plan and shows it: nothing is changed. The plan is kept for four hours, to be launched by its hash. Mistakes in
/// the texts are findings, not refusals.
#[utoipa::path(post, path = "/api/v1/plans", tag = "plans", request_body = Planning,
    responses((status = 200, body = Shown), (status = "default", body = Problem)))]
pub(crate) async fn plan(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(planning): Body<Planning>,
) -> Response {
    let what = planning.told();
    let shown = show(&app, &who, planning).await;
    acted(what, shown.map(|shown| runs::json(serde_json::to_vec(&shown).unwrap_or_default())))
}

pub(crate) async fn show(app: &Arc<App>, who: &Who, planning: Planning) -> Result<Shown, Problem> {
    if planning.estate.text.is_some() && !who.role.may(Permission::Administer) {
        let fact = "only an admin may bring an estate along: it says who approves, and what secrets are read";
        let hint = format!("name a file in estates/, or ask somebody with the role {}", Role::Admin.word());
        return Err(Problem::new(http::StatusCode::FORBIDDEN, "role-missing", fact, hint).at("estate.text"));
    }
    let permit = app.large.acquire().await;
    let (home, catalogue) = (app.home.clone(), app.drivers.kit().catalogue());
    let (asks, uncertified) = (planning.preflight, planning.uncertified.clone());
    let made = tokio::task::spawn_blocking(move || {
        let texts = texts(&home, planning)?;
        let mut planned = plan_of(&texts, &catalogue);
        if let (Some(plan), Some(reason)) = (&planned.plan, &uncertified) {
            planned.plan = Some(without(plan, planned.guard.as_ref(), reason)?);
        }
        let forecast = planned.plan.as_ref().and_then(|plan| {
            let model = Model::expected(plan);
            let how = Drawings { seeds: None, first_seed: 1, changes: false };
            if model.is_grounded() { report::forecast(plan, &model, how) } else { None }
        });
        let view = planned.plan.as_ref().map(|plan| plan_view(plan, forecast.as_ref(), None));
        Ok::<_, Problem>((planned, view))
    });
    let (planned, view) = made.await.map_err(|_| Problem::defect())??;
    drop(permit);
    let mut preflight = None;
    let mut count_asked = false;
    if let (Some(plan), Some(view)) = (&planned.plan, &view) {
        let guard = planned.guard.as_ref();
        count_asked = guard.is_some_and(|guard| guard.guards(plan.site_count() as usize));
        app.plans.keep(plan.clone(), planned.guard.clone(), Arc::new(view.clone()), SystemClock.now());
        if asks {
            let kit = app.drivers.kit();
            let secrets = (kit.secrets)(plan);
            let asked = Preflight::of(plan, &kit.connectors, &*secrets).await;
            preflight =
                Some(asked.map_err(|why| Problem::input("plan-expressions", why, "change the runbook"))?.view());
        }
    }
    let start = planned.plan.as_ref().and_then(|plan| plan.spec().extras.start.as_ref());
    let mut findings: Vec<Value> = planned.found.iter().map(|(file, found)| findings_of(file, found)).collect();
    if let Some(why) = planned.refused {
        findings.push(json!({ "file": null, "errors": 1, "diagnostics": [{
            "code": "plan-refused", "severity": "error", "message": why, "labels": [],
            "hint": "change the runbook so that the engine can execute it",
        }] }));
    }
    Ok(Shown {
        plan: view,
        count_asked,
        second_person: start.map(|approval| json!({ "from": approval.from, "min": approval.min.max(1) })),
        findings,
        preflight,
    })
}

fn without(plan: &Plan, guard: Option<&Guard>, reason: &str) -> Result<Arc<Plan>, CertificateError> {
    let spec = certificate::waived(plan.spec().clone(), guard, reason)?;
    Plan::new(spec).map_err(|error| CertificateError::Plan(crate::words::chain(&error)))
}

fn findings_of(file: &str, found: &[Diagnostic]) -> Value {
    let errors = found.iter().filter(|found| found.is_error()).count();
    let shown = &found[..found.len().min(FINDINGS)];
    json!({
        "file": file, "errors": errors, "warnings": found.len() - errors, "more": found.len() - shown.len(),
        "diagnostics": shown,
    })
}

fn texts(home: &Home, planning: Planning) -> Result<Texts, Problem> {
    Ok(Texts {
        runbook: source(home, Shelf::Runbooks, "runbook", planning.runbook)?,
        estate: source(home, Shelf::Estates, "estate", planning.estate)?,
        sites: source(home, Shelf::Sites, "sites", planning.sites)?,
        inputs: planning.inputs,
        exclude: planning.exclude,
    })
}

fn source(home: &Home, shelf: Shelf, field: &str, given: Given) -> Result<Source, Problem> {
    let (name, bytes) = match (given.name, given.text) {
        (name, Some(text)) => (report::plain(&name.unwrap_or_else(|| format!("<{field}>"))), text.into_bytes()),
        (Some(name), None) => {
            let bytes = home.read(shelf, &name).map_err(|error| unread(&error).at(format!("{field}.name")))?;
            (format!("{}/{name}", shelf.folder()), bytes)
        }
        (None, None) => {
            let fact = format!("`{field}` names no file and holds no text");
            return Err(Problem::input("plan-form", fact, "give `name` or `text`").at(field));
        }
    };
    Source::from_bytes(name, &bytes).map_err(|found| {
        let hint = found.hint.clone().unwrap_or_default();
        Problem::input(found.code, found.message.clone(), hint).at(field)
    })
}

fn unread(error: &ShelfError) -> Problem {
    let hint = "`GET /api/v1/home` lists the files";
    match error {
        ShelfError::Name { .. } => Problem::input("home-name", error.to_string(), hint),
        ShelfError::Missing { .. } => Problem::missing("home-missing", error.to_string(), hint),
        ShelfError::TooLong { .. } => Problem::input("home-too-long", error.to_string(), "split the list"),
        ShelfError::File { .. } => Problem::trouble("home-unreadable", error, "check the file's permissions"),
    }
}
