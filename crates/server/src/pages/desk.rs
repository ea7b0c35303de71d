//! The desk of a run: what is whose, the next thing to look at, and the end of a shift.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::json;

use crate::access::Who;
use crate::api::body::{At, Filled as Form};
use crate::api::{Problem, Told};
use crate::app::App;
use crate::desk::{self, Board};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::pages::sites::encoded;

#[derive(Template)]
#[template(path = "desk.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    said: String,
    problem: Option<&'a Problem>,
    board: Board,
    through: String,
    filled: &'a EndingShift,
}

/// The desk as whoever asks sees it.
pub(super) async fn desk(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    let said = app.said.take(&who, &name, SystemClock.now());
    shown(&app, who, &name, said, None, &EndingShift::default()).await
}

async fn shown(
    app: &App,
    who: Who,
    name: &str,
    said: String,
    problem: Option<&Problem>,
    filled: &EndingShift,
) -> Response {
    let board = match board(app, name, &who.name).await {
        Ok(board) => board,
        Err(problem) => return Trouble(who, problem).into_response(),
    };
    let through = board.through_at.map(report::clock).unwrap_or_default();
    let desk = Page { frame: Frame::of(&who, "/runs"), name, said, problem, board, through, filled };
    match problem {
        Some(problem) => dressed(&desk, problem),
        None => page(&desk),
    }
}

async fn board(app: &App, name: &str, who: &str) -> Result<Board, Problem> {
    let claims = app.drivers.kit().store.claims(name).await?;
    let mut watch = app.followers.watch(name).await?;
    watch.fresh().await?;
    let (who, now) = (who.to_owned(), SystemClock.now());
    Ok(watch.ask(move |fold| desk::board(fold, &claims, &who, now)).await?)
}

/// Which step the next thing is to be of.
#[derive(Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    step: String,
}

/// Takes the next thing and leads to it.
pub(super) async fn next(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Form(Next { step }): Form<Next>,
) -> Response {
    let of_step = (!step.is_empty()).then(|| step.clone());
    let mut told = json!({ "step": step });
    let mut response = match desk::next(&app, &name, &who.name, of_step).await {
        Ok(claim) => {
            told["gate"] = claim.subject.as_str().into();
            Redirect::to(&path_of(&name, &claim.subject)).into_response()
        }
        Err(error) => shown(&app, who, &name, String::new(), Some(&error.into()), &EndingShift::default()).await,
    };
    response.extensions_mut().insert(Told(told));
    response
}

/// Who goes on, and what they need to know.
#[derive(Default, Deserialize)]
pub(super) struct EndingShift {
    #[serde(default)]
    to: String,
    #[serde(default)]
    note: String,
}

/// Hands over or gives back all that is in somebody's hands.
pub(super) async fn end_shift(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Form(filled): Form<EndingShift>,
) -> Response {
    let to = Some(filled.to.trim()).filter(|to| !to.is_empty());
    let told = json!({ "to": to, "note": filled.note });
    let mut response = match desk::end_shift(&app, &name, &who.name, to, &filled.note).await {
        Ok((handed, back)) => {
            let words = format!("Your shift is over: {handed} handed over, {back} given back. Thank you.");
            app.said.keep(&who, &name, words, SystemClock.now());
            Redirect::to(&desk_of(&name)).into_response()
        }
        Err(error) => shown(&app, who, &name, String::new(), Some(&error.into()), &filled).await,
    };
    response.extensions_mut().insert(Told(told));
    response
}

/// Where somebody goes once a thing is done: to what is in their hands already, else to the next free one, else to the desk.
pub(super) async fn onward(app: &App, who: &Who, name: &str) -> Response {
    let mine = board(app, name, &who.name).await.ok().and_then(|board| board.mine.into_iter().next());
    let gate = match mine {
        Some(mine) => Some(mine.gate),
        None => desk::next(app, name, &who.name, None).await.ok().map(|claim| claim.subject),
    };
    Redirect::to(&gate.map_or_else(|| desk_of(name), |gate| path_of(name, &gate))).into_response()
}

/// The address of the desk.
pub(super) fn desk_of(name: &str) -> String {
    format!("/runs/{}/desk", encoded(name))
}

/// The address of a thing to look at.
pub(super) fn path_of(name: &str, gate: &str) -> String {
    format!("/runs/{}/desk/work?gate={}", encoded(name), encoded(gate))
}
