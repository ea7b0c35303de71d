//! The page of a site.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use runtime::{Clock, SystemClock};

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::At;
use crate::app::App;
use crate::live::{SiteDetail, site_detail};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};
use crate::pages::words::tone_of;
use crate::verbs::subject;

#[derive(Template)]
#[template(path = "site.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    site: &'a SiteDetail,
    tone: &'static str,
    stores: Vec<(String, String)>,
    verbs: Vec<(&'static str, &'static str, &'static str)>,
}

/// The page of a site.
pub(super) async fn site(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At((name, id)): At<(String, String)>,
) -> Response {
    match detail(&app, &name, id).await {
        Ok(site) => page(&Page {
            frame: Frame::of(&who, "/runs"),
            name: &name,
            tone: tone_of(site.state),
            stores: stores(&site),
            verbs: verbs(site.state),
            site: &site,
        }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn detail(app: &App, name: &str, id: String) -> Result<SiteDetail, Problem> {
    let mut watch = app.followers.watch(name).await?;
    let _ = watch.fresh().await?;
    let now = SystemClock.now();
    let found = watch.ask(move |fold| {
        let site = subject::site(fold.run(), &id)?;
        Ok(site_detail(fold, site, now, &report::Typed::default()))
    });
    found.await?.map_err(|error: crate::verbs::VerbError| error.into())
}

/// What can be done about a site in a state.
fn verbs(state: &str) -> Vec<(&'static str, &'static str, &'static str)> {
    match state {
        "quarantined" | "degraded" => vec![
            ("retry", "Retry", "go needs-operate"),
            ("retry-from", "Retry from a step", "needs-operate"),
            ("undo", "Undo", "harm needs-operate"),
            ("release", "Release", "harm needs-operate"),
        ],
        "returned" => {
            vec![("retry-from", "Retry from a step", "needs-operate"), ("undo", "Undo", "harm needs-operate")]
        }
        "restoring" | "waiting" => vec![
            ("quarantine", "Quarantine", "harm needs-operate"),
            ("exclude", "Exclude", "harm needs-operate"),
            ("undo", "Undo", "harm needs-operate"),
            ("release", "Release", "harm needs-operate"),
        ],
        "excluded" | "released" => vec![("adopt", "Adopt from another run", "go needs-operate")],
        _ => Vec::new(),
    }
}

fn stores(site: &SiteDetail) -> Vec<(String, String)> {
    let said = |store: &crate::live::StoreOfSite| {
        let words = serde_json::to_value(store).unwrap_or_default();
        let mut words: Vec<String> = words
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| *name != "store" && !value.is_null())
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                format!("{}: {}", name.replace('_', " "), report::plain(&value))
            })
            .collect();
        words.sort();
        words.join("; ")
    };
    site.stores.iter().map(|store| (store.store.clone(), said(store))).collect()
}
