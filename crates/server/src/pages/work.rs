//! One thing to look at: where, what to confirm, what others noted, and what can be done with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use runtime::{Clock, SystemClock};
use serde::Deserialize;
use serde_json::json;

use crate::access::Who;
use crate::api::body::{Asked, At, Filled as Form};
use crate::api::{Problem, Told, shown_work, validates};
use crate::app::App;
use crate::desk::{self, DeskError, Work};
use crate::pages::act::waits_for_more;
use crate::pages::acts::checked_of;
use crate::pages::desk::{desk_of, onward, path_of};
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, dressed, page};
use crate::verbs::Verb;

/// What somebody asked to be done with a thing.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Filled {
    gate: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    from: String,
    /// The boxes that were ticked.
    #[serde(flatten)]
    boxes: BTreeMap<String, String>,
}

/// What can be done with a thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    Take,
    Renew,
    HandOver,
    GiveBack,
    Pass,
    Fail,
}

impl Deed {
    /// All of them, by the last part of their address.
    pub(super) const ALL: [(&'static str, Self); 6] = [
        ("take", Self::Take),
        ("renew", Self::Renew),
        ("hand-over", Self::HandOver),
        ("give-back", Self::GiveBack),
        ("pass", Self::Pass),
        ("fail", Self::Fail),
    ];
}

#[derive(Template)]
#[template(path = "work.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    me: &'a str,
    work: Work,
    said: String,
    filled: &'a Filled,
    ticked: Vec<String>,
    /// What was asked for and not done, by the last part of its address, and why not.
    refused: Option<(&'static str, &'a Problem)>,
}

impl Page<'_> {
    /// What was written for a deed that was not done.
    fn note(&self, deed: &str) -> &str {
        self.refused.filter(|(refused, _)| *refused == deed).map_or("", |_| &self.filled.note)
    }

    fn mine(&self) -> bool {
        self.work.with.as_deref() == Some(self.me)
    }
}

/// Which thing.
#[derive(Deserialize)]
pub(super) struct Wanted {
    gate: String,
}

/// The page of a thing.
pub(super) async fn work(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Asked(Wanted { gate }): Asked<Wanted>,
) -> Response {
    shown(&app, who, &name, &Filled { gate, ..Filled::default() }, None).await
}

async fn shown(
    app: &App,
    who: Who,
    name: &str,
    filled: &Filled,
    refused: Option<(&'static str, &Problem)>,
) -> Response {
    let work = match shown_work(app, name, &who.name, &filled.gate).await {
        Ok(work) => work,
        Err(problem) => return Trouble(who, problem).into_response(),
    };
    let said = app.said.take(&who, name, SystemClock.now());
    let ticked = checked_of(&filled.boxes);
    let shown = Page { frame: Frame::of(&who, "/runs"), name, me: &who.name, work, said, filled, ticked, refused };
    match refused {
        Some((_, problem)) => dressed(&shown, problem),
        None => page(&shown),
    }
}

/// Does what was asked for.
pub(super) async fn done(
    (path, deed): (&'static str, Deed),
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Form(filled): Form<Filled>,
) -> Response {
    let told = json!({
        "gate": filled.gate, "note": filled.note, "to": filled.to, "from": filled.from,
        "checked": checked_of(&filled.boxes),
    });
    let mut response = match tried(deed, &app, &who, &name, &filled).await {
        Ok(response) => response,
        Err(problem) => shown(&app, who, &name, &filled, Some((path, &problem))).await,
    };
    response.extensions_mut().insert(Told(told));
    response
}

async fn tried(deed: Deed, app: &App, who: &Who, name: &str, filled: &Filled) -> Result<Response, Problem> {
    let (me, gate, note) = (who.name.as_str(), filled.gate.as_str(), filled.note.as_str());
    let say = |words: &str| app.said.keep(who, name, words.to_owned(), SystemClock.now());
    let (here, desk) = (path_of(name, gate), desk_of(name));
    let to = |address: &str| Redirect::to(address).into_response();
    let problem = |error: DeskError| Problem::from(error);
    Ok(match deed {
        Deed::Take if filled.from.is_empty() => {
            desk::take(app, name, me, gate).await.map_err(problem)?;
            to(&here)
        }
        Deed::Take => {
            desk::take_over(app, name, me, (gate, &filled.from), note).await.map_err(problem)?;
            say(&format!("You have taken it over from {}.", filled.from));
            to(&here)
        }
        Deed::Renew => {
            desk::renew(app, name, me, gate).await.map_err(problem)?;
            say("It stays in your hands for another half hour.");
            to(&here)
        }
        Deed::HandOver => {
            desk::hand_over(app, name, me, (gate, filled.to.trim()), note).await.map_err(problem)?;
            say(&format!("{gate} is in the hands of {}.", filled.to.trim()));
            to(&desk)
        }
        Deed::GiveBack => {
            desk::give_back(app, name, me, gate, note).await.map_err(problem)?;
            say(&format!("{gate} is free again."));
            to(&desk)
        }
        Deed::Pass | Deed::Fail => {
            validates(app, name, gate).await?;
            let of = || gate.to_owned();
            let (verb, words) = match deed {
                Deed::Pass => (Verb::Approve { gate: of(), checked: checked_of(&filled.boxes) }, "has passed"),
                _ => (Verb::Reject { gate: of() }, "has failed"),
            };
            app.act(name, me, note, &verb).await?;
            let waits = if deed == Deed::Pass { waits_for_more(app, name, gate).await } else { None };
            say(&waits.unwrap_or_else(|| format!("{gate} {words}.")));
            onward(app, who, name).await
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_deed_has_a_rule_for_those_who_validate() {
        for (path, _) in Deed::ALL {
            let rule = crate::access::rule_of(&http::Method::POST, &format!("/runs/{{run}}/desk/{path}"));
            assert_eq!(rule.map(|rule| rule.needs), Some(crate::access::Permission::Validate), "{path}");
        }
    }
}
