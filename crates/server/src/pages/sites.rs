//! Sites of a run: found by state and ID, or by their place in the grid.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use report::Fold;

use crate::access::Who;
use crate::api::body::{Asked, At};
use crate::api::{Problem, Site, Wanted};
use crate::app::App;
use crate::live::SiteLetter;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page};
use crate::pages::words::tone_of;

/// Sites on a page.
const ROWS: usize = 100;

struct Row {
    id: String,
    /// Whether it has a page: the run knows nothing more of what the plan leaves out.
    linked: bool,
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
    asked: Wanted,
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
    Asked(asked): Asked<Wanted>,
) -> Response {
    match answer(&app, &name, asked.clone()).await {
        Ok((rows, _)) if asked.limit == Some(1) && matches!(rows.as_slice(), [row] if row.linked) => {
            let id = &rows[0].id;
            Redirect::to(&format!("/runs/{}/sites/{}", encoded(&name), encoded(id))).into_response()
        }
        Ok((rows, found)) => {
            let from = asked.from;
            let size = rows.len().max(1);
            let link = |from: usize| {
                let (state, q) = (encoded(&asked.state), encoded(&asked.q));
                let batch = asked.batch.map_or_else(String::new, |batch| format!("&batch={batch}"));
                format!("/runs/{}/sites?state={state}&q={q}{batch}&from={from}", encoded(&name))
            };
            page(&Page {
                frame: Frame::of(&who, "/runs"),
                name: &name,
                states: SiteLetter::ALL.map(|(_, word)| word).to_vec(),
                before: (from > 0).then(|| link(from.saturating_sub(ROWS))),
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

async fn answer(app: &App, name: &str, asked: Wanted) -> Result<(Vec<Row>, usize), Problem> {
    let asked = asked.sound()?;
    let asked = Wanted { limit: Some(asked.limit.unwrap_or(ROWS).clamp(1, ROWS)), ..asked };
    let mut watch = app.followers.watch(name).await?;
    watch.fresh().await?;
    let (found, rows) = watch.ask(move |fold| asked.find(fold, |site| row(fold, site))).await?;
    Ok((rows, found))
}

fn row(fold: &Fold, site: Site<'_>) -> Row {
    let view = match site {
        Site::Restored(site) => report::site_view(fold.run(), site),
        Site::LeftOut(site) => {
            return Row {
                id: site.id.clone(),
                linked: false,
                state: "excluded",
                tone: tone_of("excluded"),
                batch: String::new(),
                settled: 0,
                of: 0,
                attempts: 0,
                steps: String::new(),
                out_by: report::plain(&format!("the plan: {}", site.reason)),
            };
        }
    };
    Row {
        id: view.id.to_owned(),
        linked: true,
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
