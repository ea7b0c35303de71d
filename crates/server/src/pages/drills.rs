//! Drills: when they take place, how they went, whether the alarm is raised, and having one take place.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use report::DrillReport;
use serde_json::json;

use crate::access::Who;
use crate::api::body::At;
use crate::api::{Problem, Told};
use crate::app::App;
use crate::drills::{DrillShown, NotBegun};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};
use crate::pages::sites::encoded;

#[derive(Template)]
#[template(path = "drills.html")]
struct List {
    frame: Frame,
    drills: Vec<DrillShown>,
}

#[derive(Template)]
#[template(path = "drill.html")]
struct Page {
    frame: Frame,
    drill: DrillShown,
    /// Slot, run, result and the judgement in short, newest first.
    history: Vec<Past>,
    /// Steps and undos that no drill has ever run.
    never: Vec<String>,
    findings: Vec<String>,
}

/// A drill that was.
struct Past {
    slot: String,
    run: String,
    result: &'static str,
    tone: &'static str,
    facts: String,
}

/// The list of drills.
pub(super) async fn list(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    page(&List { frame: Frame::of(&who, "/drills"), drills: crate::drills::shown(&app) })
}

/// One drill.
pub(super) async fn drill(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    let unknown = || Problem::from(NotBegun::Unknown(report::plain(&name)));
    let Some(drill) = crate::drills::shown(&app).into_iter().find(|drill| drill.drill == name) else {
        return Trouble(who, unknown()).into_response();
    };
    let detail = match app.drills.detail(&name).await {
        Ok(Some(detail)) => detail,
        Ok(None) => return Trouble(who, unknown()).into_response(),
        Err(error) => return Trouble(who, Problem::from(error)).into_response(),
    };
    let mut never = Vec::new();
    if let Some(readiness) = &detail.readiness {
        never.extend(readiness.never_run.iter().map(|step| report::plain(step)));
        never.extend(readiness.never_undone.iter().map(|step| format!("undo of {}", report::plain(step))));
    }
    page(&Page {
        frame: Frame::of(&who, "/drills"),
        history: detail.history.iter().map(Past::of).collect(),
        never,
        findings: drill
            .findings
            .iter()
            .flat_map(|file| file["diagnostics"].as_array().into_iter().flatten())
            .filter_map(|found| found["message"].as_str().map(report::plain))
            .collect(),
        drill,
    })
}

impl Past {
    fn of(judged: &DrillReport) -> Self {
        let objectives = judged.objectives.iter().map(|objective| {
            let measured = objective.measured.map_or_else(|| "not known".to_owned(), |value| format!("{value:.1}"));
            let word = if objective.passed { "met" } else { "MISSED" };
            format!("{} {word}: {measured} of {:.1}", report::plain(&objective.name), objective.asked)
        });
        let mut facts: Vec<String> = objectives.collect();
        facts.push(format!("{} of {} sites returned", judged.returned, judged.sites));
        facts.extend(judged.troubles.iter().map(|trouble| report::plain(trouble)));
        if !judged.leftovers.is_empty() {
            facts.push(format!("{} left over by the clean-up", judged.leftovers.len()));
        }
        if !judged.regressions.is_empty() {
            facts.push(format!("{} worse than the last good drill", judged.regressions.len()));
        }
        let (result, tone) = if judged.good { ("good", "good") } else { ("not good", "bad") };
        Self { slot: judged.slot.clone(), run: judged.run.clone(), result, tone, facts: facts.join("; ") }
    }
}

/// Has a drill take place now.
pub(super) async fn run(State(app): State<Arc<App>>, Extension(who): Extension<Who>, At(name): At<String>) -> Response {
    let told = Told(json!({ "drill": name }));
    let mut response = match app.drills.take_place(&name, &who.name, None) {
        Ok(_) => Redirect::to(&format!("/drills/{}", encoded(&name))).into_response(),
        Err(error) => Trouble(who, Problem::from(error)).into_response(),
    };
    response.extensions_mut().insert(told);
    response
}
