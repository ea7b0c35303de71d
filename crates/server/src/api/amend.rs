//! Amending: another plan, which was shown before, for what a run has not begun.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use engine::Amendment;
use runtime::{Clock, SystemClock};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::access::Who;
use crate::api::acted::acted;
use crate::api::body::{Asked, At, Body};
use crate::api::verbs::{Recorded, taken};
use crate::api::{Problem, launch};
use crate::app::App;
use crate::certificate::demanded_of_amended;
use crate::planning::{ShownPlan, means_plan};
use crate::verbs::{Verb, VerbError};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct By {
    /// Hash of a plan that was shown, or its first 8 characters or more.
    plan: String,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Amending {
    /// Hash of the plan whose difference was looked at, or its first 8 characters or more.
    pub(crate) plan: String,
    /// Hash of the run's plan that the difference is from, or its first 8 characters or more: nothing is changed if the run
    /// goes by another one by now.
    pub(crate) from: String,
    /// Why; it stands in the journal.
    pub(crate) reason: String,
}

impl Amending {
    /// What is asked, for the audit log.
    pub(crate) fn told(&self, run: &str) -> Value {
        json!({ "run": run, "plan": self.plan, "from": self.from, "reason": self.reason })
    }
}

/// What a plan would change of a run.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// The run.
    pub(crate) run: String,
    /// Hash of the plan.
    pub(crate) plan: String,
    /// Hash of the plan that the run goes by, from which the difference is.
    pub(crate) from: String,
    /// A line for each thing that differs.
    pub(crate) lines: Vec<String>,
    /// The same for programs: `steps` and `beside`.
    #[schema(value_type = Object)]
    pub(crate) change: Value,
}

/// Shows what a plan would change of a run: nothing is changed. The plan is one that `POST /plans` has shown, of the same sites.
#[utoipa::path(get, path = "/api/v1/runs/{run}/amendment", tag = "plans", params(("run" = String, Path), By),
    responses((status = 200, body = Difference), (status = "default", body = Problem)))]
pub(crate) async fn difference(
    State(app): State<Arc<App>>,
    At(run): At<String>,
    Asked(By { plan }): Asked<By>,
) -> Result<Json<Difference>, Problem> {
    differs(&app, run, &plan).await.map(Json)
}

/// What a plan that was shown would change of a run as it is now.
pub(crate) async fn differs(app: &App, run: String, plan: &str) -> Result<Difference, Problem> {
    let shown = launch::shown(app, plan)?;
    let (from, amendment) = compared(app, &run, &shown, None).await?;
    let (lines, change) = (report::amendment_lines(&amendment), report::amendment_json(&amendment));
    Ok(Difference { run, plan: shown.plan.hash().to_owned(), from: from.hash().to_owned(), lines, change })
}

/// Has a run go by another plan in what it has not begun.
#[utoipa::path(post, path = "/api/v1/runs/{run}/amend", tag = "verbs", params(("run" = String, Path)),
    request_body = Amending, responses((status = 200, body = Recorded), (status = "default", body = Problem)))]
pub(crate) async fn amend(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(run): At<String>,
    Body(asked): Body<Amending>,
) -> Response {
    acted(asked.told(&run), amended(&app, &who, &run, &asked).await.map(Json))
}

/// Has a run go by a plan that was shown, if it goes by the one that this was compared with.
pub(crate) async fn amended(app: &Arc<App>, who: &Who, run: &str, asked: &Amending) -> Result<Recorded, Problem> {
    let shown = launch::shown(app, &asked.plan)?;
    let (old, _) = compared(app, run, &shown, Some(&asked.from)).await?;
    let store = &*app.drivers.kit().store;
    demanded_of_amended(store, run, (&old, &shown.plan), shown.guard.as_ref(), SystemClock.now()).await?;
    taken(app, who, run, &asked.reason, &Verb::amend(&old, &shown.plan)?).await
}

/// The plan of a run, and what another would change of it; refused unless it is the plan `from`, if that is given.
async fn compared(
    app: &App,
    run: &str,
    shown: &ShownPlan,
    from: Option<&str>,
) -> Result<(Arc<engine::Plan>, Amendment), Problem> {
    let mut watch = app.followers.watch(run).await?;
    watch.fresh().await?;
    // On a copy: a large plan takes its time.
    let fold = watch.fold().await?;
    let now = fold.plan().hash();
    if let Some(from) = from.filter(|from| !means_plan(from, now)) {
        let other = VerbError::PlanOther { from: report::plain(from), now: now.to_owned() };
        return Err(Problem::from(other).at("from"));
    }
    let plan = Arc::clone(&shown.plan);
    let compared = tokio::task::spawn_blocking(move || {
        let amendment = fold.run().amendment(&plan);
        (Arc::clone(fold.run().plan()), amendment)
    });
    let (old, amendment) = compared.await.map_err(|_| Problem::defect())?;
    let hint = "what has begun stays as it is: change what comes later, or start a new run that adopts the sites";
    let amendment = amendment.map_err(|why| Problem::conflict("not-amendable", why.to_string(), hint).at("plan"))?;
    Ok((old, amendment))
}
