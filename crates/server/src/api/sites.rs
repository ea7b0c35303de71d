//! The sites of a run: pages of them, and one in detail.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::SiteIx;
use report::{Fold, Typed};
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::api::runs;
use crate::app::App;
use crate::live::{SiteLetter, site_detail};
use crate::verbs::{VerbError, subject};

/// Sites in one answer.
const MOST: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct Wanted {
    /// Only sites in this state.
    state: Option<String>,
    /// Only sites whose ID holds this.
    q: Option<String>,
    /// Only sites of this batch, from 1.
    batch: Option<u32>,
    /// Sites to leave out.
    #[serde(default)]
    from: usize,
    /// Sites at most; 100 if not said, 1000 at most.
    limit: Option<usize>,
}

/// Lists sites in the plan's order, with what each is at; `total` counts all that were asked for. Sites that the plan leaves
/// out come last.
#[utoipa::path(get, path = "/api/v1/runs/{run}/sites", tag = "sites", params(("run" = String, Path), Wanted),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    At(run): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Result<Response, Problem> {
    let known = |state: &&String| SiteLetter::ALL.iter().all(|(_, word)| word != *state);
    if let Some(state) = wanted.state.as_ref().filter(known) {
        let states: Vec<&str> = SiteLetter::ALL.iter().map(|(_, word)| *word).collect();
        let fact = format!("`{}` is no state of a site", report::plain(state));
        return Err(Problem::input("sites-state", fact, format!("use one of {}", states.join(", "))).at("state"));
    }
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    let page = watch.ask(move |fold| page(fold, &wanted)).await?;
    Ok(runs::json(page.to_string()))
}

fn page(fold: &Fold, wanted: &Wanted) -> Value {
    let run = fold.run();
    let spec = run.plan().spec();
    let limit = wanted.limit.unwrap_or(100).min(MOST);
    let by_id = |id: &str| wanted.q.as_ref().is_none_or(|part| id.contains(part.as_str()));
    let (mut total, mut rows) = (0_usize, Vec::new());
    let mut take = |row: &dyn Fn() -> Value| {
        total += 1;
        if total > wanted.from && rows.len() < limit {
            rows.push(row());
        }
    };
    for site in (0..run.plan().site_count()).map(SiteIx) {
        let by_state = wanted.state.as_ref().is_none_or(|state| report::site_state(run, site) == state);
        let by_batch = wanted.batch.is_none_or(|batch| u32::from(run.plan().batch_of(site).0) + 1 == batch);
        if by_state && by_batch && by_id(spec.sites.id(site)) {
            take(&|| json!(report::site_view(run, site)));
        }
    }
    let left_out = wanted.state.as_ref().is_none_or(|state| state == "excluded") && wanted.batch.is_none();
    for site in spec.extras.excluded.iter().filter(|site| left_out && by_id(&site.id)) {
        take(
            &|| json!({ "id": site.id, "row": site.row, "state": "excluded", "out_by": "plan", "reason": site.reason }),
        );
    }
    json!({ "total": total, "from": wanted.from, "sites": rows })
}

/// Shows one site: its attributes and restore point, its steps with their attempts, what its stores say, and what it waits
/// for.
#[utoipa::path(get, path = "/api/v1/runs/{run}/sites/{site}", tag = "sites",
    params(("run" = String, Path), ("site" = String, Path)),
    responses((status = 200, body = Object), (status = "default", body = Problem)))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    At((run, site)): At<(String, String)>,
) -> Result<Response, Problem> {
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    let typed = Typed { run, store: Some(app.place.clone()) };
    let detail = watch.ask(move |fold| {
        let site = subject::site(fold.run(), &site)?;
        Ok(site_detail(fold, site, SystemClock.now(), &typed))
    });
    let detail = detail.await?.map_err(VerbError::Subject)?;
    Ok(runs::json(serde_json::to_vec(&detail).unwrap_or_default()))
}
