//! Launching from a browser: choose or bring the texts, look at the plan, type its size back.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Multipart, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::json;

use crate::access::Who;
use crate::api::body::Filled;
use crate::api::{Given, Launching, Planning, Problem, Told, launched, show};
use crate::app::App;
use crate::home::Shelves;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::pages::planned::{Found, Summary};
use crate::pages::sites::encoded;

#[derive(Template)]
#[template(path = "launch.html")]
struct Page<'a> {
    frame: Frame,
    shelves: Shelves,
    problem: Option<&'a Problem>,
}

#[derive(Template)]
#[template(path = "planned.html")]
struct PlannedPage<'a> {
    frame: Frame,
    summary: Option<Summary>,
    found: Vec<Found>,
    /// How many of them are good news.
    fine: usize,
    filled: &'a Go,
    problem: Option<&'a Problem>,
}

/// What is sent to launch a plan.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Go {
    #[serde(default)]
    plan: String,
    #[serde(default)]
    count: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    no_preflight: String,
}

/// The form.
pub(super) async fn form(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    page(&Page { frame: Frame::of(&who, "/launch"), shelves: app.home.list(), problem: None })
}

/// Plans, and shows the plan; nothing is changed.
pub(super) async fn plan(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Response {
    let planning = planning(multipart).await;
    let told = Told(planning.as_ref().map(Planning::told).unwrap_or_default());
    let planned = match planning {
        Ok(planning) => show(&app, &who, planning).await,
        Err(problem) => Err(problem),
    };
    let mut response = match planned {
        Ok(shown) => {
            let hash = shown.plan.as_ref().and_then(|plan| plan["hash"].as_str());
            let summary = hash.and_then(|hash| summary(&app, hash));
            let found = Found::of(&shown.findings, shown.preflight.as_ref());
            page(&PlannedPage {
                frame: Frame::of(&who, "/launch"),
                summary,
                fine: fine(&found),
                found,
                filled: &Go::default(),
                problem: None,
            })
        }
        Err(problem) => {
            let frame = Frame::of(&who, "/launch");
            dressed(&Page { frame, shelves: app.home.list(), problem: Some(&problem) }, &problem)
        }
    };
    response.extensions_mut().insert(told);
    response
}

/// Reads the form: names of files of the home, or files that are sent along; a file that is sent goes before a name.
pub(super) async fn planning(
    multipart: Result<Multipart, axum::extract::multipart::MultipartRejection>,
) -> Result<Planning, Problem> {
    let bad = |status: StatusCode, fact: String| {
        Problem::new(
            status,
            "form",
            fact,
            "go back and fill the form in again; large lists go into the daemon's folder",
        )
    };
    let mut multipart = multipart.map_err(|error| bad(error.status(), crate::words::chain(&error)))?;
    let mut fields = BTreeMap::<String, Given>::new();
    let mut inputs = BTreeMap::new();
    let mut preflight = false;
    let mut uncertified = None;
    while let Some(field) = multipart.next_field().await.map_err(|error| bad(error.status(), error.body_text()))? {
        let (name, file) = (field.name().unwrap_or_default().to_owned(), field.file_name().map(str::to_owned));
        let text = field.text().await.map_err(|error| bad(error.status(), error.body_text()))?;
        match (name.as_str(), file) {
            ("inputs", _) => inputs = read_inputs(&text)?,
            ("preflight", _) => preflight = true,
            ("uncertified", _) => uncertified = Some(text.trim().to_owned()).filter(|reason| !reason.is_empty()),
            (_, Some(file)) if !text.is_empty() => {
                let given = Given { name: Some(file), text: Some(text) };
                fields.insert(name.trim_end_matches("_file").to_owned(), given);
            }
            (_, None) if !text.is_empty() => {
                fields.entry(name).or_insert(Given { name: Some(text), text: None });
            }
            _ => {}
        }
    }
    let mut take = |field: &'static str| {
        fields.remove(field).ok_or_else(|| {
            Problem::input("form", format!("no {field} was chosen"), "choose a file of the daemon, or bring one")
                .at(field)
        })
    };
    let (runbook, estate, sites) = (take("runbook")?, take("estate")?, take("sites")?);
    Ok(Planning { runbook, estate, sites, inputs, exclude: BTreeMap::new(), preflight, uncertified })
}

/// Reads `NAME=VALUE`, one a line.
fn read_inputs(text: &str) -> Result<BTreeMap<String, String>, Problem> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &str| {
        let (name, value) = line.split_once('=').ok_or_else(|| {
            Problem::input("form", format!("`{}` has no `=`", report::plain(line)), "write NAME=VALUE, one a line")
                .at("inputs")
        })?;
        Ok((name.trim().to_owned(), value.to_owned()))
    };
    lines.map(pair).collect()
}

fn fine(found: &[Found]) -> usize {
    found.iter().filter(|one| one.tone == "good").count()
}

/// Launches the plan that was shown.
pub(super) async fn go(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    Filled(go): Filled<Go>,
) -> Response {
    let mut told = json!({ "plan": go.plan, "count": go.count, "run": go.name });
    let mut response = match launching(&go) {
        Ok(asked) => {
            told = asked.told();
            match launched(&app, &who, asked).await {
                Ok(launched) => {
                    told["run"] = json!(launched.run);
                    Redirect::to(&format!("/runs/{}", encoded(&launched.run))).into_response()
                }
                Err(problem) => refused(&app, who, &go, &problem),
            }
        }
        Err(problem) => refused(&app, who, &go, &problem),
    };
    response.extensions_mut().insert(Told(told));
    response
}

fn launching(go: &Go) -> Result<Launching, Problem> {
    let count = go.count.trim().parse().map_err(|_| {
        Problem::input("count-not-typed", "the number of sites was not typed", "type the number that the plan shows")
            .at("count")
    })?;
    let name = Some(go.name.trim().to_owned()).filter(|name| !name.is_empty());
    let no_preflight = go.no_preflight == "yes";
    Ok(Launching { plan: go.plan.clone(), count, name, no_preflight, skip_held: false })
}

/// What was shown of a plan, as long as it is kept.
fn summary(app: &App, hash: &str) -> Option<Summary> {
    app.plans.of(hash, SystemClock.now()).as_ref().map(Summary::of)
}

/// The plan again, with why it was not launched.
fn refused(app: &App, who: Who, go: &Go, problem: &Problem) -> Response {
    let Some(summary) = summary(app, &go.plan) else { return Trouble(who, problem.clone()).into_response() };
    let frame = Frame::of(&who, "/launch");
    dressed(
        &PlannedPage { frame, summary: Some(summary), found: Vec::new(), fine: 0, filled: go, problem: Some(problem) },
        problem,
    )
}
