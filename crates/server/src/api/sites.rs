//! The sites of a run: pages of them, and one in detail.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use engine::{ExcludedSite, SiteIx};
use http::StatusCode;
use report::{Fold, Typed};
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::api::runs;
use crate::app::App;
use crate::live::{SiteLetter, site_detail};
use crate::verbs::{VerbError, subject};

/// Sites in one answer.
const MOST: usize = 1_000;

/// Which sites are looked for.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
pub(crate) struct Wanted {
    /// Only sites in this state; empty for any.
    #[serde(default)]
    pub(crate) state: String,
    /// Only sites whose ID holds this.
    #[serde(default)]
    pub(crate) q: String,
    /// Only sites of this batch, from 1.
    pub(crate) batch: Option<u32>,
    /// Sites to leave out.
    #[serde(default)]
    pub(crate) from: usize,
    /// Sites at most; 100 if not said, 1000 at most.
    pub(crate) limit: Option<usize>,
}

/// A site that was found.
pub(crate) enum Site<'a> {
    /// One that the run restores.
    Restored(SiteIx),
    /// One that the plan leaves out.
    LeftOut(&'a ExcludedSite),
}

impl Wanted {
    /// The same, if its state is one of a site.
    pub(crate) fn sound(self) -> Result<Self, Problem> {
        let states = SiteLetter::ALL.map(|(_, word)| word);
        if self.state.is_empty() || states.contains(&self.state.as_str()) {
            return Ok(self);
        }
        let (fact, hint) = (
            format!("`{}` is no state of a site", report::plain(&self.state)),
            format!("use one of {}", states.join(", ")),
        );
        Err(Problem::new(StatusCode::BAD_REQUEST, "sites-state", fact, hint).at("state"))
    }

    /// How many sites are like that, and those of this page: in the plan's order, then those that the plan leaves out.
    pub(crate) fn find<T>(&self, fold: &Fold, show: impl Fn(Site<'_>) -> T) -> (usize, Vec<T>) {
        let run = fold.run();
        let spec = run.plan().spec();
        let limit = self.limit.unwrap_or(100).min(MOST);
        let (mut total, mut shown) = (0_usize, Vec::new());
        let mut take = |site: Site<'_>| {
            total += 1;
            if total > self.from && shown.len() < limit {
                shown.push(show(site));
            }
        };
        for site in (0..run.plan().site_count()).map(SiteIx) {
            let by_state = self.state.is_empty() || report::site_state(run, site) == self.state;
            let by_batch = self.batch.is_none_or(|batch| u32::from(run.plan().batch_of(site).0) + 1 == batch);
            if by_state && by_batch && spec.sites.id(site).contains(&self.q) {
                take(Site::Restored(site));
            }
        }
        let left_out = matches!(self.state.as_str(), "" | "excluded") && self.batch.is_none();
        for site in spec.extras.excluded.iter().filter(|site| left_out && site.id.contains(&self.q)) {
            take(Site::LeftOut(site));
        }
        (total, shown)
    }
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
    let wanted = wanted.sound()?;
    let mut watch = app.followers.watch(&run).await?;
    watch.fresh().await?;
    let page = watch.ask(move |fold| {
        let (total, sites) = wanted.find(fold, |site| match site {
            Site::Restored(site) => json!(report::site_view(fold.run(), site)),
            Site::LeftOut(ExcludedSite { id, row, reason }) => {
                json!({ "id": id, "row": row, "state": "excluded", "out_by": "plan", "reason": reason })
            }
        });
        json!({ "total": total, "from": wanted.from, "sites": sites })
    });
    Ok(runs::json(page.await?.to_string()))
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
