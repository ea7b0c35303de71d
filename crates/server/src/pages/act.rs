//! Doing something to a run: first a page that says what it means and touches, then the deed.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use runtime::{Clock, SystemClock};
use serde::Deserialize;

use crate::access::Who;
use crate::api::body::{Asked, At, Filled as Form};
use crate::api::{Problem, Told, resumed, validates};
use crate::app::App;
use crate::pages::acts::{self, Act, Filled, verb};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::pages::sites::encoded;
use crate::pages::touched::{Touches, touched};
use crate::verbs::subject;

#[derive(Deserialize)]
pub(super) struct Wanted {
    verb: String,
    #[serde(default)]
    subject: String,
}

#[derive(Template)]
#[template(path = "act.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    act: &'static Act,
    subject: &'a str,
    touches: Touches,
    steps: Vec<String>,
    checklist: Vec<String>,
    filled: &'a Filled,
    problem: Option<&'a Problem>,
}

/// The page before the deed.
pub(super) async fn form(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Asked(wanted): Asked<Wanted>,
) -> Response {
    let act = match acts::act(&wanted.verb) {
        Ok(act) => act,
        Err(problem) => return Trouble(who, problem).into_response(),
    };
    if !who.role.may(act.needs) {
        let fact = format!("the role {} may not do this", who.role.word());
        let hint = format!("it takes the role {}", act.needs.least().word());
        return Trouble(who, Problem::new(http::StatusCode::FORBIDDEN, "role-missing", fact, hint)).into_response();
    }
    match touched(&app, &name, &wanted.subject, act).await {
        Ok((touches, steps)) => page(&Page {
            frame: Frame::of(&who, "/runs"),
            name: &name,
            act,
            subject: &wanted.subject,
            touches,
            steps,
            checklist: checklist(&app, &name, act, &wanted.subject).await,
            filled: &Filled::default(),
            problem: None,
        }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

/// The deed.
pub(super) async fn act(
    act: &'static Act,
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let told = Told(act.told(&filled));
    let mut response = match done(&app, &who, &name, act, &filled).await {
        Ok(words) => {
            app.said.keep(&who, &name, words, SystemClock.now());
            Redirect::to(&format!("/runs/{}", encoded(&name))).into_response()
        }
        Err(problem) => refused(&app, who, &name, act, &filled, &problem).await,
    };
    response.extensions_mut().insert(told);
    response
}

/// Does it; gives what is said then.
async fn done(app: &Arc<App>, who: &Who, name: &str, act: &'static Act, filled: &Filled) -> Result<String, Problem> {
    if act.typed && filled.typed.trim() != name {
        return Err(Problem::input("not-typed", "what was typed is not the run's name", "type it as it stands there")
            .at("typed"));
    }
    if matches!(act.verb, "pass" | "fail") {
        validates(app, name, &filled.subject).await?;
    }
    match verb(act, filled)? {
        Some(verb) => app.act(name, &who.name, &filled.reason, &verb).await.map(drop)?,
        None => resumed(app, who, name.to_owned()).await.map(drop)?,
    }
    let waits = if act.confirms() { waits_for_more(app, name, &filled.subject).await } else { None };
    Ok(waits.unwrap_or_else(|| act.done.to_owned()))
}

/// What is said after an approval that was not the last one it takes.
pub(super) async fn waits_for_more(app: &App, name: &str, gate: &str) -> Option<String> {
    let missing = missing(app, name, gate).await;
    (missing > 0).then(|| format!("Your approval is recorded. It waits for {missing} more."))
}

/// People who have to approve besides those who have; none if it waits no longer.
async fn missing(app: &App, name: &str, gate: &str) -> usize {
    let Ok(mut watch) = app.followers.watch(name).await else { return 0 };
    let _ = watch.fresh().await;
    let gate = gate.to_owned();
    let asked = watch.ask(move |fold| {
        let request = fold.run().request(subject::gate(fold.run(), &gate).ok()?)?;
        Some(usize::from(request.approval.min.max(1)).saturating_sub(request.approved_by.len()))
    });
    asked.await.ok().flatten().unwrap_or(0)
}

/// What has to be confirmed; whether it was is asked again when it is done.
async fn checklist(app: &App, name: &str, act: &Act, gate: &str) -> Vec<String> {
    if !act.confirms() {
        return Vec::new();
    }
    let Ok(watch) = app.followers.watch(name).await else { return Vec::new() };
    let gate = gate.to_owned();
    let asked = watch.ask(move |fold| {
        let run = fold.run();
        subject::gate(run, &gate).map(|gate| run.checklist(gate).to_vec()).unwrap_or_default()
    });
    asked.await.unwrap_or_default()
}

/// The form again, with what stood in it and why it was not taken.
async fn refused(app: &App, who: Who, name: &str, act: &'static Act, filled: &Filled, problem: &Problem) -> Response {
    let Ok((touches, steps)) = touched(app, name, &filled.subject, act).await else {
        return Trouble(who, problem.clone()).into_response();
    };
    let page = Page {
        frame: Frame::of(&who, "/runs"),
        name,
        act,
        subject: &filled.subject,
        touches,
        steps,
        checklist: checklist(app, name, act, &filled.subject).await,
        filled,
        problem: Some(problem),
    };
    dressed(&page, problem)
}
