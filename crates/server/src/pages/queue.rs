//! Everything that waits for people: of one run, or of all that go on.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, stream};
use runtime::RunSummary;
use tokio::time::Instant;

use crate::access::Who;
use crate::api::Problem;
use crate::api::body::At;
use crate::app::App;
use crate::live::View;
use crate::pages::frame::Frame;
use crate::pages::html::{Trouble, page, text};
use crate::pages::parts::rendered;

/// Time in which all runs are read; those that take longer are named.
const PATIENCE: Duration = Duration::from_secs(5);
/// Runs that are looked at side by side.
const ABREAST: usize = 8;

#[derive(Template)]
#[template(path = "queue.html")]
struct Page<'a> {
    frame: Frame,
    name: Option<&'a str>,
    queue: Queue,
}

/// What waits, and what is not known to.
#[derive(Default)]
struct Queue {
    /// Runs with what waits in each.
    runs: Vec<(String, String)>,
    /// Runs that nobody drives: nothing of them goes on before somebody does.
    adrift: Vec<String>,
    /// Runs that could not be read, and why.
    unread: Vec<(String, String)>,
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.adrift.is_empty() && self.unread.is_empty()
    }

    fn take(&mut self, view: &View) {
        let run = &view.snapshot.run;
        if view.snapshot.is_adrift() {
            self.adrift.push(run.clone());
        }
        if !view.snapshot.waits.items.is_empty() {
            self.runs.push((run.clone(), text(&rendered(view, "part-queue"))));
        }
    }
}

/// What waits in one run.
pub(super) async fn of_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Who>,
    At(name): At<String>,
) -> Response {
    match seen(&app, &name).await {
        Ok(view) => {
            let mut queue = Queue::default();
            queue.take(&view);
            page(&Page { frame: Frame::of(&who, "/queue"), name: Some(&name), queue })
        }
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn seen(app: &App, name: &str) -> Result<Arc<View>, Problem> {
    Ok(app.followers.watch(name).await?.fresh().await?)
}

/// What waits in all runs that are not over, whether anybody looks at them or not.
pub(super) async fn of_all(State(app): State<Arc<App>>, Extension(who): Extension<Who>) -> Response {
    match all(&app).await {
        Ok(queue) => page(&Page { frame: Frame::of(&who, "/queue"), name: None, queue }),
        Err(problem) => Trouble(who, problem).into_response(),
    }
}

async fn all(app: &App) -> Result<Queue, Problem> {
    let until = Instant::now() + PATIENCE;
    let list = app.drivers.kit().store.list().await?;
    let looks = list.into_iter().map(|run| async move {
        let seen = tokio::time::timeout_at(until, going_on(app, &run)).await;
        (run.head.run, seen.unwrap_or_else(|_| Err("it is still being read: load this page again".to_owned())))
    });
    let mut looks = stream::iter(looks).buffered(ABREAST);
    let mut queue = Queue::default();
    while let Some((run, seen)) = looks.next().await {
        match seen {
            Ok(Some(view)) if !view.snapshot.state.over => queue.take(&view),
            Ok(_) => {}
            Err(why) => queue.unread.push((run, report::plain(&why))),
        }
    }
    Ok(queue)
}

/// The newest view of a run; none of one that is over, which nobody need read for that.
async fn going_on(app: &App, run: &RunSummary) -> Result<Option<Arc<View>>, String> {
    match app.drivers.is_over(run).await {
        Ok(true) => Ok(None),
        Ok(false) => seen(app, &run.head.run).await.map(Some).map_err(|problem| problem.fact),
        Err(error) => Err(crate::words::chain(&error)),
    }
}
