//! Launching a plan that was shown, and going on with a run that nobody drives.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use runtime::{Clock, Severity, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::access::Who;
use crate::api::Problem;
use crate::api::acted::acted;
use crate::api::body::{At, Body};
use crate::app::App;
use crate::certificate;
use crate::drivers::StartError;
use crate::launch::{create_run, default_run_name, is_run_name, open_run};
use crate::planning::ShownPlan;
use crate::planning::preflight::Preflight;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Launching {
    /// Hash of the plan that was looked at, or its first 8 characters or more.
    pub(crate) plan: String,
    /// The number of its sites, typed back by whoever launches it.
    pub(crate) count: u32,
    /// Name of the run; the runbook's and the time if it is left out.
    pub(crate) name: Option<String>,
    /// Whether the estate is not asked first whether the plan can work.
    #[serde(default)]
    pub(crate) no_preflight: bool,
    /// Whether sites that another run holds are left out.
    #[serde(default)]
    pub(crate) skip_held: bool,
}

/// A run that was launched.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Launched {
    /// Its name.
    pub(crate) run: String,
    /// Hash of its plan.
    plan: String,
    /// Whether it waits for somebody else's approval before it starts.
    waits_for_approval: bool,
}

/// Launches a plan that was shown; this process drives it. Whoever launches it is who asked for it, and may not approve it.
#[utoipa::path(post, path = "/api/v1/runs", tag = "plans", request_body = Launching,
    responses((status = 200, body = Launched), (status = "default", body = Problem)))]
pub(crate) async fn launch(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Body(asked): Body<Launching>,
) -> Response {
    let mut what = asked.told();
    let launched = launched(&app, &who, asked).await;
    if let Ok(launched) = &launched {
        what["run"] = json!(launched.run);
    }
    acted(what, launched.map(Json))
}

impl Launching {
    /// What was asked, for the audit log. The name of a run that was launched without one is known afterwards.
    pub(crate) fn told(&self) -> Value {
        json!({
            "plan": self.plan, "count": self.count, "run": self.name, "no_preflight": self.no_preflight,
            "skip_held": self.skip_held,
        })
    }
}

pub(crate) async fn launched(app: &Arc<App>, who: &Who, asked: Launching) -> Result<Launched, Problem> {
    let now = SystemClock.now();
    let ShownPlan { plan, guard, .. } = shown(app, &asked.plan)?;
    if asked.count != plan.site_count() {
        let fact = format!("the plan has {} sites, not {}", plan.site_count(), asked.count);
        return Err(
            Problem::conflict("count-not-typed", fact, "look at the plan, and give the number it shows").at("count")
        );
    }
    let name = asked.name.unwrap_or_else(|| default_run_name(&plan, now));
    if !is_run_name(&name) {
        let fact = format!("`{}` cannot be the name of a run", report::plain(&name));
        let hint = "use 1 to 100 letters, digits, `-`, `_` and `.`, starting with a letter or digit";
        return Err(Problem::input("run-name", fact, hint).at("name"));
    }
    let kit = app.drivers.kit();
    certificate::demanded(&*kit.store, &plan, guard.as_ref(), now).await?;
    if !asked.no_preflight {
        let secrets = (kit.secrets)(&plan);
        let preflight = Preflight::of(&plan, &kit.connectors, &*secrets).await;
        let preflight = preflight.map_err(|why| Problem::input("plan-expressions", why, "change the runbook"))?;
        if !preflight.passes() {
            let hint = "plan with `preflight` for all of it; put it right, or launch with `no_preflight`";
            let first = preflight.rows.first().map(|row| &row.finding);
            let first = first.map_or_else(String::new, |found| format!("{}: {}", found.subject, found.fact));
            let errors = preflight.count(Severity::Error);
            let fact = format!("the estate says that it cannot work ({errors} errors); first: {first}");
            return Err(Problem::conflict("preflight-failed", report::plain(&fact), hint));
        }
    }
    create_run(&*kit.store, &name, &plan, &who.name, asked.skip_held).await?;
    // Before it is driven, so that it is this person's run whatever becomes of the process.
    open_run(&*kit.store, &name, &who.name).await?;
    let _ = app.drivers.start(&name, &who.name);
    Ok(Launched { run: name, plan: plan.hash().to_owned(), waits_for_approval: plan.spec().extras.start.is_some() })
}

/// A plan that was shown lately, by its hash or the beginning of it.
pub(crate) fn shown(app: &App, hash: &str) -> Result<ShownPlan, Problem> {
    app.plans.of(hash, SystemClock.now()).ok_or_else(|| {
        Problem::conflict("plan-unknown", "no plan of that hash was shown lately", "plan again, and look at it")
            .at("plan")
    })
}

/// A run that is driven here.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resumed {
    /// Its name.
    run: String,
    /// Whether this process drives it.
    driven_here: bool,
}

/// Goes on with a run that nobody drives.
#[utoipa::path(post, path = "/api/v1/runs/{run}/resume", tag = "plans", params(("run" = String, Path)),
    responses((status = 200, body = Resumed), (status = "default", body = Problem)))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
) -> Response {
    let what = json!({ "run": run });
    acted(what, resumed(&app, &who, run).await.map(Json))
}

pub(crate) async fn resumed(app: &Arc<App>, who: &Who, run: String) -> Result<Resumed, Problem> {
    let list = app.drivers.kit().store.list().await?;
    let Some(known) = list.into_iter().find(|known| known.head.run == run) else {
        let fact = format!("there is no run `{}`", report::plain(&run));
        return Err(Problem::missing("journal-no-such-run", fact, "look at the list of runs").at("run"));
    };
    if let Some(holder) = known.held_by.filter(|_| !app.drivers.drives(&run)) {
        let fact = format!("the run is driven by {}", report::plain(&holder));
        return Err(Problem::conflict("journal-held", fact, "stop that process, or wait until its lease expires"));
    }
    match app.drivers.start(&run, &who.name) {
        Ok(()) | Err(StartError::Driven) => Ok(Resumed { run, driven_here: true }),
        Err(error @ StartError::Stopping) => {
            Err(Problem::trouble("daemon-stopping", &error, "ask again when it has started"))
        }
    }
}
