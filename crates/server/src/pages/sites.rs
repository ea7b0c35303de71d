//! Sites of a run: found by state and ID, or by their place in the grid.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use engine::SiteIx;
use report::Fold;
use serde::Deserialize;

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::{Asked, At};
use crate::app::App;
use crate::live::SiteLetter;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};
use crate::pages::words::tone_of;

/// Sites on a page.
const ROWS: usize = 100;

/// What is looked for.
#[derive(Clone, Default, Deserialize)]
pub(super) struct Find {
    #[serde(default)]
    state: String,
    #[serde(default)]
    find: String,
    /// Number of the first, in the plan's order, from 0.
    #[serde(default)]
    from: usize,
    /// How many; a page of them if not said.
    count: Option<usize>,
}

struct Row {
    id: String,
    state: &'static str,
    tone: &'static str,
    batch: String,
    settled: u32,
    of: u32,
    attempts: u32,
    steps: String,
    out_by: String,
}

#[derive(Template)]
#[template(path = "sites.html")]
struct Page<'a> {
    frame: Frame,
    name: &'a str,
    asked: Find,
    states: Vec<&'static str>,
    rows: Vec<Row>,
    found: usize,
    first: usize,
    before: Option<String>,
    next: Option<String>,
}

/// Lists sites. A square of the grid that stands for one site leads to that site.
pub(super) async fn sites(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
    Asked(asked): Asked<Find>,
) -> Response {
    match answer(&app, &name, asked.clone()).await {
        Ok((rows, _)) if asked.count == Some(1) && rows.len() == 1 => {
            let id = &rows[0].id;
            Redirect::to(&format!("/runs/{}/sites/{}", encoded(&name), encoded(id))).into_response()
        }
        Ok((rows, found)) => {
            let from = asked.from;
            let size = asked.count.unwrap_or(ROWS).clamp(1, ROWS);
            let link = |from: usize| {
                let (state, find) = (encoded(&asked.state), encoded(&asked.find));
                format!("/runs/{}/sites?state={state}&find={find}&from={from}", encoded(&name))
            };
            page(&Page {
                frame: Frame::of(&who, "/runs"),
                name: &name,
                states: SiteLetter::ALL.map(|(_, word)| word).to_vec(),
                before: (from > 0).then(|| link(from.saturating_sub(size))),
                next: (from + rows.len() < found).then(|| link(from + size)),
                first: from + 1,
                asked,
                rows,
                found,
            })
        }
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn answer(app: &App, name: &str, asked: Find) -> Result<(Vec<Row>, usize), Problem> {
    let mut watch = app.followers.watch(name).await?;
    let view = watch.fresh().await?;
    // Which sites these are is known from the letters; only those that are shown are asked for.
    let wanted = (!asked.state.is_empty()).then(|| SiteLetter::of(&asked.state));
    let letters = view.grid.clone();
    let rows = watch.ask(move |fold| {
        let sites = &fold.plan().spec().sites;
        let fits = |at: &usize| {
            wanted.is_none_or(|letter| letters.letters()[*at] == letter)
                && (asked.find.is_empty() || sites.id(SiteIx::from(*at)).contains(&asked.find))
        };
        let all: Vec<usize> = (0..letters.letters().len()).filter(fits).collect();
        let shown = all.iter().skip(asked.from).take(asked.count.unwrap_or(ROWS).clamp(1, ROWS));
        (shown.map(|at| row(fold, *at)).collect(), all.len())
    });
    Ok(rows.await?)
}

fn row(fold: &Fold, at: usize) -> Row {
    let view = report::site_view(fold.run(), SiteIx::from(at));
    Row {
        id: view.id.to_owned(),
        state: view.state,
        tone: tone_of(view.state),
        batch: view.batch.map_or_else(String::new, |batch| batch.to_string()),
        settled: view.settled,
        of: view.of,
        attempts: view.attempts,
        steps: view.steps.join(", "),
        out_by: view.out_by.map(|out| report::plain(&out)).unwrap_or_default(),
    }
}

/// A text as a part of a path or a query.
pub(super) fn encoded(text: &str) -> String {
    percent(text.bytes())
}

fn percent(bytes: impl Iterator<Item = u8>) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
    let one = |byte: u8| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    bytes.map(one).collect()
}
