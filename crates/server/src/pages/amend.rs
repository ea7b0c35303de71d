//! Changing a run from a browser: bring the changed runbook, look at the difference, say why.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Redirect, Response};
use runtime::{Clock, SystemClock};
use serde_json::json;

use crate::access::Who;
use crate::api::body::{At, Filled};
use crate::api::{Amending, Difference, Planning, Problem, Told, amended, differs, show};
use crate::app::App;
use crate::home::Shelves;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::pages::launch::planning;
use crate::pages::planned::Found;
use crate::pages::sites::encoded;

#[derive(Template)]
#[template(path = "amend.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    shelves: Shelves,
    problem: Option<&'a Problem>,
}

#[derive(Template)]
#[template(path = "amended.html")]
struct DifferencePage<'a> {
    frame: Frame,
    name: &'a str,
    found: Vec<Found>,
    difference: Option<Difference>,
    reason: &'a str,
    problem: Option<&'a Problem>,
}

/// The form.
pub(super) async fn form(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    match app.followers.watch(&name).await {
        Ok(_) => page(&Page { frame: Frame::of(&who, "/runs"), name: &name, shelves: app.home.list(), problem: None }),
        Err(error) => Trouble(who, error.into()).into_response(),
    }
}

/// Plans, and shows what the plan would change of the run; nothing is changed.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    multipart: Result<Multipart, MultipartRejection>,
) -> Response {
    let planning = planning(multipart).await;
    let told = Told(json!({ "run": name, "plan": planning.as_ref().map(Planning::told).unwrap_or_default() }));
    let mut response = match difference(&app, &who, &name, planning).await {
        Ok((found, difference)) => page(&DifferencePage {
            frame: Frame::of(&who, "/runs"),
            name: &name,
            found,
            difference,
            reason: "",
            problem: None,
        }),
        Err(problem) => {
            let frame = Frame::of(&who, "/runs");
            let page = Page { frame, name: &name, shelves: app.home.list(), problem: Some(&problem) };
            dressed(&page, &problem)
        }
    };
    response.extensions_mut().insert(told);
    response
}

async fn difference(
    app: &Arc<App>,
    who: &Who,
    name: &str,
    planning: Result<Planning, Problem>,
) -> Result<(Vec<Found>, Option<Difference>), Problem> {
    let mut planning = planning?;
    // What the run leaves out stays so.
    let watch = app.followers.watch(name).await?;
    let left_out = watch.ask(|fold| {
        let excluded = fold.plan().spec().extras.excluded.iter();
        excluded.map(|site| (site.id.clone(), site.reason.clone())).collect()
    });
    planning.exclude = left_out.await?;
    let shown = show(app, who, planning).await?;
    let hash = shown.plan.as_ref().and_then(|plan| plan["hash"].as_str());
    let difference = match hash {
        Some(hash) => Some(differs(app, name.to_owned(), hash).await?),
        None => None,
    };
    Ok((Found::of(&shown.findings, shown.preflight.as_ref()), difference))
}

/// Has the run go by the plan whose difference was shown.
pub(super) async fn go(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Filled(asked): Filled<Amending>,
) -> Response {
    let told = Told(asked.told(&name));
    let mut response = match amended(&app, &who, &name, &asked).await {
        Ok(_) => {
            let words = "The run goes by the changed plan in what it has not begun.".to_owned();
            app.said.keep(&who, &name, words, SystemClock.now());
            Redirect::to(&format!("/runs/{}", encoded(&name))).into_response()
        }
        Err(problem) => refused(&app, who, &name, &asked, &problem).await,
    };
    response.extensions_mut().insert(told);
    response
}

/// The difference as it is now, with why nothing was changed.
async fn refused(app: &App, who: Who, name: &str, asked: &Amending, problem: &Problem) -> Response {
    let Ok(now) = differs(app, name.to_owned(), &asked.plan).await else {
        return Trouble(who, problem.clone()).into_response();
    };
    let page = DifferencePage {
        frame: Frame::of(&who, "/runs"),
        name,
        found: Vec::new(),
        difference: Some(now),
        reason: &asked.reason,
        problem: Some(problem),
    };
    dressed(&page, problem)
}
