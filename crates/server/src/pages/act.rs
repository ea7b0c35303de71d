//! Doing something to a run: first a page that says what it means and touches, then the deed.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use engine::Gate;
use report::Fold;
use serde::Deserialize;

use crate::access::Who;
use crate::api::body::{Asked, At, Filled as Form};
use crate::api::{Problem, Told, resumed};
use crate::app::App;
use crate::pages::acts::{self, Act, Filled, verb};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::pages::sites::encoded;
use crate::verbs::{VerbError, subject};

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
    touches: Vec<(&'static str, String)>,
    steps: Vec<String>,
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
    match touched(&app, &name, wanted.subject.clone(), act).await {
        Ok((touches, steps)) => page(&Page {
            frame: Frame::of(&who, "/runs"),
            name: &name,
            act,
            subject: &wanted.subject,
            touches,
            steps,
            filled: &Filled::default(),
            problem: None,
        }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

/// What it would touch, and the names of the steps, as the run stands.
async fn touched(
    app: &App,
    name: &str,
    subject: String,
    act: &'static Act,
) -> Result<(Vec<(&'static str, String)>, Vec<String>), Problem> {
    let mut watch = app.followers.watch(name).await?;
    let view = watch.fresh().await?;
    let steps = view.snapshot.steps.iter().map(|step| step.name.clone()).collect();
    let mut touches = vec![("run", format!("{name}, {}", view.snapshot.state.word.to_lowercase()))];
    if !act.subject {
        let sites = view.snapshot.sites;
        let count = match act.verb {
            "retry-quarantined" => sites.quarantined,
            _ => sites.under_way + sites.waiting,
        };
        let what = if act.verb == "retry-quarantined" { "quarantined sites" } else { "sites not back yet" };
        touches.push((what, count.to_string()));
        return Ok((touches, steps));
    }
    let waits = view.snapshot.waits.items.iter().find(|item| item.subject == subject).cloned();
    if let Some(item) = waits {
        touches.push(("waits", item.fact));
        touches.push(("sites that it holds", item.sites.to_string()));
        touches.extend(item.more);
    }
    let more = watch.ask(move |fold| about(fold, &subject, act)).await??;
    touches.extend(more);
    Ok((touches, steps))
}

/// What is known of the subject; refused if there is nothing of that name.
fn about(fold: &Fold, subject: &str, act: &Act) -> Result<Vec<(&'static str, String)>, VerbError> {
    let run = fold.run();
    if let Ok(site) = subject::site(run, subject) {
        let view = report::site_view(run, site);
        return Ok(vec![
            ("site", subject.to_owned()),
            ("state", view.state.to_owned()),
            ("steps settled", format!("{} of {}", view.settled, view.of)),
        ]);
    }
    Ok(match act.verb {
        "approve" | "reject" | "pass" | "fail" => subject::gate(run, subject).map(|_| Vec::new())?,
        "pool" => subject::pool(run, subject).map(|_| Vec::new())?,
        _ => subject::node(run, subject).map(|_| Vec::new())?,
    })
}

/// The deed.
pub(super) async fn act(
    act: &'static Act,
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let told = Told(serde_json::json!({ "verb": act.verb, "subject": filled.subject, "reason": filled.reason }));
    let mut response = match done(&app, &who, &name, act, &filled).await {
        Ok(()) => Redirect::to(&format!("/runs/{}?did={}", encoded(&name), act.verb)).into_response(),
        Err(problem) => refused(&app, who, &name, act, &filled, &problem).await,
    };
    response.extensions_mut().insert(told);
    response
}

async fn done(app: &Arc<App>, who: &Who, name: &str, act: &'static Act, filled: &Filled) -> Result<(), Problem> {
    if act.typed && filled.typed.trim() != name {
        return Err(Problem::input("not-typed", "what was typed is not the run's name", "type it as it stands there")
            .at("typed"));
    }
    if matches!(act.verb, "pass" | "fail") {
        let watch = app.followers.watch(name).await?;
        let gate = filled.subject.clone();
        let gate = watch.ask(move |fold| subject::gate(fold.run(), &gate)).await?.map_err(VerbError::from)?;
        if !matches!(gate, Gate::Unit(_)) {
            let fact = "this is the approval of a batch or of the start, not of a step";
            return Err(Problem::new(
                http::StatusCode::FORBIDDEN,
                "role-missing",
                fact,
                "it takes an approver: use approve or reject",
            ));
        }
    }
    match verb(act, filled)? {
        Some(verb) => app.act(name, &who.name, &filled.reason, &verb).await.map(drop)?,
        None => resumed(app, who, name.to_owned()).await.map(drop)?,
    }
    app.followers.nudge(name);
    Ok(())
}

/// The form again, with what stood in it and why it was not taken.
async fn refused(app: &App, who: Who, name: &str, act: &'static Act, filled: &Filled, problem: &Problem) -> Response {
    let Ok((touches, steps)) = touched(app, name, filled.subject.clone(), act).await else {
        return Trouble(who, problem.clone()).into_response();
    };
    let page = Page {
        frame: Frame::of(&who, "/runs"),
        name,
        act,
        subject: &filled.subject,
        touches,
        steps,
        filled,
        problem: Some(problem),
    };
    dressed(&page, problem)
}
